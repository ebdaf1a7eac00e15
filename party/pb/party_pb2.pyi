from party.pb import handshake_pb2 as _handshake_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESSAGE_KIND_UNSPECIFIED: _ClassVar[MessageKind]
    MESSAGE_KIND_CONFIRM: _ClassVar[MessageKind]
    MESSAGE_KIND_HIDDEN: _ClassVar[MessageKind]
    MESSAGE_KIND_GRADIENT: _ClassVar[MessageKind]
    MESSAGE_KIND_PSI_SETUP: _ClassVar[MessageKind]
    MESSAGE_KIND_PSI_REQUEST: _ClassVar[MessageKind]
    MESSAGE_KIND_PSI_RESPONSE: _ClassVar[MessageKind]
    MESSAGE_KIND_ALIGNED_ELEMENTS: _ClassVar[MessageKind]
    MESSAGE_KIND_ALIGNMENT_PROOF: _ClassVar[MessageKind]
    MESSAGE_KIND_DECISION: _ClassVar[MessageKind]
    MESSAGE_KIND_PREPARED: _ClassVar[MessageKind]
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF: _ClassVar[MessageKind]
    MESSAGE_KIND_ROW_MAP: _ClassVar[MessageKind]

class DataWarning(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_WARNING_UNSPECIFIED: _ClassVar[DataWarning]
    DATA_WARNING_DEAD: _ClassVar[DataWarning]
    DATA_WARNING_CONSTANT: _ClassVar[DataWarning]
    DATA_WARNING_IDENTIFIER: _ClassVar[DataWarning]
    DATA_WARNING_UNKNOWN: _ClassVar[DataWarning]
    DATA_WARNING_MISSING_DIFFERS: _ClassVar[DataWarning]
    DATA_WARNING_NUMBERS_DIFFER: _ClassVar[DataWarning]
    DATA_WARNING_VALUES_DIFFER: _ClassVar[DataWarning]
MESSAGE_KIND_UNSPECIFIED: MessageKind
MESSAGE_KIND_CONFIRM: MessageKind
MESSAGE_KIND_HIDDEN: MessageKind
MESSAGE_KIND_GRADIENT: MessageKind
MESSAGE_KIND_PSI_SETUP: MessageKind
MESSAGE_KIND_PSI_REQUEST: MessageKind
MESSAGE_KIND_PSI_RESPONSE: MessageKind
MESSAGE_KIND_ALIGNED_ELEMENTS: MessageKind
MESSAGE_KIND_ALIGNMENT_PROOF: MessageKind
MESSAGE_KIND_DECISION: MessageKind
MESSAGE_KIND_PREPARED: MessageKind
MESSAGE_KIND_ALIGNMENT_COUNTERPROOF: MessageKind
MESSAGE_KIND_ROW_MAP: MessageKind
DATA_WARNING_UNSPECIFIED: DataWarning
DATA_WARNING_DEAD: DataWarning
DATA_WARNING_CONSTANT: DataWarning
DATA_WARNING_IDENTIFIER: DataWarning
DATA_WARNING_UNKNOWN: DataWarning
DATA_WARNING_MISSING_DIFFERS: DataWarning
DATA_WARNING_NUMBERS_DIFFER: DataWarning
DATA_WARNING_VALUES_DIFFER: DataWarning

class Envelope(_message.Message):
    __slots__ = ("sender", "receiver", "kind", "dataset", "index", "nonce", "ciphertext")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    sender: str
    receiver: str
    kind: MessageKind
    dataset: str
    index: int
    nonce: bytes
    ciphertext: bytes
    def __init__(self, sender: _Optional[str] = ..., receiver: _Optional[str] = ..., kind: _Optional[_Union[MessageKind, str]] = ..., dataset: _Optional[str] = ..., index: _Optional[int] = ..., nonce: _Optional[bytes] = ..., ciphertext: _Optional[bytes] = ...) -> None: ...

class SessionReference(_message.Message):
    __slots__ = ("run_id", "lease", "incarnation")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    run_id: bytes
    lease: bytes
    incarnation: bytes
    def __init__(self, run_id: _Optional[bytes] = ..., lease: _Optional[bytes] = ..., incarnation: _Optional[bytes] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("configuration",)
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    configuration: bytes
    def __init__(self, configuration: _Optional[bytes] = ...) -> None: ...

class DescribeReply(_message.Message):
    __slots__ = ("party", "code_version", "protocol", "role", "state", "run_id", "step", "datasets", "features", "unix_seconds", "refusals")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    UNIX_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    party: str
    code_version: str
    protocol: int
    role: _handshake_pb2.Role
    state: str
    run_id: bytes
    step: int
    datasets: _containers.RepeatedCompositeFieldContainer[_handshake_pb2.DatasetRows]
    features: _containers.RepeatedScalarFieldContainer[str]
    unix_seconds: int
    refusals: _containers.RepeatedCompositeFieldContainer[ForeseenRefusal]
    def __init__(self, party: _Optional[str] = ..., code_version: _Optional[str] = ..., protocol: _Optional[int] = ..., role: _Optional[_Union[_handshake_pb2.Role, str]] = ..., state: _Optional[str] = ..., run_id: _Optional[bytes] = ..., step: _Optional[int] = ..., datasets: _Optional[_Iterable[_Union[_handshake_pb2.DatasetRows, _Mapping]]] = ..., features: _Optional[_Iterable[str]] = ..., unix_seconds: _Optional[int] = ..., refusals: _Optional[_Iterable[_Union[ForeseenRefusal, _Mapping]]] = ...) -> None: ...

class ForeseenRefusal(_message.Message):
    __slots__ = ("what", "expected", "received", "fix")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    FIX_FIELD_NUMBER: _ClassVar[int]
    what: str
    expected: str
    received: str
    fix: str
    def __init__(self, what: _Optional[str] = ..., expected: _Optional[str] = ..., received: _Optional[str] = ..., fix: _Optional[str] = ...) -> None: ...

class ProbeRequest(_message.Message):
    __slots__ = ("payload", "reply_bytes")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    REPLY_BYTES_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    reply_bytes: int
    def __init__(self, payload: _Optional[bytes] = ..., reply_bytes: _Optional[int] = ...) -> None: ...

class ProbeReply(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    def __init__(self, payload: _Optional[bytes] = ...) -> None: ...

class OpenRequest(_message.Message):
    __slots__ = ("session", "purpose", "start_step", "configuration", "dataset", "realign", "lineage", "resume", "without", "continues", "shuffled_party", "shuffled_column")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    START_STEP_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    REALIGN_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_FIELD_NUMBER: _ClassVar[int]
    CONTINUES_FIELD_NUMBER: _ClassVar[int]
    SHUFFLED_PARTY_FIELD_NUMBER: _ClassVar[int]
    SHUFFLED_COLUMN_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    purpose: _handshake_pb2.Purpose
    start_step: int
    configuration: bytes
    dataset: str
    realign: bool
    lineage: bytes
    resume: bool
    without: _containers.RepeatedScalarFieldContainer[str]
    continues: bytes
    shuffled_party: str
    shuffled_column: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., purpose: _Optional[_Union[_handshake_pb2.Purpose, str]] = ..., start_step: _Optional[int] = ..., configuration: _Optional[bytes] = ..., dataset: _Optional[str] = ..., realign: _Optional[bool] = ..., lineage: _Optional[bytes] = ..., resume: _Optional[bool] = ..., without: _Optional[_Iterable[str]] = ..., continues: _Optional[bytes] = ..., shuffled_party: _Optional[str] = ..., shuffled_column: _Optional[int] = ...) -> None: ...

class OpenReply(_message.Message):
    __slots__ = ("hello",)
    HELLO_FIELD_NUMBER: _ClassVar[int]
    hello: bytes
    def __init__(self, hello: _Optional[bytes] = ...) -> None: ...

class AgreeRequest(_message.Message):
    __slots__ = ("session", "hellos")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HELLOS_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    hellos: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., hellos: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AgreeReply(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: _handshake_pb2.HelloSignature
    def __init__(self, signature: _Optional[_Union[_handshake_pb2.HelloSignature, _Mapping]] = ...) -> None: ...

class AuthenticateRequest(_message.Message):
    __slots__ = ("session", "signatures")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    signatures: _containers.RepeatedCompositeFieldContainer[_handshake_pb2.HelloSignature]
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., signatures: _Optional[_Iterable[_Union[_handshake_pb2.HelloSignature, _Mapping]]] = ...) -> None: ...

class AuthenticateReply(_message.Message):
    __slots__ = ("confirmations",)
    CONFIRMATIONS_FIELD_NUMBER: _ClassVar[int]
    confirmations: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, confirmations: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class ConfirmRequest(_message.Message):
    __slots__ = ("session", "confirmations")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATIONS_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    confirmations: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., confirmations: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class TrainingPass(_message.Message):
    __slots__ = ("position", "batches")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    position: int
    batches: int
    def __init__(self, position: _Optional[int] = ..., batches: _Optional[int] = ...) -> None: ...

class ConfirmReply(_message.Message):
    __slots__ = ("exchanges", "steps", "datasets", "decisions", "position", "passes")
    EXCHANGES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PASSES_FIELD_NUMBER: _ClassVar[int]
    exchanges: int
    steps: int
    datasets: _containers.RepeatedScalarFieldContainer[str]
    decisions: _containers.RepeatedScalarFieldContainer[int]
    position: int
    passes: _containers.RepeatedCompositeFieldContainer[TrainingPass]
    def __init__(self, exchanges: _Optional[int] = ..., steps: _Optional[int] = ..., datasets: _Optional[_Iterable[str]] = ..., decisions: _Optional[_Iterable[int]] = ..., position: _Optional[int] = ..., passes: _Optional[_Iterable[_Union[TrainingPass, _Mapping]]] = ...) -> None: ...

class ProduceRequest(_message.Message):
    __slots__ = ("session", "kind", "dataset", "receiver", "index")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    kind: MessageKind
    dataset: str
    receiver: str
    index: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., kind: _Optional[_Union[MessageKind, str]] = ..., dataset: _Optional[str] = ..., receiver: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class ProduceReply(_message.Message):
    __slots__ = ("envelope", "total")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    envelope: Envelope
    total: int
    def __init__(self, envelope: _Optional[_Union[Envelope, _Mapping]] = ..., total: _Optional[int] = ...) -> None: ...

class ConsumeRequest(_message.Message):
    __slots__ = ("session", "kind", "dataset", "sender", "index", "envelope")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    kind: MessageKind
    dataset: str
    sender: str
    index: int
    envelope: Envelope
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., kind: _Optional[_Union[MessageKind, str]] = ..., dataset: _Optional[str] = ..., sender: _Optional[str] = ..., index: _Optional[int] = ..., envelope: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class ConsumeReply(_message.Message):
    __slots__ = ("rows_in_common",)
    ROWS_IN_COMMON_FIELD_NUMBER: _ClassVar[int]
    rows_in_common: int
    def __init__(self, rows_in_common: _Optional[int] = ...) -> None: ...

class ForwardRequest(_message.Message):
    __slots__ = ("session", "position")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    position: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., position: _Optional[int] = ...) -> None: ...

class ForwardReply(_message.Message):
    __slots__ = ("hidden",)
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    hidden: Envelope
    def __init__(self, hidden: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class FuseRequest(_message.Message):
    __slots__ = ("session", "position", "hiddens")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    HIDDENS_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    position: int
    hiddens: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., position: _Optional[int] = ..., hiddens: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class FuseReply(_message.Message):
    __slots__ = ("gradients",)
    GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    gradients: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, gradients: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class BackwardRequest(_message.Message):
    __slots__ = ("session", "position", "gradient")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    position: int
    gradient: Envelope
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., position: _Optional[int] = ..., gradient: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class BackwardReply(_message.Message):
    __slots__ = ("next_hidden",)
    NEXT_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    next_hidden: Envelope
    def __init__(self, next_hidden: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class StreamCallsRequest(_message.Message):
    __slots__ = ("method", "request")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    method: str
    request: bytes
    def __init__(self, method: _Optional[str] = ..., request: _Optional[bytes] = ...) -> None: ...

class StreamCallsReply(_message.Message):
    __slots__ = ("status", "details", "reply")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    status: int
    details: str
    reply: bytes
    def __init__(self, status: _Optional[int] = ..., details: _Optional[str] = ..., reply: _Optional[bytes] = ...) -> None: ...

class DecideRequest(_message.Message):
    __slots__ = ("session", "position")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    position: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., position: _Optional[int] = ...) -> None: ...

class DecideReply(_message.Message):
    __slots__ = ("decisions", "stop")
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Envelope]
    stop: bool
    def __init__(self, decisions: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ..., stop: _Optional[bool] = ...) -> None: ...

class FollowRequest(_message.Message):
    __slots__ = ("session", "position", "decision")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    position: int
    decision: Envelope
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., position: _Optional[int] = ..., decision: _Optional[_Union[Envelope, _Mapping]] = ...) -> None: ...

class FollowReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SnapshotRequest(_message.Message):
    __slots__ = ("session", "step")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    step: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., step: _Optional[int] = ...) -> None: ...

class SnapshotReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PrepareRequest(_message.Message):
    __slots__ = ("session", "step")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    step: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., step: _Optional[int] = ...) -> None: ...

class PrepareReply(_message.Message):
    __slots__ = ("lineage", "vouchers")
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    VOUCHERS_FIELD_NUMBER: _ClassVar[int]
    lineage: bytes
    vouchers: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, lineage: _Optional[bytes] = ..., vouchers: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class CommitRequest(_message.Message):
    __slots__ = ("session", "step", "vouchers")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    VOUCHERS_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    step: int
    vouchers: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., step: _Optional[int] = ..., vouchers: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class CommitReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NamedValue(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("rows", "values", "negatives_per_positive", "withheld")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    NEGATIVES_PER_POSITIVE_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    rows: int
    values: _containers.RepeatedCompositeFieldContainer[NamedValue]
    negatives_per_positive: int
    withheld: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rows: _Optional[int] = ..., values: _Optional[_Iterable[_Union[NamedValue, _Mapping]]] = ..., negatives_per_positive: _Optional[int] = ..., withheld: _Optional[_Iterable[str]] = ...) -> None: ...

class EpochReport(_message.Message):
    __slots__ = ("epoch", "train", "validation")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TRAIN_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    train: Metrics
    validation: Metrics
    def __init__(self, epoch: _Optional[int] = ..., train: _Optional[_Union[Metrics, _Mapping]] = ..., validation: _Optional[_Union[Metrics, _Mapping]] = ...) -> None: ...

class StepReport(_message.Message):
    __slots__ = ("step", "rows", "loss")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    step: int
    rows: int
    loss: float
    def __init__(self, step: _Optional[int] = ..., rows: _Optional[int] = ..., loss: _Optional[float] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("activity", "seconds", "count")
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    activity: str
    seconds: float
    count: int
    def __init__(self, activity: _Optional[str] = ..., seconds: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...

class CodecCost(_message.Message):
    __slots__ = ("codec", "bytes", "encode_seconds", "decode_seconds")
    CODEC_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    ENCODE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DECODE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    codec: str
    bytes: int
    encode_seconds: float
    decode_seconds: float
    def __init__(self, codec: _Optional[str] = ..., bytes: _Optional[int] = ..., encode_seconds: _Optional[float] = ..., decode_seconds: _Optional[float] = ...) -> None: ...

class ReportRequest(_message.Message):
    __slots__ = ("session", "steps_seen")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEPS_SEEN_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    steps_seen: int
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ..., steps_seen: _Optional[int] = ...) -> None: ...

class ReportReply(_message.Message):
    __slots__ = ("steps", "running", "epochs", "evaluation", "timings", "best_epoch", "codecs", "running_metrics")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    BEST_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_METRICS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[StepReport]
    running: Metrics
    epochs: _containers.RepeatedCompositeFieldContainer[EpochReport]
    evaluation: Metrics
    timings: _containers.RepeatedCompositeFieldContainer[Timing]
    best_epoch: int
    codecs: _containers.RepeatedCompositeFieldContainer[CodecCost]
    running_metrics: bool
    def __init__(self, steps: _Optional[_Iterable[_Union[StepReport, _Mapping]]] = ..., running: _Optional[_Union[Metrics, _Mapping]] = ..., epochs: _Optional[_Iterable[_Union[EpochReport, _Mapping]]] = ..., evaluation: _Optional[_Union[Metrics, _Mapping]] = ..., timings: _Optional[_Iterable[_Union[Timing, _Mapping]]] = ..., best_epoch: _Optional[int] = ..., codecs: _Optional[_Iterable[_Union[CodecCost, _Mapping]]] = ..., running_metrics: _Optional[bool] = ...) -> None: ...

class FinishRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ...) -> None: ...

class JoinCounts(_message.Message):
    __slots__ = ("dataset", "peer", "table", "left", "rows", "keys", "keys_found", "rows_with_partner", "rows_in_common")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FOUND_FIELD_NUMBER: _ClassVar[int]
    ROWS_WITH_PARTNER_FIELD_NUMBER: _ClassVar[int]
    ROWS_IN_COMMON_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    peer: str
    table: str
    left: bool
    rows: int
    keys: int
    keys_found: int
    rows_with_partner: int
    rows_in_common: int
    def __init__(self, dataset: _Optional[str] = ..., peer: _Optional[str] = ..., table: _Optional[str] = ..., left: _Optional[bool] = ..., rows: _Optional[int] = ..., keys: _Optional[int] = ..., keys_found: _Optional[int] = ..., rows_with_partner: _Optional[int] = ..., rows_in_common: _Optional[int] = ...) -> None: ...

class WarnedFeatures(_message.Message):
    __slots__ = ("warning", "features")
    WARNING_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    warning: DataWarning
    features: int
    def __init__(self, warning: _Optional[_Union[DataWarning, str]] = ..., features: _Optional[int] = ...) -> None: ...

class DataQuality(_message.Message):
    __slots__ = ("dataset", "warnings", "missing_percent", "unknown_percent")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    MISSING_PERCENT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_PERCENT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    warnings: _containers.RepeatedCompositeFieldContainer[WarnedFeatures]
    missing_percent: int
    unknown_percent: int
    def __init__(self, dataset: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[WarnedFeatures, _Mapping]]] = ..., missing_percent: _Optional[int] = ..., unknown_percent: _Optional[int] = ...) -> None: ...

class FinishReply(_message.Message):
    __slots__ = ("lineage", "files", "rows", "joins", "quality")
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    JOINS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    lineage: bytes
    files: _containers.RepeatedScalarFieldContainer[str]
    rows: int
    joins: _containers.RepeatedCompositeFieldContainer[JoinCounts]
    quality: _containers.RepeatedCompositeFieldContainer[DataQuality]
    def __init__(self, lineage: _Optional[bytes] = ..., files: _Optional[_Iterable[str]] = ..., rows: _Optional[int] = ..., joins: _Optional[_Iterable[_Union[JoinCounts, _Mapping]]] = ..., quality: _Optional[_Iterable[_Union[DataQuality, _Mapping]]] = ...) -> None: ...

class CloseRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: SessionReference
    def __init__(self, session: _Optional[_Union[SessionReference, _Mapping]] = ...) -> None: ...

class CloseReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

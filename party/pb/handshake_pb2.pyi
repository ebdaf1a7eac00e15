from party.pb import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Purpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PURPOSE_UNSPECIFIED: _ClassVar[Purpose]
    PURPOSE_ALIGN: _ClassVar[Purpose]
    PURPOSE_TRAIN: _ClassVar[Purpose]
    PURPOSE_EVALUATE: _ClassVar[Purpose]
    PURPOSE_PREDICT: _ClassVar[Purpose]
    PURPOSE_MEASURE: _ClassVar[Purpose]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_FEATURE: _ClassVar[Role]
    ROLE_LABEL: _ClassVar[Role]
PURPOSE_UNSPECIFIED: Purpose
PURPOSE_ALIGN: Purpose
PURPOSE_TRAIN: Purpose
PURPOSE_EVALUATE: Purpose
PURPOSE_PREDICT: Purpose
PURPOSE_MEASURE: Purpose
ROLE_UNSPECIFIED: Role
ROLE_FEATURE: Role
ROLE_LABEL: Role

class PartyRole(_message.Message):
    __slots__ = ("name", "role")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: Role
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ...) -> None: ...

class DatasetRows(_message.Message):
    __slots__ = ("dataset", "rows", "alignment_id")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_ID_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    rows: int
    alignment_id: bytes
    def __init__(self, dataset: _Optional[str] = ..., rows: _Optional[int] = ..., alignment_id: _Optional[bytes] = ...) -> None: ...

class JoinStatement(_message.Message):
    __slots__ = ("peer", "table", "left", "key_columns", "transforms", "keys")
    PEER_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TRANSFORMS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    peer: str
    table: str
    left: bool
    key_columns: int
    transforms: _containers.RepeatedScalarFieldContainer[str]
    keys: int
    def __init__(self, peer: _Optional[str] = ..., table: _Optional[str] = ..., left: _Optional[bool] = ..., key_columns: _Optional[int] = ..., transforms: _Optional[_Iterable[str]] = ..., keys: _Optional[int] = ...) -> None: ...

class TableStatement(_message.Message):
    __slots__ = ("table", "rows", "key_columns", "transforms")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    TRANSFORMS_FIELD_NUMBER: _ClassVar[int]
    table: str
    rows: int
    key_columns: int
    transforms: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, table: _Optional[str] = ..., rows: _Optional[int] = ..., key_columns: _Optional[int] = ..., transforms: _Optional[_Iterable[str]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol", "code_version", "run_id", "purpose", "party", "role", "parties", "configuration_sha256", "start_step", "lineage", "datasets", "outputs", "insecure", "share", "nonce", "certificate_chain", "dataset", "joins", "tables", "shuffled_party", "shuffled_column")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_SHA256_FIELD_NUMBER: _ClassVar[int]
    START_STEP_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    INSECURE_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    JOINS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    SHUFFLED_PARTY_FIELD_NUMBER: _ClassVar[int]
    SHUFFLED_COLUMN_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    code_version: str
    run_id: bytes
    purpose: Purpose
    party: str
    role: Role
    parties: _containers.RepeatedCompositeFieldContainer[PartyRole]
    configuration_sha256: bytes
    start_step: int
    lineage: bytes
    datasets: _containers.RepeatedCompositeFieldContainer[DatasetRows]
    outputs: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorSpec]
    insecure: bool
    share: bytes
    nonce: bytes
    certificate_chain: _containers.RepeatedScalarFieldContainer[bytes]
    dataset: str
    joins: _containers.RepeatedCompositeFieldContainer[JoinStatement]
    tables: _containers.RepeatedCompositeFieldContainer[TableStatement]
    shuffled_party: str
    shuffled_column: int
    def __init__(self, protocol: _Optional[int] = ..., code_version: _Optional[str] = ..., run_id: _Optional[bytes] = ..., purpose: _Optional[_Union[Purpose, str]] = ..., party: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., parties: _Optional[_Iterable[_Union[PartyRole, _Mapping]]] = ..., configuration_sha256: _Optional[bytes] = ..., start_step: _Optional[int] = ..., lineage: _Optional[bytes] = ..., datasets: _Optional[_Iterable[_Union[DatasetRows, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[_tensor_pb2.TensorSpec, _Mapping]]] = ..., insecure: _Optional[bool] = ..., share: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., certificate_chain: _Optional[_Iterable[bytes]] = ..., dataset: _Optional[str] = ..., joins: _Optional[_Iterable[_Union[JoinStatement, _Mapping]]] = ..., tables: _Optional[_Iterable[_Union[TableStatement, _Mapping]]] = ..., shuffled_party: _Optional[str] = ..., shuffled_column: _Optional[int] = ...) -> None: ...

class HelloSignature(_message.Message):
    __slots__ = ("party", "signature")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    party: str
    signature: bytes
    def __init__(self, party: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Confirmation(_message.Message):
    __slots__ = ("datasets",)
    class DatasetDigest(_message.Message):
        __slots__ = ("dataset", "ids_hmac")
        DATASET_FIELD_NUMBER: _ClassVar[int]
        IDS_HMAC_FIELD_NUMBER: _ClassVar[int]
        dataset: str
        ids_hmac: bytes
        def __init__(self, dataset: _Optional[str] = ..., ids_hmac: _Optional[bytes] = ...) -> None: ...
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[Confirmation.DatasetDigest]
    def __init__(self, datasets: _Optional[_Iterable[_Union[Confirmation.DatasetDigest, _Mapping]]] = ...) -> None: ...

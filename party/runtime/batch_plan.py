"""Sessions that send batches through the models: training, evaluation, prediction."""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY, RunConfiguration
from party.data.encoders import EncodedFeature
from party.data.labels import LabelArrays, read_labels
from party.errors import SessionError
from party.models.assembly import BASE, FUSE, PartyModels
from party.models.base_model import BaseModel
from party.models.fuse_model import FuseModel
from party.models.instance_weights import InstanceWeights
from party.models.keras_objects import Optimizer
from party.models.packing import PackedFeatures, pack
from party.pb.handshake_pb2 import Confirmation, DatasetRows, Hello
from party.pb.tensor_pb2 import TensorSpec
from party.protocol.channels import TensorReceiver, TensorSender
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.hidden import HiddenSpec
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.local_steps import FeatureLocalSteps, LabelLocalSteps
from party.protocol.local_updates import LocalUpdates
from party.protocol.schedule import Schedule
from party.protocol.specs import specs_from_messages, specs_to_messages
from party.protocol.tensors import BatchCodec, check_batch_bytes
from party.protocol.timings import Timings
from party.runtime.codec_costs import CodecCost
from party.runtime.context import PartyContext
from party.runtime.model_objects import party_losses, party_optimizer, party_scores
from party.security.framing import length_prefixed
from party.security.sealing import SealingKeys

IDS_LABEL = b"vsl/1 ids\0"
Direction = Literal["hidden", "gradient"]


class BatchPlan(ABC):
    """What training and inference have in common.

    Args:
        context: of the party.
        run: the run configuration.
        run_id: of the training run, 16 bytes.
        dataset: that the session reads.
    """

    def __init__(self, context: PartyContext, run: RunConfiguration, run_id: bytes, dataset: str) -> None:
        self._context = context
        self._run = run
        self._run_id = run_id
        self._dataset = dataset
        self._table = context.tables.table(dataset)
        self._alignment = context.alignment(self._table, run.parties)
        self._frame: pd.DataFrame | None = self._table.aligned(self._alignment.rows)
        self._transcript = b""
        self._peer_specs: dict[str, tuple[HiddenSpec, ...]] = {}
        self.schedule = self._make_schedule(len(self._alignment.rows))
        self.timings = Timings(context.monotonic)
        self.feature: FeatureExchanges | None = None
        self.label: LabelExchanges | None = None
        self._packed = self._pack(self._table.path.name)
        self.models = self._make_models()

    pending: tuple[str, ...] = ()
    lineage = b""
    codec_costs: Sequence[CodecCost] = ()

    @property
    def datasets(self) -> list[DatasetRows]:
        """What Hello says of the dataset: rows in common and the alignment that they come from."""
        rows = len(self._alignment.rows)
        return [DatasetRows(dataset=self._dataset, rows=rows, alignment_id=self._alignment.alignment_id)]

    @property
    def outputs(self) -> list[TensorSpec]:
        """What Hello says of the hiddens that this party sends."""
        return [] if self._context.configuration.holds_labels else specs_to_messages(self.models.specs)

    @property
    def exchanges(self) -> int:
        """Batches of the session."""
        return self.schedule.exchanges

    @property
    def position(self) -> int:
        """The batch to begin with."""
        return 0

    @property
    def steps(self) -> int:
        """Training steps of the session."""
        return self.schedule.steps

    @property
    def passes(self) -> Sequence[tuple[int, int]]:
        """First position and number of batches of every pass over training rows."""
        return self.schedule.passes

    @property
    def depth(self) -> int:
        """Most batches under way at a time."""
        return max(self.schedule.depth, INFERENCE_BATCHES_UNDER_WAY)

    @property
    def decisions(self) -> Sequence[int]:
        """Exchanges at which the label party decides whether to go on."""
        return self.schedule.decisions

    @property
    def step(self) -> int:
        """Training steps done so far."""
        exchanges = self.feature or self.label
        return exchanges.step if exchanges is not None else 0

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Checks what every party sends; at the label party, builds the fuse model for it."""
        for name, hello in hellos.items():
            if name not in (self._context.party, self._run.label_party):
                self._peer_specs[name] = specs_from_messages(hello.outputs, name)
        specs = {**self._peer_specs, self._context.party: self.models.specs}
        for name, sent in specs.items():
            self._context.policy.check_outputs(sent, name)
        check_batch_bytes(self._peer_specs or specs, self.schedule.largest_batch, self._context.party)
        if self._context.configuration.holds_labels:
            self._prepare_fuse({name: sent for name, sent in specs.items() if sent})

    def confirmation(self, pair_key: bytes) -> Confirmation:
        """A keyed digest of the ordered ids that this party actually loaded."""
        ids = self._table.ids.take(self._alignment.rows)
        mac = hmac.new(pair_key, IDS_LABEL + length_prefixed([self._dataset.encode()]), hashlib.sha256)
        mac.update(length_prefixed(one.encode() for one in ids))
        return Confirmation(datasets=[Confirmation.DatasetDigest(dataset=self._dataset, ids_hmac=mac.digest())])

    def start(self, keys: SealingKeys, pair_key: object) -> None:
        """Makes ready for the first batch, once keys are agreed."""
        self._transcript = keys.transcript
        if self._context.configuration.holds_labels:
            self.label = self._label_exchanges(keys)
        else:
            self.feature = self._feature_exchanges(keys)
        self._frame = None

    def close(self) -> None:
        """Waits for what is still being computed."""
        if self.label is not None:
            self.label.give_up()

    @abstractmethod
    def finish(self) -> tuple[tuple[str, ...], int]:
        """Writes what the session came to; returns the names of the files and the rows."""

    @abstractmethod
    def _make_schedule(self, rows: int) -> Schedule: ...

    @abstractmethod
    def _encode(self, frame: pd.DataFrame, source: str) -> tuple[EncodedFeature, ...]: ...

    @abstractmethod
    def _make_models(self) -> PartyModels: ...

    @abstractmethod
    def _prepare_fuse(self, specs: Mapping[str, tuple[HiddenSpec, ...]]) -> None: ...

    @property
    @abstractmethod
    def _trains(self) -> bool: ...

    @property
    def _folder(self) -> Path:
        return self._context.records.folder(self._run_id)

    def _rows_in_order(self) -> pd.DataFrame:
        if self._frame is None:
            raise RuntimeError("the rows were let go when the session started")
        return self._frame

    def _pack(self, source: str) -> PackedFeatures | None:
        if not self._context.configuration.data.features:
            return None
        return pack(self._encode(self._rows_in_order(), source))

    def _inputs(self) -> dict[str, npt.NDArray[np.generic]]:
        return {} if self._packed is None else self.models.inputs(self._packed)

    def _optimizer(self) -> Optimizer | None:
        return party_optimizer(self._context.configuration, self._run.training.optimizer) if self._trains else None

    def _base(self) -> BaseModel:
        # The label party's own hiddens are never old: only what crosses the network is sent ahead.
        depth = 1 if self._context.configuration.holds_labels else self.schedule.depth
        return BaseModel(
            self.models.models[BASE],
            self._inputs(),
            self.models.specs,
            self._optimizer(),
            depth,
            self._instance_weights(),
        )

    def _feature_exchanges(self, keys: SealingKeys) -> FeatureExchanges:
        base, local_updates = self._base(), self._local_updates()
        return FeatureExchanges(
            self._context.party,
            self._run.label_party,
            self._dataset,
            self.schedule,
            base,
            keys,
            self.timings,
            self._sender("hidden", self._context.party, self.models.specs),
            self._receiver("gradient", self._context.party, self.models.specs),
            None if local_updates is None else FeatureLocalSteps(local_updates, base, self.schedule, self.timings),
        )

    def _sender(self, direction: Direction, party: str, specs: Sequence[HiddenSpec]) -> TensorSender:
        """How a feature party's tensors are sent: as they are, unless a plan has batches of training."""
        return TensorSender(BatchCodec.plain(specs))

    def _receiver(self, direction: Direction, party: str, specs: Sequence[HiddenSpec]) -> TensorReceiver:
        """The other end of `_sender`."""
        return TensorReceiver(BatchCodec.plain(specs))

    def _local_updates(self) -> LocalUpdates | None:
        """Decides on local steps; there are none unless a plan has batches of training."""
        return None

    def _instance_weights(self) -> InstanceWeights:
        section = self._run.training.local_updates
        return InstanceWeights(None if section is None else section.minimum_cosine)

    def _label_exchanges(self, keys: SealingKeys) -> LabelExchanges:
        configuration = self._context.configuration
        labels, local_updates = self._labels(), self._local_updates()
        base = self._base() if BASE in self.models.models else None
        specs = self._peer_specs if base is None else {**self._peer_specs, self._context.party: base.specs}
        fuse = FuseModel(
            self.models.models[FUSE],
            configuration.data.labels,
            labels,
            specs,
            party_losses(configuration),
            party_scores(configuration),
            self._optimizer(),
            None if base is None else (self._context.party, base),
            self._instance_weights(),
        )
        return LabelExchanges(
            self._context.party,
            self._dataset,
            self.schedule,
            labels.values,
            fuse,
            self._peer_specs,
            keys,
            configuration.policy.minimum_metric_rows,
            self._context.background,
            self.timings,
            base,
            {name: self._receiver("hidden", name, specs) for name, specs in self._peer_specs.items()},
            {name: self._sender("gradient", name, specs) for name, specs in self._peer_specs.items()},
            None
            if local_updates is None
            else LabelLocalSteps(local_updates, fuse, self._peer_specs, self.schedule, self.timings),
        )

    def _labels(self) -> LabelArrays:
        data = self._context.configuration.data
        return read_labels(self._context.party, data, self._rows_in_order(), self._table.path.name)

    def _check_finished(self) -> None:
        exchanges = self.feature or self.label
        if exchanges is None or not exchanges.finished:
            raise SessionError("not every batch is done", where=self._context.party)
        if self.label is not None:
            self.label.wait_for_update()

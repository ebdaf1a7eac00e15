"""A session that trains a new run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from party.codecs.make import make_codec
from party.configuration.run import CodecSection, RunConfiguration
from party.data.encoders import EncodedFeature, fit_encoders
from party.errors import CheckpointError, DataError, SessionError
from party.models.assembly import PartyModels, base_layout
from party.protocol.channels import TensorReceiver, TensorSender
from party.protocol.checkpoints import ORIGIN, Mark
from party.protocol.error_feedback import ResidualSender, SurrogateReceiver, SurrogateSender
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.hidden import HiddenSpec
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.local_updates import LocalUpdates
from party.protocol.schedule import TrainingSchedule
from party.protocol.tensors import BatchCodec
from party.runtime.batch_plan import BatchPlan, Direction
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.context import PartyContext
from party.runtime.fingerprint import check_fingerprint, run_fingerprint
from party.runtime.model_objects import check_training
from party.runtime.records import ENCODERS_FILE, RunRecord
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.security.files import write_atomically
from party.security.randomness import SECRET_BYTES
from party.security.sealing import SealingKeys

LARGE_TABLE_ROWS = 100_000  # above, a dense optimizer spends most of a step on rows that the batch does not touch

logger = logging.getLogger(__name__)


class TrainingPlan(BatchPlan):
    """A training run, from its beginning or from a checkpoint.

    Args:
        context: of the party.
        run: the run configuration.
        run_id: 16 bytes.
        configuration_sha256: of the run configuration as it came.
        start: point to start from.
        resume: whether the run began earlier, at every party.

    Raises:
        SessionError: a new run's run_id was used before, or something that a resumed run depends on has changed.
        CheckpointError: a resumed run cannot go on from this point here.
    """

    _trains = True

    def __init__(
        self,
        context: PartyContext,
        run: RunConfiguration,
        run_id: bytes,
        configuration_sha256: bytes,
        start: Mark,
        resume: bool,
    ) -> None:
        if run.training.dataset in context.configuration.data.unlabelled:
            raise DataError(
                f"dataset {run.training.dataset} has no labels to train on",
                where=context.party,
                fix="set training.dataset, or correct data.unlabelled",
            )
        check_training(context.configuration, run.training)
        self._start = start
        self.lineage = start.lineage
        self._files = CheckpointFiles(context.records.folder(run_id), context.party)
        former = context.records.find(run_id, configuration_sha256, run.parties)
        where = f"{context.party}: run {run_id.hex()[:8]}"
        if former is not None and not resume:
            raise SessionError("run_id was used before", where=where, fix="resume it, or start a new run")
        if former is None and resume:
            raise CheckpointError(
                "nothing is known here of this run: the state folder is another one, or was emptied",
                where=where,
                fix="bring the folder back, or begin a new run",
            )
        self._record = former or _new_record(context, run, run_id, configuration_sha256)
        self._restored = None if start == ORIGIN else self._files.read(start)
        self._checkpoints: TrainingCheckpoints | None = None
        self._encoders_json = ""
        super().__init__(context, run, run_id, run.training.dataset)
        self._check_record(former)
        if not context.configuration.holds_labels:
            self._draw_weights()

    def start(self, keys: SealingKeys, pair_key: object) -> None:
        """Binds the run_id to this agreement, then makes ready for the first message."""
        self._begin_to_keep(keys)
        super().start(keys, pair_key)
        restored, self._restored = self._restored, None
        if restored is not None:
            self._exchanges.set_state(restored)
            self._check_position()

    def snapshot(self, step: int) -> None:
        """Takes a copy of the state, between two batches of training or at the end.

        Args:
            step: training steps so far.

        Raises:
            SessionError: the party is at another step, or in the middle of one.
        """
        if self._exchanges.step != step:
            expected = f"Snapshot {self._exchanges.step}"
            raise SessionError("call out of order", where=self._context.party, expected=expected, received=f"{step}")
        self.checkpoints.take(step, self._exchanges.state())

    @property
    def checkpoints(self) -> TrainingCheckpoints:
        """Of this session, once it was started."""
        if self._checkpoints is None:
            raise RuntimeError("the session was not started")
        return self._checkpoints

    @property
    def position(self) -> int:
        """The batch to begin with."""
        return self.schedule.exchanges if self._exchanges.finished else self._exchanges.position

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Writes the trained model."""
        self._check_finished()
        files = list(self.models.save(self._folder))
        if self._encoders_json:
            write_atomically(self._folder / ENCODERS_FILE, self._encoders_json.encode())
            files.append(ENCODERS_FILE)
        self.lineage = self.checkpoints.mark(self.step).lineage
        trained = self._record.model_copy(
            update={
                "state": "trained",
                "lineage": self.lineage.hex(),
                "base": self.models.base_layout,
                "fuse": self.models.fuse_layout,
            }
        )
        self._context.records.save(trained)
        return tuple(files), len(self._alignment.rows)

    def _begin_to_keep(self, keys: SealingKeys) -> None:
        """Writes the run's record, and takes up its checkpoints."""
        party, keep = self._context.party, self._context.configuration.checkpoints.keep
        peers = [name for name in self._run.parties if name != party]
        self._checkpoints = TrainingCheckpoints(party, peers, self._dataset, self._start, keys, self._files, keep)
        self._context.records.save(self._record)

    def _make_schedule(self, rows: int) -> TrainingSchedule:
        schedule = TrainingSchedule(self._run.training, rows)
        self._context.policy.check_training(self._run, schedule)
        self._training_schedule = schedule
        return schedule

    def _sender(self, direction: Direction, party: str, specs: Sequence[HiddenSpec]) -> TensorSender:
        """As the run configuration says: hiddens differ little from visit to visit, gradients are to add up."""
        codec, rows = self._codec(direction, party, specs), len(self._alignment.rows)
        if not self._codec_section(direction).error_feedback:
            return TensorSender(codec)
        return SurrogateSender(codec, rows) if direction == "hidden" else ResidualSender(codec, rows)

    def _receiver(self, direction: Direction, party: str, specs: Sequence[HiddenSpec]) -> TensorReceiver:
        """The other end of `_sender`; a residual is known to the sender alone."""
        codec = self._codec(direction, party, specs)
        if direction == "hidden" and self._codec_section(direction).error_feedback:
            return SurrogateReceiver(codec, len(self._alignment.rows))
        return TensorReceiver(codec)

    def _local_updates(self) -> LocalUpdates | None:
        section = self._run.training.local_updates
        return LocalUpdates(section, self._run.training.seed) if section is not None and section.uses else None

    def _codec_section(self, direction: Direction) -> CodecSection:
        codecs = self._run.training.codecs
        return codecs.hidden if direction == "hidden" else codecs.gradient

    def _codec(self, direction: Direction, party: str, specs: Sequence[HiddenSpec]) -> BatchCodec:
        """Refuses a codec that would not make batches of training shorter."""
        section = self._codec_section(direction)
        codec = make_codec(
            section,
            [spec.units for spec in specs],
            self._run.training.seed,
            self._training_schedule.largest_training_batch,
            f"{self._context.party}: training.codecs.{direction} for {party}",
        )
        return BatchCodec(specs, codec, section.kind)

    def _encode(self, frame: pd.DataFrame, source: str) -> tuple[EncodedFeature, ...]:
        """Encodes all rows by what the training rows alone hold."""
        configuration = self._context.configuration
        training = frame.iloc[self._training_schedule.training_rows]
        encoders = fit_encoders(configuration.party, configuration.data.features, training, source)
        self._encoders_json = encoders.to_json()
        return encoders.encode(frame, source)

    def _make_models(self) -> PartyModels:
        section = self._context.configuration.base_model
        if section is None or self._packed is None:
            return PartyModels(None, folder=self._context.configuration.folder)
        optimizer = (self._context.configuration.optimizer or self._run.training.optimizer).name
        if self._packed.size > LARGE_TABLE_ROWS and optimizer.lower() != "sgd":
            logger.warning(
                "the embedding table has %d rows: %s touches all of them in every step, sgd only those of the batch",
                self._packed.size,
                optimizer,
            )
        folder = self._context.configuration.folder
        return PartyModels(base_layout(section, self._packed, folder), folder=folder)

    def _prepare_fuse(self, specs: Mapping[str, tuple[HiddenSpec, ...]]) -> None:
        section = self._context.configuration.fuse_model
        if section is None:
            raise RuntimeError("a label party without a fuse model passed validation")
        self.models.add_fuse(section, self._context.configuration.data.labels, specs)
        self._draw_weights()

    def _draw_weights(self) -> None:
        self.models.draw(bytes.fromhex(self._record.secret), self._run.training.seed)

    @property
    def _exchanges(self) -> FeatureExchanges | LabelExchanges:
        exchanges = self.feature or self.label
        if exchanges is None:
            raise RuntimeError("the session was not started")
        return exchanges

    def _check_position(self) -> None:
        """A checkpoint that passed its digest belongs to this schedule, unless two versions of this software differ."""
        step = self._start.step
        if self._exchanges.position != self._training_schedule.position_of(step) and not self._exchanges.finished:
            raise CheckpointError(
                "does not fit the schedule", where=f"{self._context.party}: checkpoint of step {step}"
            )

    def _check_record(self, former: RunRecord | None) -> None:
        """Refuses to go on where something has changed since the run began, or after too many returns."""
        configuration = self._context.configuration
        present = run_fingerprint(configuration, self._table.sha256, self._alignment.rows, configuration.folder)
        if former is None:
            self._record = self._record.model_copy(update={"fingerprint": present})
            return
        allowed = configuration.checkpoints.allow_other_numerics
        check_fingerprint(self._context.party, former.fingerprint, present, allowed)
        self._context.policy.check_restores(former.restores + 1)
        self._record = former.model_copy(update={"restores": former.restores + 1})


def _new_record(context: PartyContext, run: RunConfiguration, run_id: bytes, configuration_sha256: bytes) -> RunRecord:
    pinned = context.configuration.pinned_secret
    secret = bytes.fromhex(pinned) if pinned is not None else context.random_bytes(SECRET_BYTES)
    return RunRecord(
        run_id=run_id.hex(),
        configuration_sha256=configuration_sha256.hex(),
        parties=run.parties,
        secret=secret.hex(),
        state="started",
    )

"""A session that trains a new run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import pandas as pd

from party.configuration.run import RunConfiguration
from party.data.encoders import EncodedFeature, fit_encoders
from party.errors import DataError
from party.models.assembly import PartyModels, base_layout
from party.protocol.hidden import HiddenSpec
from party.protocol.schedule import TrainingSchedule
from party.runtime.batch_plan import BatchPlan
from party.runtime.context import PartyContext
from party.runtime.model_objects import check_training
from party.runtime.records import ENCODERS_FILE, RunRecord
from party.security.files import write_atomically
from party.security.framing import length_prefixed
from party.security.randomness import SECRET_BYTES
from party.security.sealing import SealingKeys

LINEAGE_LABEL = b"vsl/1 lineage\0"
LARGE_TABLE_ROWS = 100_000  # above, a dense optimizer spends most of a step on rows that the batch does not touch

logger = logging.getLogger(__name__)


class TrainingPlan(BatchPlan):
    """A training run.

    Args:
        context: of the party.
        run: the run configuration.
        run_id: fresh, 16 bytes.
        configuration_sha256: of the run configuration as it came.
    """

    _trains = True

    def __init__(
        self, context: PartyContext, run: RunConfiguration, run_id: bytes, configuration_sha256: bytes
    ) -> None:
        if run.training.dataset in context.configuration.data.unlabelled:
            raise DataError(
                f"dataset {run.training.dataset} has no labels to train on",
                where=context.party,
                fix="set training.dataset, or correct data.unlabelled",
            )
        check_training(context.configuration, run.training)
        pinned = context.configuration.pinned_secret
        secret = bytes.fromhex(pinned) if pinned is not None else context.random_bytes(SECRET_BYTES)
        self._record = RunRecord(
            run_id=run_id.hex(),
            configuration_sha256=configuration_sha256.hex(),
            parties=run.parties,
            secret=secret.hex(),
            state="started",
        )
        self._encoders_json = ""
        super().__init__(context, run, run_id, run.training.dataset)
        if not context.configuration.holds_labels:
            self._draw_weights()

    def start(self, keys: SealingKeys, pair_key: object) -> None:
        """Binds the run_id to this agreement, then makes ready for the first batch."""
        self._context.records.create(self._record)
        super().start(keys, pair_key)

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Writes the trained model."""
        self._check_finished()
        files = list(self.models.save(self._folder))
        if self._encoders_json:
            write_atomically(self._folder / ENCODERS_FILE, self._encoders_json.encode())
            files.append(ENCODERS_FILE)
        step = self.step.to_bytes(8, "big")
        self.lineage = hashlib.sha256(LINEAGE_LABEL + length_prefixed([b"", self._transcript, step])).digest()
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

    def _make_schedule(self, rows: int) -> TrainingSchedule:
        schedule = TrainingSchedule(self._run.training, rows)
        self._context.policy.check_training(self._run, schedule)
        self._training_rows = schedule.training_rows
        return schedule

    def _encode(self, frame: pd.DataFrame, source: str) -> tuple[EncodedFeature, ...]:
        """Encodes all rows by what the training rows alone hold."""
        configuration = self._context.configuration
        training = frame.iloc[self._training_rows]
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

"""A session that evaluates or predicts with the model of a finished run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.data.encoders import EncodedFeature, encoders_from_json
from party.data.labels import LabelArrays
from party.errors import DataError, SessionError
from party.models.assembly import PartyModels
from party.pb.handshake_pb2 import Purpose
from party.protocol.hidden import HiddenSpec
from party.protocol.schedule import InferenceSchedule
from party.runtime.batch_plan import BatchPlan
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.context import PartyContext
from party.runtime.predictions import prediction_table
from party.runtime.records import ENCODERS_FILE
from party.security.files import read_private, write_atomically
from party.security.sealing import SealingKeys


class InferencePlan(BatchPlan):
    """Evaluation or prediction with the model of a finished run.

    Args:
        context: of the party.
        run: the run configuration that the model was trained with.
        run_id: of the training run.
        configuration_sha256: of the run configuration as it came.
        purpose: evaluate or predict.
        dataset: to read, whole.
    """

    _trains = False

    def __init__(
        self,
        context: PartyContext,
        run: RunConfiguration,
        run_id: bytes,
        configuration_sha256: bytes,
        purpose: Purpose,
        dataset: str,
    ) -> None:
        context.policy.check_inference(purpose, dataset, context.tables.datasets)
        if dataset in context.configuration.data.unlabelled and purpose != Purpose.PURPOSE_PREDICT:
            raise DataError(
                f"dataset {dataset} has no labels: it can only be predicted",
                where=context.party,
                fix="name another --dataset",
            )
        self._purpose = purpose
        self._record = context.records.trained(run_id, configuration_sha256, run.parties)
        self._check_labels(context.configuration)
        self.lineage = bytes.fromhex(self._record.lineage)
        super().__init__(context, run, run_id, dataset)

    def start(self, keys: SealingKeys, pair_key: object) -> None:
        """Makes ready for the first batch; all parties have finished the run, so nothing is left to go back to."""
        super().start(keys, pair_key)
        files = CheckpointFiles(self._folder, self._context.party)
        files.drop(tuple(files.prepared()))

    def finish(self) -> tuple[tuple[str, ...], int]:
        """Writes the predictions at the label party, where there are any to write."""
        self._check_finished()
        rows = len(self._alignment.rows)
        if self._purpose != Purpose.PURPOSE_PREDICT or self.label is None or self.label.inference is None:
            return (), rows
        ids = self._table.ids.take(self._alignment.rows)
        data = self._context.configuration.data
        frame = prediction_table(data.id, ids, data.labels, self.label.inference.outputs)
        name = f"predictions-{self._dataset}.csv"
        write_atomically(self._folder / name, frame.to_csv(index=False).encode())
        return (name,), rows

    def _make_schedule(self, rows: int) -> InferenceSchedule:
        if self._context.configuration.holds_labels:
            self._context.policy.check_metric_rows(rows, f"rows of dataset {self._dataset}")
        return InferenceSchedule(rows, self._run.training.evaluation_batch_size)

    def _labels(self) -> LabelArrays:
        """Labels, or zeros where there are none and predictions alone are asked for."""
        data = self._context.configuration.data
        if self._dataset in data.unlabelled:
            return LabelArrays(np.zeros((len(self._alignment.rows), len(data.labels)), np.float32))
        return super()._labels()

    def _check_labels(self, configuration: PartyConfiguration) -> None:
        """Refuses labels that the model was not trained for; their metrics and weights may have changed."""
        if self._record.fuse is None:
            return
        trained, present = self._record.fuse.labels, configuration.data.labels
        same = [(name, label.kind, label.units) for name, label in trained.items()] == [
            (name, label.kind, label.units) for name, label in present.items()
        ]
        if not same:
            raise SessionError(
                "data.labels differ from those that the run was trained with",
                where=configuration.party,
                expected=", ".join(trained),
                received=", ".join(present),
                fix="restore the configuration or train anew",
            )

    def _encode(self, frame: pd.DataFrame, source: str) -> tuple[EncodedFeature, ...]:
        text = read_private(self._folder / ENCODERS_FILE).decode()
        return encoders_from_json(text, self._context.configuration.data.features).encode(frame, source)

    def _make_models(self) -> PartyModels:
        models = PartyModels(self._record.base, self._record.fuse, self._context.configuration.folder)
        models.load(self._folder)
        return models

    def _prepare_fuse(self, specs: Mapping[str, tuple[HiddenSpec, ...]]) -> None:
        """The fuse model was built from the record; the lineage in Hello says that the bases are its own."""

"""The plan of a session that evaluates or predicts with the model of a finished run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from party.cut.hidden import FloatArray
from party.ledger.entry import Kind
from party.metrics.pass_metrics import PassMetrics
from party.pb.handshake_pb2 import Purpose
from party.policy.requests import Release
from party.protocol.schedule import InferenceSchedule
from party.runtime.batch_agreement import BatchAgreement
from party.runtime.batch_setup import BatchSetup
from party.runtime.batches import Batches
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.inference_setup import inference_setup
from party.runtime.own_entities import entities_referred, most_sent
from party.runtime.own_figures import EvaluatedRows, OwnFigures
from party.runtime.plan import OfferedCalls, PairSecrets, SessionResult
from party.runtime.prediction_files import predictions_file
from party.runtime.predictions import prediction_parts
from party.runtime.proposal import Opening
from party.runtime.quality_release import QualityRelease
from party.runtime.session_report import SessionReport, label_report
from party.security.files import writing_atomically
from party.security.sealing import SealingKeys


class InferencePlan:
    """The evaluation or prediction of a whole dataset.

    Args:
        setup: the session's setup.
        agreement: what the session's parties agree on.
        batches: the session's batches.
    """

    def __init__(self, setup: BatchSetup, agreement: BatchAgreement, batches: Batches) -> None:
        self._setup = setup
        self._batches = batches
        self._opening = setup.opening
        self._predicts = setup.opening.proposal.purpose == Purpose.PURPOSE_PREDICT
        self._is_written = False
        self._writing = threading.Lock()  # two calls for metrics may run at the same time
        self._lineage = bytes.fromhex(setup.record.lineage)
        self._quality = QualityRelease(setup.opening, 0 if self._predicts else 1)
        release = _release(setup, self._predicts)
        most = {**release.most, **self._quality.most}
        self.facts = setup.facts(replace(release, most=most), self._lineage)
        self.agreement = agreement
        self.progress = batches
        self.offered = OfferedCalls(batches=batches, report=self.report, finish=self.finish, work=lambda: batches.work)

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of rows released so far, by kind; predictions stay with the label party."""
        label = self._batches.label_side
        if label is None or not self._predicts:
            return {**self._batches.released, **self._quality.released}
        return {"predictions": int(self._setup.rows.first.in_file.sum()) if label.finished else 0}

    def start(self, keys: SealingKeys, secrets: PairSecrets) -> None:
        """Prepares for the first batch, and removes checkpoints of the run if every party has finished it.

        Args:
            keys: the session's sealing keys.
            secrets: what this party shares with each peer.
        """
        self._batches.start(keys, secrets)
        if not self._opening.proposal.without:  # a party that is away may still have to go back to a checkpoint
            files = CheckpointFiles(self._opening.folder, self._opening.context.party)
            files.drop(tuple(files.prepared()))

    def report(self, steps_seen: int) -> SessionReport:
        """Reports timings and the released metrics.

        Args:
            steps_seen: number of released step losses that the coordinator already has.
        """
        timings, label = self._batches.timings.totals(), self._batches.label_side
        if label is None:
            return SessionReport(timings=timings)
        rules, negatives = self._opening.grant.metrics, self._setup.rows.negatives
        return label_report(
            label, timings, rules, steps_seen=steps_seen, negatives=negatives, evaluation=self._evaluation
        )

    def finish(self) -> SessionResult:
        """Writes the predictions, at the label party in a session that predicts.

        Where the private head failed, and so has no outputs, they are empty: the file exists, as the coordinator must
        not see that it failed.

        Raises:
            SessionError: not every batch is done.
            StorageError: the predictions cannot be written.
        """
        self._batches.require_finished()
        self._evaluation()
        rows, label = self._setup.rows, self._batches.label_side
        if not self._predicts or label is None:
            quality = self._quality.of(() if self._predicts else (rows.table.dataset,))
            return SessionResult((), len(rows), self._lineage, quality=quality)
        data = self._opening.context.configuration.data
        outputs = None if label.own_inference is None else self._by_row(label.own_inference.outputs)
        # Nobody asks for predictions of rows that were drawn.
        in_file, names = rows.first.in_file, rows.first.row_names()
        name = predictions_file(rows.dataset, self._opening.proposal.without)
        with writing_atomically(self._opening.folder / name) as file:
            file.writelines(prediction_parts(rows.first.name_column, names, data.labels, outputs, in_file=in_file))
        return SessionResult((name,), int(np.count_nonzero(in_file)), self._lineage)

    def close(self) -> None:
        """Waits for computations that have begun."""
        self._batches.close()

    def _by_row(self, outputs: FloatArray) -> FloatArray:
        """Outputs in the common order of rows, of outputs in the order in which the rows were read."""
        schedule = self._setup.schedule
        if not isinstance(schedule, InferenceSchedule):
            raise RuntimeError("a session that predicts has another schedule")
        ordered = np.empty_like(outputs)
        ordered[schedule.order] = outputs
        return ordered

    def _evaluation(self) -> PassMetrics | None:
        """Metrics of an evaluation, once available; the party's own file has them before they are released."""
        label = self._batches.label_side
        if self._predicts or label is None or label.inference is None:
            return None
        with self._writing:
            metrics, own = label.inference.metrics(), label.own_evaluation()
            if own is not None and not self._is_written:
                proposal = self._opening.proposal
                figures = OwnFigures(self._opening.folder, self._opening.run_id.hex(), self._setup.rows.negatives)
                evaluated = EvaluatedRows(self._setup.rows.dataset, proposal.without, proposal.shuffled)
                figures.add_evaluation(evaluated, self._opening.context.now(), own, released=metrics.released)
                self._is_written = True
        return metrics


def inference_plan(opening: Opening) -> InferencePlan:
    """Prepares the plan of an evaluation or a prediction.

    Args:
        opening: the granted proposal.

    Raises:
        PolicyError: the run belongs to another coordinator, or there are fewer rows than the owner requires.
        SplitError: the run does not exist, or the data does not fit it.
    """
    setup = inference_setup(opening)
    agreement = BatchAgreement(setup)
    return InferencePlan(setup, agreement, Batches(setup, agreement))


def _release(setup: BatchSetup, predicts: bool) -> Release:
    """The release of the session: every row once, or every entity in each batch that refers to it."""
    rows = len(setup.rows)
    if not setup.opening.context.configuration.holds_labels:
        distinct = setup.opening.run.training.sends_distinct
        every = np.arange(rows, dtype=np.int32)
        most = most_sent(setup.rows.own_map, every, [setup.schedule.exchanges], distinct=distinct)
        return Release(entities_referred(setup.rows.own_map, rows), most={"hiddens": most})
    return Release(rows, most={"predictions": rows} if predicts else {"metrics": 1})

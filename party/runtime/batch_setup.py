"""The parts of a session with batches at one party, which exist before the parties agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from party.configuration.labels import Labels
from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY
from party.cut.specs import specs_to_messages
from party.data.labels import SessionLabels
from party.models.assembly import PartyModels
from party.models.packing import PackedFeatures
from party.policy.requests import Release
from party.protocol.schedule import Schedule, TrainingSchedule
from party.runtime.charges import Protection, charges_of
from party.runtime.continued_run import ContinuedRun
from party.runtime.plan import PlanFacts
from party.runtime.proposal import Opening
from party.runtime.records import RunRecord
from party.runtime.session_rows import SessionRows


def private_labels(labels: Labels) -> tuple[str, ...]:
    """Names of the labels that are private."""
    return tuple(name for name, label in labels.items() if label.privacy is not None)


@dataclass(frozen=True, kw_only=True)
class BatchSetup:
    """The parts of a session with batches.

    Attributes:
        opening: the granted proposal that the session is built from.
        rows: the rows that the session reads.
        schedule: the session's schedule.
        training: schedule of the whole run, of which a measuring session runs a miniature; None outside of training.
        row_key: key of the run's order of rows; empty where rows are read in the common order.
        models: models of this party; they predict.
        teacher: the label party's other models, which alone make what leaves; None without private labels, and where
            nothing leaves.
        packed: encoded features of all rows; None without features.
        groups: groups of all rows by the columns that hiddens must not go with, int32 (rows, columns); None without a
            penalty, and outside of training.
        metric_groups: number of each row's group by the columns that make groups for metrics, int32 (rows, columns);
            None if no metric has groups, and in a prediction.
        read_labels: reads the labels of all rows once the parties have agreed; None at a feature party.
        record: record of the run.
        away: feature parties of the run that take no part in the session, at the label party: learned vectors stand
            for them.
        continued: the finished run whose weights a new one begins with; None without one, and outside of training.
        protection: the mechanism that protects this party's labels or columns; None where they are released as they
            are.
    """

    opening: Opening
    rows: SessionRows
    schedule: Schedule
    training: TrainingSchedule | None = None
    row_key: bytes = b""
    models: PartyModels
    teacher: PartyModels | None = None
    packed: PackedFeatures | None
    groups: npt.NDArray[np.int32] | None = None
    metric_groups: npt.NDArray[np.int32] | None = None
    read_labels: Callable[[], SessionLabels] | None
    record: RunRecord
    away: frozenset[str] = frozenset()
    continued: ContinuedRun | None = None
    protection: Protection | None = None

    @property
    def heads(self) -> Sequence[PartyModels]:
        """The models of every head."""
        return [self.models] if self.teacher is None else [self.models, self.teacher]

    def facts(self, release: Release, lineage: bytes) -> PlanFacts:
        """The facts of a plan with these parts, before the parties agree.

        Args:
            release: the most that the session would release; its charges are added here, for every purpose.
            lineage: digest of the history that led to the weights.
        """
        holds_labels = self.opening.context.configuration.holds_labels
        return PlanFacts(
            datasets=self.rows.statements,
            outputs=[] if holds_labels else specs_to_messages(self.models.specs),
            lineage=lineage,
            release=replace(release, charges=charges_of(self.opening, release.most, self.protection)),
            depth=max(self.schedule.depth, INFERENCE_BATCHES_UNDER_WAY),
        )

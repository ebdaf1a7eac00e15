"""The parts of a session with batches at one party, which exist before the parties agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY
from party.cut.specs import specs_to_messages
from party.data.labels import LabelArrays
from party.models.assembly import PartyModels
from party.models.packing import PackedFeatures
from party.policy.requests import Release
from party.protocol.schedule import Schedule, TrainingSchedule
from party.runtime.common_rows import CommonRows
from party.runtime.plan import PlanFacts
from party.runtime.proposal import Opening
from party.runtime.records import RunRecord


@dataclass(frozen=True, kw_only=True)
class BatchSetup:
    """The parts of a session with batches.

    Attributes:
        opening: the granted proposal that the session is built from.
        rows: the rows that the session reads.
        schedule: the session's schedule.
        training: schedule of the whole run, of which a measuring session runs a miniature; None outside of training.
        row_key: key of the run's order of rows; empty where rows are read in the common order.
        models: models of this party.
        packed: encoded features of all rows; None without features.
        groups: groups of all rows by the columns that hiddens must not go with, int32 (rows, columns); None without a
            penalty, and outside of training.
        read_labels: reads the labels of all rows once the parties have agreed; None at a feature party.
        record: record of the run.
    """

    opening: Opening
    rows: CommonRows
    schedule: Schedule
    training: TrainingSchedule | None = None
    row_key: bytes = b""
    models: PartyModels
    packed: PackedFeatures | None
    groups: npt.NDArray[np.int32] | None = None
    read_labels: Callable[[], LabelArrays] | None
    record: RunRecord

    def facts(self, release: Release, lineage: bytes) -> PlanFacts:
        """The facts of a plan with these parts, before the parties agree.

        Args:
            release: the most that the session would release.
            lineage: digest of the history that led to the weights.
        """
        holds_labels = self.opening.context.configuration.holds_labels
        return PlanFacts(
            datasets=[self.rows.statement],
            outputs=[] if holds_labels else specs_to_messages(self.models.specs),
            lineage=lineage,
            release=release,
            depth=max(self.schedule.depth, INFERENCE_BATCHES_UNDER_WAY),
        )

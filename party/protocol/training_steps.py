"""The interface of the label party's training steps, whatever the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from party.cut.hidden import FloatArray, Rows
from party.cut.stateful import Stateful
from party.pb.party_pb2 import Envelope
from party.protocol.deferred import Deferred
from party.protocol.epoch_books import EpochBooks
from party.protocol.gradient_sender import GradientSender
from party.protocol.label_halves import TrainableHalves
from party.protocol.local_steps import LabelLocalSteps
from party.protocol.presence import Presence
from party.protocol.private_head import PrivateHead
from party.protocol.schedule import Exchange, Schedule
from party.protocol.timings import Timings


@dataclass(frozen=True, kw_only=True)
class StepSetup:
    """The parts that training steps work with.

    Attributes:
        party: name of this party.
        schedule: the session's schedule.
        halves: the models that make what leaves.
        presence: says which rows are present at each party.
        sender: sends the gradients.
        books: collect the results of each batch.
        timings: records how long each activity takes.
        private: learns from the true labels where labels are private; otherwise None.
        local_steps: makes further updates after each exchange; None without local updates.
    """

    party: str
    schedule: Schedule
    halves: TrainableHalves
    presence: Presence
    sender: GradientSender
    books: EpochBooks
    timings: Timings
    private: PrivateHead | None = None
    local_steps: LabelLocalSteps | None = None


class TrainingSteps(Protocol):
    """Trains with one batch under way, or with several."""

    @property
    def sent_rows(self) -> int:
        """Number of gradient rows that were sent to the feature party with the most; a row counts each time."""

    def train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> Deferred[list[Envelope]]:
        """Trains on a batch.

        Args:
            exchange: an exchange of training.
            rows: row numbers of the batch, int32 (rows,).
            hiddens: hiddens of the feature parties by party, float32 (rows, columns).

        Returns:
            The sealed gradients for every feature party, deferred.
        """

    def finish_update(self) -> None:
        """Does the own update of the last batch unless it is done; to be called once its gradients have been sent."""

    def wait(self) -> None:
        """Waits until all own updates are done; if one failed, this and every later call raises its error."""

    def abandon(self) -> None:
        """Abandons an own update that has not begun, and waits for one that has; called when the session ends."""

    def parts(self) -> Mapping[str, Stateful]:
        """Further parts of a checkpoint, by name."""

"""Training of the private head: it learns from the true labels, and nothing of it leaves the party."""

from __future__ import annotations

from collections.abc import Mapping

from party.cut.fixed_size import FixedSizeState
from party.cut.hidden import FloatArray, Rows
from party.cut.stateful import Stateful
from party.protocol.containment import Containment
from party.protocol.epoch_books import EpochBooks
from party.protocol.label_halves import TrainableHalves
from party.protocol.presence import Presence
from party.protocol.schedule import Exchange
from party.protocol.timings import Timings


class PrivateHead:
    """Takes the same steps as the teacher, on the same hiddens, after the teacher's gradients are ready.

    Its own update is one call that sends nothing. Steps come in the order of the schedule, one at a time; which thread
    makes them, and when, changes no number.

    Args:
        halves: its own models, with an optimizer and dropout of their own.
        books: collect its figures, by the true labels.
        timings: records how long each activity takes.
        containment: keeps its errors.
        presence: says which rows are present at each party, as to the teacher.
    """

    def __init__(
        self,
        halves: TrainableHalves,
        books: EpochBooks,
        timings: Timings,
        containment: Containment,
        *,
        presence: Presence,
    ) -> None:
        self.halves = halves
        self._presence = presence
        self._books = books
        self._timings = timings
        self._containment = containment

    def train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> None:
        """Trains on a batch.

        Args:
            exchange: an exchange of training.
            rows: row numbers of the batch, int32 (rows,).
            hiddens: hiddens of the feature parties by party, as received, float32 (rows, columns).
        """
        with self._timings.measure("private head"):
            self._containment(lambda: self._train(exchange, rows, hiddens))

    def _train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> None:
        self._books.begin(exchange)
        present = self._presence.of(exchange, rows)
        self._books.add_step(exchange, rows, self.halves.fuse.begin_step(rows, hiddens, present)()())

    def parts(self) -> Mapping[str, Stateful]:
        """Its parts of a checkpoint; their size is the same whatever its figures are."""
        parts: dict[str, Stateful] = {
            "private fuse": self.halves.fuse,
            "private books": FixedSizeState(self._books),
        }
        if self.halves.base is not None:
            parts["private base"] = self.halves.base
        return parts

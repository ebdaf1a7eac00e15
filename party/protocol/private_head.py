"""Training of the private head: it learns from the true labels, and nothing of it leaves the party."""

from __future__ import annotations

from collections.abc import Mapping

from party.cut.fixed_size import FixedSizeState
from party.cut.hidden import FloatArray, Rows
from party.cut.stateful import Stateful
from party.protocol.epoch_books import EpochBooks
from party.protocol.label_halves import TrainableHalves
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
    """

    def __init__(self, halves: TrainableHalves, books: EpochBooks, timings: Timings) -> None:
        self.halves = halves
        self._books = books
        self._timings = timings

    def train(self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray]) -> None:
        """Trains on a batch.

        Args:
            exchange: an exchange of training.
            rows: row numbers of the batch, int32 (rows,).
            hiddens: hiddens of the feature parties by party, as received, float32 (rows, columns).
        """
        self._books.begin(exchange)
        with self._timings.measure("private head"):
            result = self.halves.fuse.begin_step(rows, hiddens)()()
        self._books.add_step(exchange, rows, result)

    def parts(self) -> Mapping[str, Stateful]:
        """Its parts of a checkpoint; their size is the same whatever its figures are."""
        parts: dict[str, Stateful] = {
            "private fuse": self.halves.fuse,
            "private books": FixedSizeState(self._books),
        }
        if self.halves.base is not None:
            parts["private base"] = self.halves.base
        return parts

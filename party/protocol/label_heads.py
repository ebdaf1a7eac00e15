"""The heads of the label party: the one that makes what leaves, and the one that predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from party.cut.hidden import FloatArray, Rows
from party.metrics.pass_metrics import PassMetrics
from party.protocol.containment import Containment
from party.protocol.epoch_books import EpochBooks
from party.protocol.label_halves import Halves
from party.protocol.presence import Presence
from party.protocol.schedule import Exchange
from party.protocol.timings import Timings


@dataclass(frozen=True)
class LabelHead:
    """Models of the label party with the labels that they learn from, and the figures that follow from both.

    Attributes:
        halves: the models; trainable ones in a session that trains.
        books: collect the figures of each pass.
    """

    halves: Halves
    books: EpochBooks


class LabelHeads:
    """One head, or two where labels are private.

    The head that is `released` makes everything that leaves the party: gradients, figures, decisions. With private
    labels it is the *teacher*, which sees drawn labels alone, and `own` is the *private head*, which learns from the
    true labels; nothing that depends on that one may leave. Otherwise both are the same. In a prediction nothing
    leaves, and there is one head, which is the private one if labels are private.

    Args:
        released: the head that makes what leaves.
        private: the private head; None without private labels, and in a prediction.
        containment: keeps the errors of the private head; None if there is none.
        presence: says which rows are present at each party; if omitted, all are.
    """

    def __init__(
        self,
        released: LabelHead,
        private: LabelHead | None = None,
        containment: Containment | None = None,
        *,
        presence: Presence | None = None,
    ) -> None:
        self._presence = presence or Presence()
        self.released = released
        self._containment = containment or Containment()
        self.own = private or released
        self._contained = None if containment is None else self.own
        self.all: Sequence[LabelHead] = [released] if private is None else [released, private]

    def infer(
        self, exchange: Exchange, rows: Rows, hiddens: Mapping[str, FloatArray], *, party: str, timings: Timings
    ) -> None:
        """Adds a batch outside of training to the books of every head.

        Args:
            exchange: an exchange outside of training.
            rows: row numbers of the batch, int32 (rows,).
            hiddens: hiddens of the feature parties by party, float32 (rows, columns).
            party: name of this party.
            timings: records how long each activity takes.
        """
        for head in self.all:
            infer = partial(self._infer, head, exchange, rows, hiddens, party=party)
            if head is not self._contained:
                infer(measure=timings.measure)
                continue
            # One activity, begun whether the head failed or not: the coordinator sees how often each was.
            with timings.measure("private head"):
                self._containment(partial(infer, measure=nullcontext))

    def own_evaluation(self) -> PassMetrics | None:
        """Metrics of all rows, for this party alone; None before they are complete, and where the head failed."""
        inference = self.own.books.inference
        if inference is None:
            return None
        return inference.metrics() if self.own is self.released else self._containment(inference.metrics)

    def _infer(
        self,
        head: LabelHead,
        exchange: Exchange,
        rows: Rows,
        hiddens: Mapping[str, FloatArray],
        *,
        party: str,
        measure: Callable[[str], AbstractContextManager[object]],
    ) -> None:
        fuse, base, all_hiddens = head.halves.fuse, head.halves.base, hiddens
        head.books.begin(exchange)
        if base is not None:
            with measure("own base"):
                all_hiddens = {**hiddens, party: base.infer(rows)}
        with measure("fuse"):
            result = fuse.infer(rows, all_hiddens, self._presence.of(exchange, rows))
        head.books.add_inference(exchange, rows, result)

"""What `coordinator evaluate` tells: an evaluation, and others in each of which one column is shuffled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from coordinator.data_quality import DataQuality, quality_lines, quality_warnings
from coordinator.evaluation import Evaluation
from coordinator.figures import figure_text, undefined_text, withheld_text
from party.metrics.sampled_negatives import negatives_words
from party.output.tables import PrintedTable, numbered, worded
from party.protocol.shuffled_column import ShuffledColumn
from party.security.printable import printable

DIGITS = 6  # significant digits of exact metrics; rounded ones have fewer
NAME_WIDTH = 10  # at least
NOTHING = "-"


@dataclass(frozen=True, kw_only=True)
class ShuffledMetrics:
    """What an evaluation with a shuffled column released.

    Attributes:
        column: the column.
        metrics: by name; NaN where one is undefined.
        message_bytes: size of all messages between parties in both directions, each counted once.
    """

    column: ShuffledColumn
    metrics: Mapping[str, float]
    message_bytes: int


@dataclass(frozen=True, kw_only=True)
class EvaluationResult(Evaluation):
    """An evaluation, and what columns bring to it.

    Attributes:
        shuffled: the evaluations with a shuffled column, so far.
        warnings: what deserves a look, a sentence each.
    """

    shuffled: tuple[ShuffledMetrics, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def undefined(self) -> list[str]:
        """Names of the metrics that are undefined."""
        return [name for name, value in self.metrics.items() if math.isnan(value)]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields what is to be known of the data and the metrics; then the metrics.

        Without shuffled columns they are a line each. Else they are a table with a row for each evaluation: its
        metrics, and by how much they differ from those with every column as it is.

        Args:
            columns: of the terminal; None for a pipe.
        """
        told = _told(self)
        yield from quality_lines(told, told)
        for reason in dict.fromkeys(self.withheld.values()):
            yield withheld_text([name for name, why in self.withheld.items() if why == reason], reason)
        if self.negatives_per_positive:
            yield f"{printable(self.dataset)}: metrics{negatives_words(self.negatives_per_positive)}"
        if self.shuffled:
            yield from _shuffled_table(self).lines(columns)
        else:
            width = max([NAME_WIDTH, *(len(printable(name)) for name in self.metrics)])
            for name, value in self.metrics.items():
                yield f"{printable(name):<{width}} {figure_text(value, DIGITS)}"
        if self.undefined:
            yield undefined_text(self.undefined)


def evaluated(
    evaluate: Callable[[ShuffledColumn | None], Evaluation], columns: Sequence[ShuffledColumn]
) -> Iterator[EvaluationResult]:
    """Evaluates, and then with each column shuffled.

    Args:
        evaluate: makes one evaluation.
        columns: what to shuffle, one at a time.

    Yields:
        All that was released so far, after each evaluation.
    """
    result = EvaluationResult(**vars(evaluate(None)))
    undefined = [undefined_text(result.undefined)] if result.undefined else []
    result = replace(result, warnings=(*quality_warnings(_told(result)), *undefined))
    yield result
    for column in columns:
        one = evaluate(column)
        found = ShuffledMetrics(column=column, metrics=one.metrics, message_bytes=one.message_bytes)
        result = replace(result, shuffled=(*result.shuffled, found))
        yield result


def _told(result: EvaluationResult) -> Mapping[str, DataQuality | None]:
    """What is told of the data; nothing where parties are left out, as with all of them it was told before."""
    return {} if result.without else result.quality


def _shuffled_table(result: EvaluationResult) -> PrintedTable:
    before = result.metrics
    rows = [("nothing", *(figure_text(value, DIGITS) for value in before.values()))]
    for one in result.shuffled:
        cells = [
            f"{figure_text(one.metrics[name], DIGITS)} ({one.metrics[name] - value:+.4f})"
            if name in one.metrics
            else NOTHING
            for name, value in before.items()
        ]
        rows.append((printable(str(one.column)), *cells))
    return PrintedTable(columns=(*worded("shuffled"), *numbered(*map(printable, before))), rows=tuple(rows))

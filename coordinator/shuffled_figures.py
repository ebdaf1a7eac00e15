"""What columns bring: metrics of evaluations in each of which one column is shuffled among the rows."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from coordinator.figures import figure_text, undefined_text
from party.errors import ConfigurationError
from party.protocol.shuffled_column import ShuffledColumn
from party.security.printable import printable

DIGITS = 6  # significant digits of exact metrics; rounded ones have fewer
MOST_COLUMNS = 4096
COLUMNS = re.compile(r"(?P<party>[^:]+):(?P<first>[0-9]{1,4})(-(?P<last>[0-9]{1,4}))?")


def shuffled_columns(texts: Sequence[str]) -> list[ShuffledColumn]:
    """Reads what to shuffle.

    Args:
        texts: such as `alice:3`, or `alice:1-4` for four evaluations.

    Returns:
        The columns in the given order.

    Raises:
        ConfigurationError: a text cannot be read.
    """
    columns: list[ShuffledColumn] = []
    for text in texts:
        found = COLUMNS.fullmatch(text)
        first, last = (0, 0) if found is None else (int(found["first"]), int(found["last"] or found["first"]))
        if found is None or not 1 <= first <= last <= MOST_COLUMNS:
            raise ConfigurationError(
                "cannot be read",
                where="--shuffle",
                expected="PARTY:NUMBER or PARTY:FIRST-LAST, such as alice:1-4",
                received=printable(text),
            )
        columns += [ShuffledColumn(found["party"], number) for number in range(first, last + 1)]
    return columns


def evaluation_lines(
    evaluate: Callable[[ShuffledColumn | None], Mapping[str, float]], columns: Sequence[ShuffledColumn]
) -> Iterator[str]:
    """Evaluates, and then with each column shuffled, and formats the metrics as they come.

    Args:
        evaluate: returns the released metrics of one evaluation.
        columns: what to shuffle, one at a time.

    Returns:
        Without columns a line for each metric. Else a line of names, and one for each evaluation: its metrics, and by
        how much they differ from those with every column as it is.
    """
    before = evaluate(None)
    if not columns:
        yield from (f"{printable(name):<10} {figure_text(value, DIGITS)}" for name, value in before.items())
        undefined = [name for name, value in before.items() if math.isnan(value)]
        if undefined:
            yield undefined_text(undefined)
        return
    width = max(len(printable(str(column))) for column in columns)
    yield "shuffled".ljust(width) + "".join(f"  {printable(name):>22}" for name in before)
    yield "nothing".ljust(width) + "".join(f"  {figure_text(value, DIGITS):>22}" for value in before.values())
    for column in columns:
        metrics = evaluate(column)
        cells = [
            f"{figure_text(metrics[name], DIGITS)} ({metrics[name] - value:+.4f})" if name in metrics else "-"
            for name, value in before.items()
        ]
        yield printable(str(column)).ljust(width) + "".join(f"  {cell:>22}" for cell in cells)

"""Which columns an evaluation shuffles among the rows, as `--shuffle` names them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from party.errors import ConfigurationError
from party.protocol.shuffled_column import ShuffledColumn
from party.security.printable import printable

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

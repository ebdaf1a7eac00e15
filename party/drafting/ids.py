"""Which column identifies the rows."""

from __future__ import annotations

from collections.abc import Sequence

from party.drafting.samples import Sample
from party.errors import DataError

ID_WORDS = ("id", "uuid", "key", "guid", "nr", "no", "number", "index")


def id_candidates(samples: Sequence[Sample]) -> list[str]:
    """The columns by which rows could be joined, the likeliest first.

    Args:
        samples: all datasets.

    Returns:
        Names of columns with a different text in every row of every dataset.
    """
    first = samples[0]
    unique = [name for name in first.columns if all(_is_unique(sample, name) for sample in samples)]
    return sorted(unique, key=lambda name: (_rank(first.column(name).words, name), first.names.index(name)))


def check_id(name: str, samples: Sequence[Sample]) -> None:
    """Refuses a column that cannot be the id.

    Args:
        name: as the owner gave it.
        samples: all datasets.

    Raises:
        ConfigurationError: a dataset lacks it.
        DataError: its cells are empty or repeat.
    """
    for sample in samples:
        if name not in sample.columns:
            raise sample.lacks(name, "--id")
        if not _is_unique(sample, name):
            found = id_candidates(samples)
            fix = f"name another column, such as {found[0]}" if found else "leave one row for each id in the file"
            raise DataError(
                "ids are empty or not unique",
                where=f"{sample.dataset}: column {name}",
                expected="one id in each row",
                fix=fix,
            )


def _is_unique(sample: Sample, name: str) -> bool:
    return name in sample.columns and sample.column(name).is_unique


def _rank(words: frozenset[str], name: str) -> int:
    if name.lower() in ID_WORDS:
        return 0
    return 1 if not words.isdisjoint(ID_WORDS) else 2

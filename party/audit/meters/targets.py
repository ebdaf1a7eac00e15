"""What a meter tries to tell of a row: the classes of a label or of a column, always two at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from party.audit.meters.separation import Flags

BINARY = 2
LARGEST_CLASSES = 3  # of a label or column of several: each costs as much as a binary one


@dataclass(frozen=True, eq=False)
class Target:
    """Two classes of rows.

    Attributes:
        name: name of the label or column.
        about: what the positive class is, without a value of data.
        positive: class of each row of the dataset, bool (rows,).
        known: rows that have a class at all, bool (rows,); None if all have.
    """

    name: str
    about: str
    positive: Flags = field(repr=False)
    known: Flags | None = field(default=None, repr=False)


def of_classes(name: str, codes: npt.NDArray[np.integer]) -> tuple[Target, ...]:
    """The targets of a label or column of classes: one for two classes, else each of the largest against all others.

    Args:
        name: name of the label or column.
        codes: class of each row, at least 0, integer (rows,).

    Returns:
        No target where all rows have one class.
    """
    counts = np.bincount(codes)
    # From the largest class; the lower code first where two are equally large.
    largest = [int(code) for code in np.argsort(-counts, kind="stable") if counts[code]]
    if len(largest) < BINARY:  # nothing to tell apart
        return ()
    if len(largest) == BINARY:
        return (Target(name, "one of two classes", codes == max(largest)),)
    return tuple(
        Target(name, f"class {place} by size", codes == code)
        for place, code in enumerate(largest[:LARGEST_CLASSES], start=1)
    )


def of_numbers(name: str, numbers: npt.NDArray[np.floating]) -> tuple[Target, ...]:
    """The target of a number: whether it is above the median.

    One scale for all targets: an R² of 0.4 sounds harmless, and ranks a row rightly in most pairs.

    Args:
        name: name of the label or column.
        numbers: number of each row, float (rows,); NaN where it is missing.

    Returns:
        No target where all rows have one number.
    """
    known = np.isfinite(numbers)
    if not known.any():
        return ()
    median = np.median(numbers[known])
    positive = numbers > median
    if not positive.any():  # more than half of the rows have the largest number
        positive = numbers >= median
    if positive[known].all():
        return ()
    return (Target(name, "above the median", positive, None if known.all() else known),)


def enough_of_both(positive: Flags, least: int) -> bool:
    """Whether both classes have so many rows.

    Args:
        positive: class of each row, bool (rows,).
        least: fewest rows of a class.
    """
    ones = int(positive.sum())
    return min(ones, len(positive) - ones) >= least

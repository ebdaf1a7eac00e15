"""Row sources, which gather the rows of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from party.data.labels import LabelArrays
from party.errors import DataError

RowNumbers = npt.NDArray[np.int32]
RowArray = npt.NDArray[Any]

Scalar = TypeVar("Scalar", bound=np.generic)

LABELS = "labels"
WEIGHTS = "weights"
KNOWN = "known"
ROW_TYPES = (np.dtype(np.int32), np.dtype(np.float32))


class RowSource(Protocol):
    """Gathers the rows of a batch from a dataset, which it alone holds.

    Models know their source and no dataset. A source may hold its arrays in memory, map them from a file, or look rows
    up by their key.
    """

    def gather(self, rows: RowNumbers) -> Mapping[str, RowArray]:
        """The arrays of some rows.

        Args:
            rows: row numbers of the dataset, int32 (batch,), in any order; a number may occur repeatedly.

        Returns:
            Arrays by name, int32 or float32 (batch, ...), in the order of `rows`; the names are the same for every
            batch. Each is C-contiguous and must not be changed later: TensorFlow may read it without a copy.

        Raises:
            IndexError: a row number does not exist.
        """


class InMemoryRows:
    """Rows of arrays in memory.

    Args:
        arrays: all rows of a dataset by name, int32 or float32 (rows, ...), all with the same number of rows.

    Raises:
        DataError: arrays have different numbers of rows, or another type.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        lengths = sorted({len(array) for array in arrays.values()})
        if len(lengths) > 1:
            received = f"{lengths[0]} to {lengths[-1]} rows"
            raise DataError("arrays of one dataset do not fit together", expected="as many rows", received=received)
        for name, array in arrays.items():
            if array.dtype not in ROW_TYPES:
                raise DataError(
                    f"array {name} cannot be gathered", expected="int32, float32", received=str(array.dtype)
                )
        self._arrays: dict[str, RowArray] = {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def gather(self, rows: RowNumbers) -> Mapping[str, RowArray]:
        """See `RowSource`."""
        # As unsigned numbers, negative ones are out of range too; NumPy would count them from the end.
        places = np.asarray(rows, np.int32).view(np.uint32).astype(np.intp)
        return {name: array.take(places, axis=0) for name, array in self._arrays.items()}


def label_rows(labels: LabelArrays) -> InMemoryRows:
    """A source of labels for a fuse model.

    Args:
        labels: labels of all rows of a dataset.

    Returns:
        A source of `labels`, float32 (rows, labels); of `weights`, float32 (rows, labels), if rows have any or some
        lack a label; and of `known`, float32 (rows,), if some lack a label: 1 where a row has all of them, else 0.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {LABELS: labels.values}
    if labels.weights is not None:
        arrays[WEIGHTS] = labels.weights
    known = labels.known
    if not known.all():
        arrays.setdefault(WEIGHTS, np.ones_like(labels.values))
        arrays[KNOWN] = known.astype(np.float32)
    return InMemoryRows(arrays)


def one_after_the_other(parts: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
    """The rows of several datasets in one index space.

    Args:
        parts: an array for each dataset, (rows, ...), at least one.
    """
    return parts[0] if len(parts) == 1 else np.concatenate(parts)

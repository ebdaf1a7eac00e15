"""The elements of one kind that a peer sent, and which of two kinds are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from party.alignment.curve import ELEMENT_BYTES
from party.errors import AlignmentError

_ELEMENT = np.dtype(f"S{ELEMENT_BYTES}")  # compares byte by byte


class ReceivedElements:
    """Elements in the order of their arrival, 32 bytes each.

    Args:
        count: number of elements that will arrive.
        where: kind, peer and dataset, for errors.
    """

    def __init__(self, count: int, where: str) -> None:
        self._where = where
        self._elements = np.empty(count, _ELEMENT)
        self._arrived = 0

    def append(self, chunk: bytes) -> None:
        """Adds the elements of the next chunk, whose size has been checked."""
        elements = np.frombuffer(chunk, _ELEMENT)
        self._elements[self._arrived : self._arrived + len(elements)] = elements
        self._arrived += len(elements)

    def take_sorted(self) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """Hands over the elements, which are dropped here.

        Returns:
            The elements in ascending order, and the position of each in the order of arrival, int64.

        Raises:
            AlignmentError: an element occurs twice.
        """
        elements, self._elements = self._elements, np.empty(0, _ELEMENT)
        positions = np.argsort(elements)
        elements = elements[positions]
        repeated = int(np.count_nonzero(elements[1:] == elements[:-1]))
        if repeated:
            raise AlignmentError(
                "elements that occur more than once", where=self._where, received=f"{repeated} repetitions"
            )
        return elements, positions.astype(np.int64, copy=False)


def equal_elements(setup: ReceivedElements, responses: ReceivedElements) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finds the elements that both hold; both are empty afterwards.

    Args:
        setup: a peer's elements under both keys.
        responses: own elements under both keys.

    Returns:
        Their positions in the setup, and those of the same elements in the responses; shape (equal elements,), int64.

    Raises:
        AlignmentError: an element occurs twice in one of them.
    """
    elements, positions = setup.take_sorted()
    answers, places = responses.take_sorted()
    found = np.searchsorted(elements, answers)
    equal = np.searchsorted(elements, answers, side="right") > found
    return positions[found[equal]], places[equal]

"""The elements of one kind that a peer sent, and which of two kinds are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from party.alignment.curve import ELEMENT_BYTES
from party.data.scratch import IN_MEMORY, Scratch
from party.errors import AlignmentError

COMPARED_TOGETHER = 1 << 14  # elements at least, where there are so many
_MOST_PARTS = 64
_BLOCK_ELEMENTS = 1 << 16
_ELEMENT = np.dtype(f"S{ELEMENT_BYTES}")  # compares byte by byte
_LEADING = np.dtype(">u2")  # ascending as the bytes are
_LEADING_BITS = 16


class ReceivedElements:
    """Elements in the order of their arrival, 32 bytes each.

    Args:
        count: number of elements that will arrive.
        where: kind, peer and dataset, for errors.
        scratch: keeps them where there are many.
    """

    def __init__(self, count: int, where: str, scratch: Scratch = IN_MEMORY) -> None:
        self._where = where
        self._elements = scratch.array(count, _ELEMENT)
        self._arrived = 0
        self._repeated = 0

    def __len__(self) -> int:
        return len(self._elements)

    def append(self, chunk: bytes) -> None:
        """Adds the elements of the next chunk, whose size has been checked."""
        elements = np.frombuffer(chunk, _ELEMENT)
        self._elements[self._arrived : self._arrived + len(elements)] = elements
        self._arrived += len(elements)

    def parts(self, count: int) -> NDArray[np.uint16]:
        """The part of each element: elements that are equal have the same one, and parts are in the order of bytes.

        Args:
            count: number of parts, at most 2^16.

        Returns:
            uint16, shape (elements,).
        """
        leading = self._elements.view(_LEADING)[:: ELEMENT_BYTES // _LEADING.itemsize]
        parts = np.empty(len(leading), np.uint16)
        for start in range(0, len(leading), _BLOCK_ELEMENTS):
            block = leading[start : start + _BLOCK_ELEMENTS].astype(np.uint32)
            parts[start : start + len(block)] = block * np.uint32(count) >> _LEADING_BITS
        return parts

    def sorted_of(self, positions: NDArray[np.int32]) -> tuple[NDArray[np.bytes_], NDArray[np.int32]]:
        """Some elements in ascending order; those that occur twice among them are counted.

        Args:
            positions: of the elements in the order of arrival, int32.

        Returns:
            The elements in ascending order, and the position of each in the order of arrival.
        """
        elements = self._elements[positions]
        places = np.argsort(elements)
        elements = elements[places]
        self._repeated += int(np.count_nonzero(elements[1:] == elements[:-1]))
        return elements, positions[places]

    def refuse_repeated(self) -> None:
        """Refuses elements of which `sorted_of` found one twice; drops all of them.

        Raises:
            AlignmentError: an element occurs twice.
        """
        self._elements = np.empty(0, _ELEMENT)
        if self._repeated:
            raise AlignmentError(
                "elements that occur more than once", where=self._where, received=f"{self._repeated} repetitions"
            )


def equal_elements(setup: ReceivedElements, responses: ReceivedElements) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Finds the elements that both hold; both are empty afterwards.

    Args:
        setup: a peer's elements under both keys.
        responses: own elements under both keys.

    Returns:
        Their positions in the setup, and those of the same elements in the responses; shape (equal elements,), int32.

    Raises:
        AlignmentError: an element occurs twice in one of them.
    """
    parts = min(_MOST_PARTS, max(1, max(len(setup), len(responses)) // COMPARED_TOGETHER))
    setup_parts, response_parts = setup.parts(parts), responses.parts(parts)
    positions, places = [], []
    for part in range(parts):
        elements, numbers = setup.sorted_of(np.flatnonzero(setup_parts == part).astype(np.int32))
        answers, answered = responses.sorted_of(np.flatnonzero(response_parts == part).astype(np.int32))
        found = np.searchsorted(elements, answers)
        equal = np.searchsorted(elements, answers, side="right") > found
        positions.append(numbers[found[equal]])
        places.append(answered[equal])
    setup.refuse_repeated()
    responses.refuse_repeated()
    return np.concatenate(positions), np.concatenate(places)

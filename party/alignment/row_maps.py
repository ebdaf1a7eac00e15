"""The last messages of a join: which entity each row of the label party's datasets refers to.

The first message has the alignment id (16 bytes), the number of datasets (4 bytes, little-endian), and for each of
them, ascending by name, its number of rows (8 bytes). The others are slices of all its rows, one dataset after the
other: the entity's number in four bytes, little-endian, -1 where the row has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from party.alignment.aligned_elements import ALIGNMENT_ID_BYTES
from party.alignment.messages import Incoming, Outgoing, check_size, chunk_count, finished, rows_of_chunk
from party.alignment.terms import AlignedRows, RowRules
from party.data.entities import ABSENT, Numbers, RowMap
from party.data.scratch import IN_MEMORY, Scratch
from party.errors import AlignmentError, SessionError

MAP_ROWS = 1 << 18  # of one message, which is 1 MiB long
_HEADER = struct.Struct(f"<{ALIGNMENT_ID_BYTES}sI")
_COUNT = struct.Struct("<Q")
_NUMBER = np.dtype("<i4")


def outgoing_maps(alignment_id: bytes, maps: Mapping[str, RowMap], where: str) -> Outgoing:
    """Makes the messages for one feature party.

    Args:
        alignment_id: id of the alignment, 16 bytes.
        maps: the map of each dataset's rows.
        where: kind, peer and table, for errors.
    """
    ordered = [maps[dataset].entity_of_row for dataset in sorted(maps)]
    header = _HEADER.pack(alignment_id, len(ordered)) + b"".join(_COUNT.pack(len(one)) for one in ordered)
    # Not joined: the maps of many rows would be in memory twice.
    slices: Iterator[Future[bytes]] = (
        finished(one[start : start + MAP_ROWS].astype(_NUMBER).tobytes())
        for one in ordered
        for start in range(0, len(one), MAP_ROWS)
    )

    def messages() -> Iterator[Future[bytes]]:
        yield finished(header)
        yield from slices

    total = 1 + sum(chunk_count(len(one), MAP_ROWS) for one in ordered)
    return Outgoing(total, where, messages())


class IncomingMaps:
    """Takes the messages at a feature party.

    Args:
        rows: for each dataset, the number of rows of the label party's file, as it stated it.
        left: whether rows may be without an entity.
        rules: rules of the owner.
        scratch: keeps the maps of many rows.
    """

    def __init__(self, rows: Mapping[str, int], *, left: bool, rules: RowRules, scratch: Scratch = IN_MEMORY) -> None:
        self._most = {dataset: rows[dataset] for dataset in sorted(rows)}
        self._left = left
        self._rules = rules
        self._scratch = scratch
        self._maps: dict[str, Numbers] = {}
        self._slices: list[tuple[str, int, int]] = []  # dataset, first row and number of rows of each message
        self._incoming: Incoming | None = None
        self._referred: NDArray[np.bool_] = np.zeros(0, np.bool_)

    @property
    def complete(self) -> bool:
        """Whether all messages have arrived."""
        return self._incoming is not None and self._incoming.complete

    def maps(self, entities: int) -> Mapping[str, RowMap]:
        """The maps by dataset.

        Args:
            entities: number of entities in common.
        """
        return {dataset: RowMap(numbers, entities) for dataset, numbers in self._maps.items()}

    def take(self, index: int, message: bytes, aligned: AlignedRows, where: str) -> None:
        """Takes a message; a refused one changes nothing.

        Args:
            index: index of the message; messages come in order.
            message: as `outgoing_maps` makes it.
            aligned: the entities in common.
            where: kind, peer and table, for errors.

        Raises:
            AlignmentError: it names entities or rows that do not exist, or it is the last and an entity has no row.
            PolicyError: a dataset has fewer rows than the policy requires.
            SessionError: the message is out of order.
        """
        if self._incoming is None:
            if index != 0:
                raise SessionError("a message out of order", where=where, expected="message 0", received=f"{index}")
            self._begin(message, aligned, where)
            return
        self._incoming.expect(index)
        dataset, start, count = self._slices[index - 1]
        check_size(message, count * _NUMBER.itemsize, where)
        numbers = np.frombuffer(message, _NUMBER)
        referred = self._referred.copy() if self._incoming.last_is_next else self._referred
        self._check_numbers(numbers, len(aligned.rows), f"{where}, dataset {dataset}")
        referred[numbers] = True  # ABSENT leads to the place after the last entity
        if self._incoming.last_is_next:
            _check_all_referred(referred[:-1], where)
        self._maps[dataset][start : start + count] = numbers
        self._incoming.advance()

    def _begin(self, message: bytes, aligned: AlignedRows, where: str) -> None:
        check_size(message, _HEADER.size + _COUNT.size * len(self._most), where)
        alignment_id, datasets = _HEADER.unpack_from(message)
        if alignment_id != aligned.alignment_id or datasets != len(self._most):
            raise AlignmentError("row maps of another alignment", where=where)
        counts = [_COUNT.unpack_from(message, _HEADER.size + place * _COUNT.size)[0] for place in range(datasets)]
        rows = dict(zip(self._most, counts, strict=True))
        for dataset, count in rows.items():
            if not 1 <= count <= self._most[dataset]:
                raise AlignmentError(
                    "a number of rows that cannot be",
                    where=f"{where}, dataset {dataset}",
                    expected=f"1 to {self._most[dataset]}, the rows that the label party stated",
                    received=f"{count}",
                )
            self._rules.check_intersection(dataset, count)
        self._slices = [
            (dataset, start, rows_of_chunk(count, MAP_ROWS, start // MAP_ROWS))
            for dataset, count in rows.items()
            for start in range(0, count, MAP_ROWS)
        ]
        self._maps = {dataset: self._scratch.array(count, np.int32) for dataset, count in rows.items()}
        self._referred = np.zeros(len(aligned.rows) + 1, np.bool_)
        self._incoming = Incoming(1 + len(self._slices), where)
        self._incoming.advance()

    def _check_numbers(self, numbers: Numbers, entities: int, where: str) -> None:
        lowest, highest = int(numbers.min()), int(numbers.max())
        if lowest < (ABSENT if self._left else 0) or highest >= entities:
            raise AlignmentError(
                "rows that refer to entities that are not in common",
                where=where,
                expected=f"numbers from {ABSENT if self._left else 0} to {entities - 1}",
                fix="align again; if it persists, ask the label party's owner",
            )


def _check_all_referred(referred: NDArray[np.bool_], where: str) -> None:
    missing = int(np.count_nonzero(~referred))
    if missing:
        raise AlignmentError(
            "entities in common that no row refers to",
            where=where,
            expected="a row for each of them",
            received=f"{missing} without one",
            fix="align again; if it persists, ask the label party's owner",
        )

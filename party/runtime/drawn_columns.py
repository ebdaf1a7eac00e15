"""Randomises the private columns of all datasets of a party, before anything else sees their cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from party.configuration.features import DataSection, IntegerBucketsFeature
from party.configuration.party import PartyConfiguration
from party.configuration.privacy import AnyDomain, PrivateColumnsSection, RangeDomain
from party.data.ids import Ids
from party.data.kinds.cells import Cells, parse_number, read_cells
from party.data.rows import one_after_the_other
from party.data.table import Table
from party.data.text_columns import TextColumn
from party.errors import DataError
from party.privacy.cell_domains import CellDomain, NumberCells, TextCells, drawn_cells
from party.privacy.symbol_draws import SymbolDraws
from party.security.framing import length_prefixed

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]


class DrawKeys(Protocol):
    """Knows the secret that draws are made with, and the true values that it was used for so far."""

    def find(self, form: bytes, ids: Iterable[str], values: Iterable[bytes]) -> tuple[bytes, int]:
        """The secret, and the generation of some true values; another value of a known id begins another one.

        Args:
            form: all that draws depend on besides the secret, the generation, ids and values.
            ids: each once.
            values: the true value of each.

        Returns:
            The secret, 32 bytes, and the number of the generation, from 1.

        Raises:
            StorageError: what was stored of former draws cannot be used.
        """


@dataclass(frozen=True)
class _TrueCells:
    """A column of all tables together.

    Attributes:
        texts: the distinct cells, as the column's domain has them.
        numbers: number of each row's cell, int32 (rows,).
    """

    texts: Sequence[str] = field(repr=False)
    numbers: Codes = field(repr=False)

    def at(self, rows: Rows) -> list[str]:
        """The cells of some rows."""
        return [self.texts[number] for number in self.numbers[rows].tolist()]


class DrawnColumns:
    """Randomises private columns: each entity has one answer, in every dataset, epoch and run.

    Args:
        configuration: the party's configuration.
        section: its private columns.
        keys: the secret of the draws, and their generation.
    """

    def __init__(self, configuration: PartyConfiguration, section: PrivateColumnsSection, keys: DrawKeys) -> None:
        self._party = configuration.party
        self._section = section
        self._entity = [section.entity] if section.entity else _id_parts(configuration.data)
        self._keys = keys
        whole = {one.column for one in configuration.data.features if isinstance(one, IntegerBucketsFeature)}
        as_written = configuration.data.columns_as_written
        self._domains = {
            name: _domain(domain if name in as_written else domain.canonical(), section.share, name in whole)
            for name, domain in section.columns.items()
        }

    def draw(self, tables: Mapping[str, Table]) -> dict[str, Table]:
        """Randomises all tables of the party together.

        Args:
            tables: tables with true cells, by dataset; all datasets that there are.

        Returns:
            The tables with drawn cells, and without the true ones.

        Raises:
            DataError: a row has no entity, a cell lies outside of its declared domain, or rows of one entity differ in
                a private column.
            StorageError: the generation cannot be stored.
        """
        encoded = pa.concat_arrays([self._entities(table) for table in tables.values()]).dictionary_encode()
        rows, names = encoded.indices.to_numpy(), Ids("entity", encoded.dictionary)
        true = {name: self._canonical(name, domain, tables.values()) for name, domain in self._domains.items()}
        first = np.unique(rows, return_index=True)[1]
        self._check_agreement(rows, first, true)
        cells = {name: column.at(first) for name, column in true.items()}
        secret, generation = self._keys.find(self._form, names, self._values(cells))
        drawn = {}
        for name, domain in self._domains.items():
            draws = SymbolDraws(secret, generation, f"column {name}")
            answers = drawn_cells(domain, draws, names, cells[name], epsilon=self._section.share)
            drawn[name] = _by_text(answers).take(rows)
        return _replaced(tables, drawn, generation)

    def _entities(self, table: Table) -> Any:
        """The entity of each row, an Arrow array."""
        name = self._section.entity
        if name is None:
            return table.known_ids.texts()
        empty = int(np.count_nonzero(table.columns[name].holds("")))
        if empty:
            raise DataError(
                "rows without an entity",
                where=f"{self._party}: {table.path.name}: column {name}",
                expected="an entity in every row (privacy.columns.entity)",
                received=f"{empty} rows without one",
                public_message="rows of its data have no entity",
            )
        return table.columns[name].in_rows()

    def _canonical(self, name: str, domain: CellDomain, tables: Iterable[Table]) -> _TrueCells:
        """The cells of a column, in all tables, as its domain has them."""
        places: dict[str, int] = {}
        parts = []
        for table in tables:
            cells, texts = self._canonical_of(name, domain, table)
            numbers = np.fromiter((places.setdefault(one, len(places)) for one in texts), np.int32, len(texts))
            parts.append(cells.by_row(numbers))
        return _TrueCells(list(places), one_after_the_other(parts))

    def _canonical_of(self, name: str, domain: CellDomain, table: Table) -> tuple[Cells, list[str]]:
        """The cells of a column of one table, and each of its distinct texts as its domain has it."""
        cells = read_cells(table.columns[name], (), f"{self._party}: {table.path.name}: column {name}")
        texts = [domain.canonical(text) for text in cells.texts]
        outside = np.fromiter((text is None for text in texts), dtype=np.bool_, count=len(texts))
        if outside.any():
            raise DataError(
                "cells lie outside of the declared domain",
                where=cells.where,
                expected=f"only what privacy.columns.columns.{name} declares",
                received=f"{cells.row_count(outside)} rows with something else, "
                f"{cells.row_count(outside & cells.missing)} of them empty",
                fix="correct the file, or declare more: values, other, minimum, maximum, clip or missing",
                public_message="cells of a private column lie outside of its declared domain",
            )
        return cells, [text for text in texts if text is not None]

    def _check_agreement(self, rows: Codes, first: Rows, true: Mapping[str, _TrueCells]) -> None:
        """Refuses an entity with several cells in one column: to answer for each would cost more than ε."""
        differs = {name: np.unique(rows[one.numbers != one.numbers[first][rows]]) for name, one in true.items()}
        names = [name for name, entities in differs.items() if len(entities)]
        if names:
            entities = {entity for name in names for entity in differs[name].tolist()}
            raise DataError(
                f"rows of one entity differ in {', '.join(names)}",
                where=f"{self._party}: privacy.columns",
                expected="one cell for each entity, in all datasets together",
                received=f"{len(entities)} entities with several",
                fix="correct the files, or name another entity",
                public_message="rows of one entity differ in a private column",
            )

    @property
    def _form(self) -> bytes:
        """Who is drawn for, and the columns and their domains; with all of them, the share of epsilon that each has."""
        names = sorted(self._domains)  # another order in the configuration is no change
        columns = [part for name in names for part in (name, self._domains[name].scheme)]
        return length_prefixed(part.encode() for part in (*self._entity, *columns))

    def _values(self, cells: Mapping[str, Sequence[str]]) -> Iterator[bytes]:
        """The cells of each entity."""
        by_entity = zip(*(cells[name] for name in sorted(self._domains)), strict=True)
        return (length_prefixed(cell.encode() for cell in row) for row in by_entity)


def _domain(section: AnyDomain, epsilon: float, whole: bool) -> CellDomain:
    if isinstance(section, RangeDomain):
        return NumberCells(
            section.minimum,
            section.maximum,
            epsilon,
            parse_number,
            missing=section.missing,
            clips=section.clip,
            whole=whole,
        )
    return TextCells(section.values, section.other)


def _id_parts(data: DataSection) -> list[str]:
    """All that says how an id is made: other transformations make other entities of the same people."""
    several = [str(len(data.id_columns))] if len(data.id_columns) > 1 else []
    return [*several, *data.id_columns, *(["transforms", *data.transforms] if data.transforms else [])]


def _by_text(texts: Sequence[str]) -> TextColumn:
    """The text of each entity, by the distinct ones: there are as few as a domain has."""
    places: dict[str, int] = {}
    numbers = np.fromiter((places.setdefault(one, len(places)) for one in texts), np.int32, len(texts))
    return TextColumn(numbers, pa.array(list(places), pa.large_string()))


def _replaced(tables: Mapping[str, Table], drawn: Mapping[str, TextColumn], generation: int) -> dict[str, Table]:
    """The tables with other cells in some columns; `drawn` has the rows of all tables, one after the other."""
    replaced, start = {}, 0
    for dataset, table in tables.items():
        end = start + table.rows
        chosen = np.arange(start, end, dtype=np.int32)
        columns = {name: column.take(chosen) for name, column in drawn.items()}
        replaced[dataset] = replace(table, columns=table.columns.with_columns(columns), generation=generation)
        start = end
    return replaced

"""What `party check` found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from party.data.groups import GroupCounts
from party.data.join_words import KeyCounts
from party.data.label_facts import LabelFacts
from party.errors import one_line
from party.output.quantities import count_text, counted, figure_text, minute_text, share_text
from party.output.tables import PrintedTable, numbered, worded

MERGED = "distinct texts are written differently but are the same value; exact: true keeps them apart"
WARNING = "warning: "


@dataclass(frozen=True, kw_only=True)
class CheckedCertificate:
    """The party's own certificate.

    Attributes:
        name: certificate name.
        expires: end of its validity.
    """

    name: str
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class CheckedPrivateColumn:
    """What epsilon means for one private column.

    Attributes:
        column: name of the column.
        cells: what its cells may be.
        symbols: number of symbols that can be drawn.
        epsilon: of this column.
        blind_guess: how often a guess without the drawn symbol is right, from 0 to 1, where all are equally likely.
        best_guess: how often a guess with it is right.
    """

    column: str
    cells: str
    symbols: int
    epsilon: float
    blind_guess: float
    best_guess: float


@dataclass(frozen=True, kw_only=True)
class CheckedFeature:
    """One encoded feature of a dataset.

    Attributes:
        name: name of the feature.
        type: its kind.
        vocabulary_size: number of embedding rows.
        values_per_row: number of values of a row.
        missing: number of rows in which it is missing.
        merged: number of distinct texts that are the same value as another.
    """

    name: str
    type: str
    vocabulary_size: int
    values_per_row: int
    missing: int
    merged: int


@dataclass(frozen=True, kw_only=True)
class CheckedNumbers:
    """The numbers of a feature.

    Attributes:
        rows: number of rows with a number.
        least: the least number.
        greatest: the greatest number.
        mean: mean over rows.
        deviation: deviation of the population.
        outliers: number of rows far outside of the quartiles.
    """

    rows: int
    least: float
    greatest: float
    mean: float
    deviation: float
    outliers: int


@dataclass(frozen=True, kw_only=True)
class CheckedCells:
    """The cells of one feature of a dataset.

    Attributes:
        feature: name of the feature.
        rows: number of rows.
        missing: number of cells that are missing.
        unknown: number of cells whose value the training rows do not have.
        distinct: number of distinct texts.
        numbers: of a feature that reads numbers; None for others.
    """

    feature: str
    rows: int
    missing: int
    unknown: int
    distinct: int
    numbers: CheckedNumbers | None


@dataclass(frozen=True, kw_only=True)
class CheckedNegatives:
    """The negatives that were drawn for a dataset.

    Attributes:
        file_rows: number of rows of the file.
        positive_rows: those of them that are positive.
        drawn_rows: number of drawn rows.
        per_positive: number of negatives for each positive.
        left_out: number of negatives that were drawn and left out.
    """

    file_rows: int
    positive_rows: int
    drawn_rows: int
    per_positive: int
    left_out: int


@dataclass(frozen=True, kw_only=True)
class CheckedDataset:
    """One dataset or table that can be used.

    Attributes:
        name: its name.
        is_table: whether it is a table, whose rows others refer to.
        file: name of the file, or of what stands for several.
        rows: number of rows.
        left_out_rows: number of rows that are left out because they have no label.
        unlabelled_rows: number of rows without a label that are predicted.
        features: one for each encoded feature.
        cells: of each feature.
        labels: one for each label, at the label party.
        groups: one for each column that metrics are computed by.
        keys: one for each peer whose table the rows refer to.
        negatives: None where none are to be drawn.
        notes: what else the owner should know, in sentences.
        warnings: what is probably not as meant, in sentences.
    """

    name: str
    is_table: bool
    file: str
    rows: int
    left_out_rows: int
    unlabelled_rows: int
    features: tuple[CheckedFeature, ...]
    cells: tuple[CheckedCells, ...]
    labels: tuple[LabelFacts, ...]
    groups: tuple[GroupCounts, ...]
    keys: tuple[KeyCounts, ...]
    negatives: CheckedNegatives | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields tables, notes and warnings."""
        title = f"{'table ' if self.is_table else ''}{self.name}: {self.file}, {counted(self.rows, 'row')}"
        yield from self._features(title).lines(columns)
        for one in self.features:
            if one.merged:
                yield f"feature {one.name}: {one.merged:,} {MERGED}"
        yield from self.notes
        for key in self.keys:
            yield f"{self.name}: {key.words}"
        yield from (*(label.words for label in self.labels), *(group.words for group in self.groups))
        for table in self._statistics():
            yield from table.lines(columns)
        yield from (f"{WARNING}{text}" for text in self.warnings)

    def _features(self, title: str) -> PrintedTable:
        return PrintedTable(
            title=title,
            columns=(*worded("feature", "type"), *numbered("vocabulary size", "values per row", "missing")),
            rows=tuple(
                (one.name, one.type, *map(count_text, (one.vocabulary_size, one.values_per_row, one.missing)))
                for one in self.features
            ),
        )

    def _statistics(self) -> Iterator[PrintedTable]:
        """The cells of all features, and then the numbers of those that have any, as the feature bounds them."""
        if self.cells:
            shares = [
                (one.feature, share_text(one.missing, one.rows), share_text(one.unknown, one.rows), f"{one.distinct:,}")
                for one in self.cells
            ]
            columns = (*worded("feature"), *numbered("missing", "unknown", "distinct"))
            yield PrintedTable(title=f"cells of {self.name}", columns=columns, rows=tuple(shares))
        numbers = [(one.feature, one.numbers) for one in self.cells if one.numbers is not None]
        if numbers:
            yield PrintedTable(
                title=f"numbers of {self.name}",
                columns=(*worded("feature"), *numbered("least", "greatest", "mean", "deviation", "outliers")),
                rows=tuple((feature, *_texts(found)) for feature, found in numbers),
            )


@dataclass(frozen=True, kw_only=True)
class CheckedParty:
    """Everything that `party serve` would read.

    Attributes:
        party: name of the party.
        role: label party or feature party.
        certificate: its own.
        peers: names of the other parties.
        coordinators: names of the coordinators that may call.
        protections: what the configured protections hold and do not, in sentences.
        private_columns: what epsilon means for each.
        columns: columns of features, in the order of their numbers.
        joins: what patterns of columns, joins and tables are, in sentences.
        datasets: those that can be used.
        large_tables: what to do about many embedding rows, in sentences.
        warnings: protections that are switched off or weak, in sentences.
        problems: what keeps the other datasets from being used.
    """

    party: str
    role: Literal["label party", "feature party"]
    certificate: CheckedCertificate
    peers: tuple[str, ...]
    coordinators: tuple[str, ...]
    protections: tuple[str, ...]
    private_columns: tuple[CheckedPrivateColumn, ...]
    columns: tuple[str, ...]
    joins: tuple[str, ...]
    datasets: tuple[CheckedDataset, ...]
    large_tables: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields all but the problems, which are the command's error."""
        yield f"party {self.party} ({self.role})"
        yield f"certificate name {self.certificate.name}, expires {minute_text(self.certificate.expires)}"
        yield f"peers: {', '.join(self.peers)}"
        yield f"coordinators: {', '.join(self.coordinators)}"
        yield from (f"{WARNING}{text}" for text in self.warnings)
        yield from self.protections
        if self.private_columns:
            yield from self._private().lines(columns)
        if self.columns:
            yield one_line(
                f"columns by number: {', '.join(f'{number} {name}' for number, name in enumerate(self.columns, 1))}"
            )
        yield from map(one_line, self.joins)
        for dataset in self.datasets:
            yield ""
            yield from map(one_line, dataset.lines(columns))
        yield from map(one_line, self.large_tables)

    def _private(self) -> PrintedTable:
        return PrintedTable(
            title="private columns",
            columns=(*worded("column", "cells"), *numbered("symbols", "epsilon", "blind guess", "best guess")),
            rows=tuple(
                (
                    one.column,
                    one.cells,
                    count_text(one.symbols),
                    f"{one.epsilon:.3g}",
                    f"{100 * one.blind_guess:.0f} %",
                    f"{100 * one.best_guess:.0f} %",
                )
                for one in self.private_columns
            ),
        )


def without_warnings(lines: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tells sentences from warnings.

    Args:
        lines: sentences; a warning begins with the word.

    Returns:
        The sentences, and the warnings without that word.
    """
    found = [one_line(line) for line in lines]
    warnings = (line.removeprefix(WARNING) for line in found if line.startswith(WARNING))
    return tuple(line for line in found if not line.startswith(WARNING)), tuple(warnings)


def _texts(numbers: CheckedNumbers) -> tuple[str, ...]:
    figures = (numbers.least, numbers.greatest, numbers.mean, numbers.deviation)
    return (*map(figure_text, figures), share_text(numbers.outliers, numbers.rows))

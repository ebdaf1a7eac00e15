"""A column as its distinct texts, each of which is encoded once, and the interface of every encoder."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from party.configuration.feature_section import FeatureSection
from party.configuration.strict import StrictModel
from party.data.text_columns import TextColumn
from party.errors import DataError

# Stricter than float(), which also takes 1_000, nan, inf and the digits of other scripts.
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
Scalar = TypeVar("Scalar", bound=np.generic)
_PAIR = "\x1e"  # the record separator, which is in no text that people write


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells:
    """The cells of one column.

    Attributes:
        column: the column.
        numbers: numbers of the texts that rows hold, among the column's distinct ones, int64, shape (texts,).
        texts: these texts.
        counts: number of rows of each text, int64, shape (texts,).
        missing: whether a text counts as missing, bool, shape (texts,).
        where: party, file and column, for errors.
    """

    column: TextColumn
    numbers: NDArray[np.int64]
    texts: Sequence[str]
    counts: NDArray[np.int64]
    missing: NDArray[np.bool_]
    where: str

    @property
    def codes(self) -> NDArray[np.int64]:
        """For each row the position of its text in `texts`, int64, shape (rows,)."""
        places = np.zeros(len(self.column.distinct), np.int64)
        places[self.numbers] = np.arange(len(self.numbers))
        return places[self.column.codes]

    def by_row(self, of_texts: NDArray[Scalar]) -> NDArray[Scalar]:
        """Gives every row the value of its text, (rows,).

        Args:
            of_texts: a value for each of `texts`, (texts,).
        """
        of_distinct = np.zeros(len(self.column.distinct), of_texts.dtype)
        of_distinct[self.numbers] = of_texts
        values, start = np.empty(len(self.column), of_texts.dtype), 0
        for block in self.column.blocks():
            values[start : start + len(block)] = of_distinct[block]
            start += len(block)
        return values

    def row_count(self, chosen: NDArray[np.bool_]) -> int:
        """Number of rows whose text is among the chosen ones, a mask over `texts`."""
        return int(self.counts[chosen].sum())

    def part(self, texts: slice) -> Cells:
        """The cells that hold some of the texts."""
        numbers, counts, missing = self.numbers[texts], self.counts[texts], self.missing[texts]
        return replace(self, numbers=numbers, texts=self.texts[texts], counts=counts, missing=missing)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())


def read_cells(column: TextColumn, missing: Sequence[str], where: str) -> Cells:
    """Finds the texts that the rows of a column hold.

    Args:
        column: the column.
        missing: texts that count as missing besides the empty one.
        where: party, file and column, for errors.

    Returns:
        The cells; texts are in no order that anything may depend on.
    """
    counts = column.counts()
    numbers = np.flatnonzero(counts)
    texts = column.texts() if len(numbers) == len(counts) else column.distinct.take(numbers).to_pylist()
    absent = {"", *missing}
    return Cells(
        column=column,
        numbers=numbers,
        texts=texts,
        counts=counts[numbers],
        missing=np.fromiter((text in absent for text in texts), dtype=np.bool_, count=len(texts)),
        where=where,
    )


def pairs(first: TextColumn, second: TextColumn) -> TextColumn:
    """Two columns as one, for a feature that reads both: `split_pair` takes its texts apart.

    Args:
        first: a column.
        second: another one of the same rows.
    """
    numbers = first.codes.astype(np.int64) * len(second.distinct) + second.codes
    found, codes = np.unique(numbers, return_inverse=True)
    firsts, seconds = first.texts(), second.texts()
    texts = [firsts[one // len(seconds)] + _PAIR + seconds[one % len(seconds)] for one in found.tolist()]
    return TextColumn(codes.astype(np.int32), pa.array(texts, pa.large_string()))


def split_pair(text: str) -> tuple[str, str]:
    """The two cells of a pair; the second is empty in a column that was not made by `pairs`."""
    first, _, second = text.partition(_PAIR)
    return first, second


@dataclass(frozen=True, eq=False)
class Encoding:
    """The encoded form of a feature's distinct texts.

    Attributes:
        indices: embedding rows, int32, shape (distinct texts, width).
        values: their weights, float32, shape (distinct texts, width).
    """

    indices: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedEncoding:
    """One encoded feature, of the distinct texts of a column.

    Attributes:
        name: name of the encoded feature.
        kind: how a model reads it: `numeric` as a number, any other as indices.
        size: embedding rows that it needs.
        encoding: the encoded form of each distinct text.
    """

    name: str
    kind: str
    size: int
    encoding: Encoding


class Encoder(StrictModel, ABC):
    """A feature with everything that was fitted on training rows; also the form in which that is stored."""

    feature: FeatureSection

    @abstractmethod
    def encodings(self, cells: Cells) -> tuple[NamedEncoding, ...]:
        """Encodes each distinct text of a column, once for each of the feature's `encoded_names`."""

    def missing(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether the feature treats a text as missing, bool, shape (distinct texts,)."""
        return cells.missing

    def numbers(self, cells: Cells) -> NDArray[np.float64] | None:
        """The number that each distinct text is, float64 (distinct texts,), NaN where it is missing.

        Returns:
            None for a feature that reads no numbers.
        """
        return None

    def merged(self, cells: Cells) -> int:
        """Number of distinct values in cells of several ones that are written differently but are the same value."""
        return 0

    def advice(self, cells: Cells) -> str:
        """What to do about cells that are not what the feature reads, for the owner; empty if nothing is known."""
        return ""


class SingleEncoder(Encoder):
    """The encoder of a feature that becomes one encoded feature."""

    kind: str

    @property
    @abstractmethod
    def size(self) -> int:
        """Embedding rows that the feature needs."""

    @abstractmethod
    def encode(self, cells: Cells) -> Encoding:
        """Encodes each distinct text of a column."""

    def encodings(self, cells: Cells) -> tuple[NamedEncoding, ...]:
        """See `Encoder`."""
        return (NamedEncoding(name=self.feature.key, kind=self.kind, size=self.size, encoding=self.encode(cells)),)


def one_index(indices: NDArray[np.int32]) -> Encoding:
    """The encoding of a feature with one active index in every row.

    Args:
        indices: int32, shape (distinct texts,).

    Returns:
        Width 1, every value 1.
    """
    column = indices.reshape(-1, 1)
    return Encoding(column, np.ones(column.shape, np.float32))


def parse_number(text: str) -> float:
    """The finite number that a text is in decimal notation, spaces around it allowed; NaN for any other text."""
    if _NUMBER.fullmatch(text) is None:
        return math.nan
    number = float(text)
    return number if math.isfinite(number) else math.nan


def exact_number(text: str) -> Decimal | None:
    """The number that `parse_number` reads, with all its digits; None for any other text.

    A binary float makes one number of two ids of 17 digits.
    """
    number = parse_number(text)
    if math.isnan(number):
        return None
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent beyond all of Decimal's, which only 0 and numbers next to it have
        return Decimal(number)


def malformed_cells(cells: Cells, malformed: NDArray[np.bool_], *, expected: str, advice: str = "") -> DataError:
    """The error for malformed cells; it counts their rows.

    Args:
        cells: the column.
        malformed: mask over the distinct texts.
        expected: what a cell must be, for the error.
        advice: what to do in place of correcting single cells; empty where they are few.
    """
    received = f"{cells.row_count(malformed)} rows with something else"
    return DataError(
        "malformed cells",
        where=cells.where,
        expected=expected,
        received=received,
        fix=advice or "correct the file or, in data.features, list the texts under missing or set malformed: missing",
        public_message=f"malformed cells; expected {expected}; received {received}",
    )

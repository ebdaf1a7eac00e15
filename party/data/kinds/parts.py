"""Cells of several values: a text with a separator, or a list."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from party.configuration.canonical_text import VALUE_SEPARATOR
from party.configuration.features import MultiHotFeature, SequenceFeature
from party.data.kinds.cells import Cells, SingleEncoder, malformed_cells
from party.data.kinds.lists import read_list
from party.data.kinds.texts import Texts, vocabulary_size
from party.data.values.distinct import TEXT
from party.data.values.notations import canonical
from party.errors import DataError

SeveralFeature = MultiHotFeature | SequenceFeature
CORRECT = "correct the file or, in data.features, list the texts under missing"


class SeveralEncoder(SingleEncoder, ABC):
    """A feature whose cells hold several values of a vocabulary.

    Attributes:
        texts: the vocabulary, by UTF-8 bytes.
    """

    feature: SeveralFeature
    texts: Texts

    @property
    def size(self) -> int:
        """Embedding rows that the feature needs."""
        return vocabulary_size(self.texts)

    def merged(self, cells: Cells) -> int:
        """Number of distinct values in cells that are written differently but are the same value."""
        if self.feature.exact:
            return 0
        one_text = _canonical_by_text(written_values(self.feature, cells))
        counts = np.unique(list(one_text.values()), return_counts=True)[1]
        return int(counts[counts > 1].sum())


def split_cells(feature: SeveralFeature, cells: Cells) -> Sequence[Sequence[str]]:
    """The values of each distinct text, in order, one notation for each unless the feature is exact.

    Spaces around a value do not count, nor do empty values; a missing cell has none.

    Args:
        feature: the feature's section of the configuration.
        cells: the column.

    Raises:
        DataError: as for `written_values`.
    """
    written = written_values(feature, cells)
    if feature.exact:
        return written
    one_text = _canonical_by_text(written)
    return [[one_text[part] for part in parts] for parts in written]


def _canonical_by_text(written: Iterable[Iterable[str]]) -> Mapping[str, str]:
    distinct = list({part for parts in written for part in parts})
    return dict(zip(distinct, canonical(pa.array(distinct, TEXT)).to_pylist(), strict=True))


def written_values(feature: SeveralFeature, cells: Cells) -> Sequence[Sequence[str]]:
    """The values of each distinct text as they are written, without blanks around them and without empty ones.

    Args:
        feature: the feature's section of the configuration.
        cells: the column.

    Raises:
        DataError: the column holds texts and the feature has no separator; or it reads lists, and a text is none.
    """
    if feature.separator is None and not feature.lists:
        _require_lists(feature, cells)
    split = [
        [] if missing else _split(feature, text)
        for text, missing in zip(cells.texts, cells.missing.tolist(), strict=True)
    ]
    wrong = np.fromiter((one is None for one in split), dtype=np.bool_, count=len(split))
    if wrong.any():
        most = 2 * cells.row_count(wrong) > cells.row_count(~cells.missing)
        advice = "set separator in place of lists, or correct the file" if most else CORRECT
        raise malformed_cells(cells, wrong, expected='lists of texts or numbers, as in ["a", "b"]', advice=advice)
    return [[part for part in map(str.strip, one or ()) if part] for one in split]


def _split(feature: SeveralFeature, text: str) -> Sequence[str] | None:
    """The values of a text; None if it is no list where the feature reads lists."""
    if _is_list(text) or (feature.separator is None and not feature.lists):
        return text.split(VALUE_SEPARATOR)
    return read_list(text) if feature.separator is None else text.split(feature.separator)


def _is_list(text: str) -> bool:
    return text.endswith(VALUE_SEPARATOR)


def _require_lists(feature: SeveralFeature, cells: Cells) -> None:
    texts = np.fromiter((not _is_list(text) for text in cells.texts), dtype=np.bool_, count=len(cells.texts))
    rows = cells.row_count(texts & ~cells.missing)
    if rows:
        raise DataError(
            "cells are texts, and nothing says how to split them",
            where=cells.where,
            expected="lists, or a separator",
            received=f"{rows} rows with texts",
            fix=f"set separator for feature {feature.key} in data.features, or lists: true where texts are lists",
            public_message="a column of its data holds texts where a separator is needed",
        )

"""A cell that makes labels negative, for rows that are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator

from party.configuration.canonical_text import canonical_text
from party.configuration.features import DataSection
from party.configuration.labels import AnyLabel, BinaryLabel
from party.data.kinds.cells import parse_number
from party.data.known_labels import unquoted
from party.data.labels import read_labels
from party.data.text_columns import TextColumns, text_column_of
from party.errors import ConfigurationError

_USUAL = ("0", "1")


def negative_cell(party: str, data: DataSection, column: str) -> str:
    """Finds a cell by which every label of a column is negative.

    Args:
        party: name of this party, for errors.
        data: the party's data section, whose labels all have two classes.
        column: the column.

    Returns:
        Its canonical text.

    Raises:
        ConfigurationError: what is negative by one label is positive by another.
    """
    labels = {name: label for name, label in data.labels.items() if label.source == column}
    own = data.model_copy(update={"labels": labels})
    for text in (*_USUAL, *(cell for label in labels.values() for cell in _beside_value(label))):
        cells = TextColumns({column: text_column_of([text])}, 1)
        if (read_labels(party, own, cells, column, weighted=False).values == 0).all():
            return text
    raise ConfigurationError(
        f"no cell of column {column} makes all of its labels negative: {', '.join(labels)}",
        where=f"{party}: data.negatives",
        fix="give labels that exclude each other columns of their own, or add negative rows to the file",
        public_message="its labels allow no negatives",
    )


def _beside_value(label: AnyLabel) -> Iterator[str]:
    """The value of a label's rule and, of a number, those next to it: one of them is on the negative side."""
    if not isinstance(label, BinaryLabel):
        return
    text = canonical_text(unquoted(label.parts.operand))
    yield text
    number = parse_number(text)
    if math.isfinite(number):
        yield from (canonical_text(repr(math.nextafter(number, end))) for end in (-math.inf, math.inf))

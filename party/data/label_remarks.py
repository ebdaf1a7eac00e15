"""What the owner should know of labels that can be read, and probably not as meant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from party.configuration.canonical_text import canonical_text
from party.configuration.labels import BinaryLabel, Labels
from party.data.kinds.cells import exact_number, parse_number, read_cells
from party.data.known_labels import EQUALITIES
from party.data.text_columns import TextColumns


def label_remarks(labels: Labels, columns: TextColumns) -> Iterator[str]:
    """Finds rules that compare numbers with cells of which a few are none, such as NA.

    Args:
        labels: labels by name.
        columns: columns, among them those of the labels.

    Yields:
        A sentence for each such label; it counts rows and shows no cell.
    """
    for name, label in labels.items():
        if not isinstance(label, BinaryLabel):
            continue
        _, sign, operand = label.parts
        if sign not in EQUALITIES or exact_number(canonical_text(operand)) is None:
            continue
        cells = read_cells(columns[label.source], (), "")
        wrong = np.isnan([parse_number(cell) for cell in cells.texts]) & ~cells.missing
        rows, others = cells.row_count(~cells.missing), cells.row_count(wrong)
        if others and 2 * others < rows:
            yield (
                f"label {name}: {others:,} of {rows:,} rows hold no number, and are"
                f" {'negative' if sign == '==' else 'positive'} by the rule: leave their cells empty if they have no"
                " label, or put the rule's value in quotes to compare texts"
            )

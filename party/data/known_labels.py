"""Rows whose labels are known, among rows of which some have none yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from party.configuration.features import DataSection
from party.configuration.labels import AnyLabel, BinaryLabel, Labels
from party.data.table import Table
from party.data.text_columns import TextColumns
from party.errors import DataError

_QUOTES = ("'", '"')
EQUALITIES = ("==", "!=")
_FIX = "correct the file, or set data.unlabelled_rows: drop to leave out rows whose label is empty"


def rows_with_labels(labels: Labels, columns: TextColumns) -> NDArray[np.bool_]:
    """Which rows have every label: an empty cell is none, unless a rule compares with the empty text.

    Args:
        labels: labels by name.
        columns: columns, among them those of the labels.

    Returns:
        bool (rows,).
    """
    known = np.ones(columns.count, np.bool_)
    for label in labels.values():
        if not takes_empty(label):
            known &= ~columns[label.source].holds("")
    return known


def takes_empty(label: AnyLabel) -> bool:
    """Whether an empty cell is one of the label's values, by a rule such as `cancelled != ''`."""
    if not isinstance(label, BinaryLabel):
        return False
    _, sign, operand = label.parts
    return sign in EQUALITIES and unquoted(operand) == ""


def unquoted(operand: str) -> str:
    """The value of a rule without the quotes that make it a text."""
    quoted = len(operand) > 1 and operand[0] in _QUOTES and operand[0] == operand[-1]
    return operand[1:-1] if quoted else operand


def without_unlabelled_rows(party: str, data: DataSection, table: Table) -> Table:
    """Leaves the rows that lack a label out of a table that is trained on, where the owner says so.

    Nothing that comes after it sees these rows, the alignment included: peers cannot tell them from rows that this
    party does not have, and a run equals one on a file without them.

    Args:
        party: name of this party, for errors.
        data: the party's data section, with at least one label.
        table: a dataset that may be trained on, with the columns of the labels.

    Returns:
        The table, with the rows that are left.

    Raises:
        DataError: no row has all labels.
    """
    if data.unlabelled_rows == "refuse":
        return table
    known = rows_with_labels(data.labels, table.columns)
    if not known.any():
        raise DataError(
            "no row has a label to train on",
            where=f"{party}: {table.path.name}",
            expected="rows with every label of data.labels",
            received=f"{len(known)} rows without",
            fix=f"name the dataset in data.unlabelled, or leave it out of policy.training_datasets: {table.dataset}",
            public_message=f"no row of dataset {table.dataset} has a label to train on",
        )
    return table.with_rows(known)


def advice_on_empty(labels: Labels, columns: TextColumns) -> str:
    """What to do about labels that cannot be read; empty where no label is empty.

    Args:
        labels: labels by name.
        columns: columns, among them those of the labels.
    """
    return "" if rows_with_labels(labels, columns).all() else _FIX

"""Refuses negatives that do not fit the rest of a party's configuration."""

from __future__ import annotations

from party.configuration.features import DataSection
from party.configuration.labels import BinaryLabel, Labels
from party.configuration.negatives import NegativesSection


def check_negatives(data: DataSection, *, holds_labels: bool, records: bool) -> None:
    """Refuses negatives that do not fit.

    Args:
        data: the party's data section.
        holds_labels: whether it is the label party.
        records: whether it keeps what audits read.

    Raises:
        ValueError: the text names the key.
    """
    negatives = data.negatives
    if negatives is None:
        return
    if not holds_labels:
        raise ValueError("data.negatives belongs to the label party only")
    if records:
        raise ValueError("audit.record and data.negatives: an audit reads the files, and drawn rows are in none")
    for name in negatives.datasets or ():
        if name not in data.datasets or name in data.unlabelled:
            raise ValueError(f"data.negatives names {name}, which is no dataset with labels")
    _check_labels(data.labels, negatives)
    _check_keys(data, negatives)


def _check_labels(labels: Labels, negatives: NegativesSection) -> None:
    for name, label in labels.items():
        if not isinstance(label, BinaryLabel):
            raise ValueError(f"data.negatives needs labels with two classes, and label {name} is {label.kind}")
        if label.privacy is not None:
            raise ValueError(
                f"data.negatives: label {name} has privacy, whose epsilon is for each row of the file, and a row that"
                " is drawn tells of another one; leave out one of the two"
            )
        if label.source in negatives.read:
            raise ValueError(f"data.negatives names column {label.source}, which is that of label {name}")


def _check_keys(data: DataSection, negatives: NegativesSection) -> None:
    moved = set(negatives.moved)
    if not data.joins:
        raise ValueError(
            "data.negatives needs data.joins: a drawn row is in no partner's file, and finds its columns there by keys."
            " Here, name the key in data.joins, which may be the id of the rows; at each partner, name the file in"
            " data.tables in place of data.datasets"
        )
    for join in data.joins:
        if moved & set(join.key) not in (set(), set(join.key)):
            raise ValueError(
                f"data.negatives: the key of the join with {join.peer} is partly the item's; name all or none of"
                f" {', '.join(join.key)} in item and columns"
            )
    for key, columns in {"data.id": data.id_columns, "data.sample_weight": (data.sample_weight,)}.items():
        found = sorted(moved.intersection(columns))
        if found:
            raise ValueError(f"data.negatives: column {found[0]} is that of {key}, and cannot be an item's")

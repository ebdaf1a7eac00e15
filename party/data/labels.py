"""Labels read from columns: classes by a rule or by name, and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from party.configuration.features import DataSection
from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel, RegressionLabel
from party.data.kinds.cells import Cells, parse_number, read_cells
from party.data.known_labels import advice_on_empty, rows_with_labels
from party.data.label_rules import LABELS, positive_texts, refuse_cells, refuse_texts
from party.data.text_columns import TextColumn, TextColumns
from party.errors import DataError

ONE_CLASS_FIX = (
    "check the label's rule; if the file lists only what happened, such as clicks, add rows for what did not: what was"
    " shown and not chosen or, without a record of that, items that data.negatives samples for each row"
)
WEIGHTS = "weights of rows are missing or malformed"


@dataclass(frozen=True, eq=False)
class LabelArrays:
    """The labels of all rows, one column for each.

    Attributes:
        values: 0 or 1, a number, or the index of a class; float32, shape (rows, labels). NaN in every column of a row
            that lacks a label.
        weights: weight of each row in the training loss of each label, float32, same shape; None if all are 1.
    """

    values: NDArray[np.float32] = field(repr=False)
    weights: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have all labels, bool (rows,)."""
        return np.asarray(~np.isnan(self.values).any(axis=1))


@dataclass(frozen=True)
class LabelNoise:
    """How a label was drawn.

    Attributes:
        replacement: probability with which a uniform symbol replaced the true one.
        symbols: number of classes of the label, or of levels of a number.
    """

    replacement: float
    symbols: int


@dataclass(frozen=True, eq=False)
class DrawnLabels:
    """Labels that were drawn at random from the true ones.

    Attributes:
        arrays: drawn classes, and targets whose expectation is the true number; class weights by the drawn class.
        noise: how each label was drawn, in the order of the labels.
    """

    arrays: LabelArrays
    noise: Mapping[str, LabelNoise]


@dataclass(frozen=True, eq=False)
class SessionLabels:
    """The labels of a session's rows.

    Attributes:
        true: the labels as they are in the file.
        drawn: drawn labels, from which everything is computed that leaves the party; None if no label is private.
    """

    true: LabelArrays
    drawn: DrawnLabels | None = None


def read_labels(
    party: str, data: DataSection, columns: TextColumns, source: str, *, weighted: bool = True
) -> LabelArrays:
    """Reads every label and the weights of the rows.

    Args:
        party: name of this party, for errors.
        data: the party's data section, with at least one label.
        columns: columns, among them those of the labels.
        source: name of their file, for errors.
        weighted: whether the rows have weights of their own where the owner gives any: only to train on them.

    Returns:
        The labels in the order of the configuration.

    Raises:
        ConfigurationError: a rule orders cells by a value that is no number.
        DataError: a label or weight is missing or malformed.
    """
    known = rows_with_labels(data.labels, columns) if data.unlabelled_rows == "drop" else np.ones(columns.count, bool)
    advice = "" if known.all() and data.unlabelled_rows == "drop" else advice_on_empty(data.labels, columns)
    values = np.full((columns.count, len(data.labels)), np.nan, np.float32)
    labelled = columns if known.all() else columns.take(np.flatnonzero(known))
    for place, label in enumerate(data.labels.values()):
        cells = read_cells(labelled[label.source], (), f"{party}: {source}: column {label.source}")
        read = _read_label(cells, label, advice)
        if known.all():
            values[:, place] = read
        else:
            values[known, place] = read
    weights = read_sample_weights(party, data, columns, source) if weighted else None
    return weighted_labels(data.labels, values, weights)


def check_classes(party: str, labels: Labels, values: NDArray[np.float32], source: str) -> None:
    """Refuses to train on rows of one class.

    Args:
        party: name of this party, for errors.
        labels: labels by name.
        values: labels of the rows to train on, float32 (rows, labels).
        source: name of their file, for errors.

    Raises:
        DataError: all rows have one class of a binary label without privacy, or a row has no label.
    """
    for place, label in enumerate(labels.values()):
        column = values[:, place]
        where = f"{party}: {source}: column {label.source}"
        if np.isnan(column).any():
            raise DataError(
                "rows to train on have no label",
                where=where,
                received=f"{int(np.isnan(column).sum())} rows without one",
                fix="restart `party serve` after a change of policy.training_datasets, then run `coordinator align`",
            )
        # Whether a session opens must not depend on private labels.
        if isinstance(label, BinaryLabel) and label.privacy is None and (column.all() or not column.any()):
            raise DataError(
                "labels have one class only",
                where=where,
                expected="rows of both classes to train on",
                received=f"{len(column)} rows of one class",
                fix=ONE_CLASS_FIX,
            )


def read_sample_weights(party: str, data: DataSection, columns: TextColumns, source: str) -> NDArray[np.float32] | None:
    """Reads the weights of the rows.

    Args:
        party: name of this party, for errors.
        data: the party's data section.
        columns: columns, among them that of the weights.
        source: name of their file, for errors.

    Returns:
        float32 (rows, 1); None if the rows have no weights.

    Raises:
        DataError: a weight is missing, malformed or below 0, or all are 0.
    """
    if data.sample_weight is None:
        return None
    if data.sample_weight not in columns:
        raise DataError(
            f"column {data.sample_weight} of data.sample_weight was not read",
            where=f"{party}: {source}",
            fix="restart `party serve` after a change of policy.training_datasets",
            public_message="the weights of rows were not read",
        )
    return _read_weights(columns[data.sample_weight], f"{party}: {source}", data.sample_weight)


def weighted_labels(
    labels: Labels, values: NDArray[np.float32], sample_weights: NDArray[np.float32] | None
) -> LabelArrays:
    """Weighs rows by their classes and their own weights.

    Args:
        labels: labels by name.
        values: float32 (rows, labels).
        sample_weights: float32 (rows, 1); None if the rows have no weights of their own.

    Returns:
        The labels with these weights.
    """
    if sample_weights is None and all(one == 1 for label in labels.values() for one in _weights_by_class(label)):
        return LabelArrays(values, None)
    weight = np.stack([_class_weights(one, values[:, place]) for place, one in enumerate(labels.values())], axis=1)
    if sample_weights is not None:
        weight = weight * sample_weights
    return LabelArrays(values, None if (weight == 1.0).all() else weight)


def label_balance(labels: NDArray[np.float32]) -> float:
    """Share of the positive class.

    Args:
        labels: 0 or 1, float32, shape (rows,), at least one row.

    Returns:
        From 0 to 1.
    """
    return float(labels.mean(dtype=np.float64))


def _read_label(cells: Cells, label: AnyLabel, advice: str) -> NDArray[np.float32]:
    """The values of a label, float32 (rows,); an error gives the advice."""
    match label:
        case BinaryLabel():
            return _read_binary(cells, label, advice)
        case RegressionLabel():
            return _read_numbers(cells, "a number in every row", advice)
        case MultiClassLabel():
            return _read_classes(cells, label, advice)


def _weights_by_class(label: AnyLabel) -> list[float]:
    """The weight of each class; none for a number."""
    match label:
        case BinaryLabel():
            return [label.class_weights.negative, label.class_weights.positive]
        case MultiClassLabel():
            return list(label.weights_by_class)
        case RegressionLabel():
            return []


def _class_weights(label: AnyLabel, values: NDArray[np.float32]) -> NDArray[np.float32]:
    by_class = _weights_by_class(label)
    if not by_class:
        return np.ones_like(values)
    return np.array(by_class, np.float32)[np.nan_to_num(values).astype(np.int32)]  # the weight of no label has no use


def _read_binary(cells: Cells, label: BinaryLabel, advice: str) -> NDArray[np.float32]:
    """1 for the positive class and 0 for the negative.

    `>`, `>=`, `<` and `<=` compare numbers. `==` and `!=` compare a cell with the rule's value as numbers if both are
    some, and else as canonical texts; the value may stand in quotes, which makes it a text. An empty cell has no label,
    unless the rule compares with the empty text.
    """
    return cells.by_row(positive_texts(cells, label.parts, advice).astype(np.float32))


def _read_numbers(cells: Cells, expected: str, advice: str, what: str = LABELS) -> NDArray[np.float32]:
    numbers = np.fromiter((parse_number(cell) for cell in cells.texts), dtype=np.float64, count=len(cells.texts))
    with np.errstate(over="ignore"):
        single = numbers.astype(np.float32)
    refuse_texts(cells, ~np.isfinite(single), expected, advice, what=what)
    return cells.by_row(single)


def _read_classes(cells: Cells, label: MultiClassLabel, advice: str) -> NDArray[np.float32]:
    place = label.places
    places = np.fromiter((place.get(cell, -1) for cell in cells.texts), dtype=np.int64, count=len(cells.texts))
    refuse_cells(cells, places < 0, f"one of the {len(label.classes)} classes in every row", advice)
    return cells.by_row(places.astype(np.float32))


def _read_weights(column: TextColumn, where: str, name: str) -> NDArray[np.float32]:
    """float32 (rows, 1)."""
    cells = read_cells(column, (), f"{where}: column {name}")
    weights = _read_numbers(cells, "a weight of at least 0 in every row", "check data.sample_weight", WEIGHTS)
    if (weights < 0).any() or not weights.any():
        received = f"{int((weights < 0).sum())} rows below 0" if weights.any() else "0 in every row"
        raise DataError(
            "weights of rows cannot be used",
            where=cells.where,
            expected="at least 0 in every row, and above 0 in one",
            received=received,
            fix="check data.sample_weight",
        )
    return weights[:, None]

"""What the values of a label are like, for its owner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel, RegressionLabel
from party.data.labels import ONE_CLASS_FIX, label_balance
from party.output.quantities import figure_text, share_text


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """One label of a dataset.

    Attributes:
        name: name of the label.
        kind: `binary`, `multi_class` or `regression`.
        source: the column, or the rule.
        rows: number of rows that have the label.
        positive_share: of a binary label, from 0 to 1; None without rows, and for others.
        is_refused: whether training refuses it, because all rows are of one class.
        mean: of a number; None without rows, and for others.
        deviation: of a number; None without rows, and for others.
        classes: number of configured classes of a label with several; None for others.
        classes_present: those that rows have.
    """

    name: str
    kind: str
    source: str
    rows: int
    positive_share: float | None = None
    is_refused: bool = False
    mean: float | None = None
    deviation: float | None = None
    classes: int | None = None
    classes_present: int | None = None

    @property
    def words(self) -> str:
        """The same in a line."""
        return f"label {self.name}, {self.source}: {self._found()}"

    def _found(self) -> str:
        if not self.rows:
            return "no row has one"
        if self.positive_share is not None:
            only = f", one class only: not to be trained on; {ONE_CLASS_FIX}" if self.is_refused else ""
            return f"{share_text(self.positive_share, 1)} positive{only}"
        if self.classes is not None:
            return f"{self.classes_present} of {self.classes} classes present"
        return f"mean {figure_text(self.mean or 0.0)}, deviation {figure_text(self.deviation or 0.0)}"


def facts_of_labels(labels: Labels, values: NDArray[np.float32]) -> Iterator[LabelFacts]:
    """Summarises the labels of a dataset.

    Args:
        labels: labels by name.
        values: float32 (rows, labels), NaN in rows that lack them.

    Yields:
        One summary for each label.
    """
    for place, (name, label) in enumerate(labels.items()):
        column = values[:, place]
        yield _facts(name, label, column[~np.isnan(column)])


def _facts(name: str, label: AnyLabel, values: NDArray[np.float32]) -> LabelFacts:
    rows = len(values)
    match label:
        case BinaryLabel():
            is_refused = bool(rows and label.privacy is None and (values.all() or not values.any()))
            share = label_balance(values) if rows else None
            source = label.rule if rows else label.source
            return LabelFacts(
                name=name, kind=label.kind, source=source, rows=rows, positive_share=share, is_refused=is_refused
            )
        case RegressionLabel():
            numbers = values.astype(np.float64)
            mean, deviation = (float(numbers.mean()), float(numbers.std())) if rows else (None, None)
            return LabelFacts(
                name=name, kind=label.kind, source=label.source, rows=rows, mean=mean, deviation=deviation
            )
        case MultiClassLabel():
            return LabelFacts(
                name=name,
                kind=label.kind,
                source=label.source,
                rows=rows,
                classes=len(label.classes),
                classes_present=len(np.unique(values)),
            )

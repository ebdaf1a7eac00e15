"""Predictions as a table: ids, and the model's predictions for every label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel
from party.cut.hidden import FloatArray
from party.models.scores import predictions


def prediction_table(rows: pd.Index[Any], labels: Labels, outputs: FloatArray | None) -> pd.DataFrame:
    """Makes the table that the label party writes.

    Args:
        rows: what names each row; the index has the name of the first column.
        labels: labels by name.
        outputs: outputs of all labels side by side, float32 (rows, outputs); None leaves all predictions empty.

    Returns:
        A column for each output: `probability`, `probability_CLASS` or `prediction`; with several labels, the
        label's name stands before it.
    """
    columns: dict[str, object] = {str(rows.name): rows}
    if outputs is None:
        outputs = np.full((len(rows), sum(label.units for label in labels.values())), np.nan, np.float32)
    start = 0
    for name, label in labels.items():
        values = predictions(label, outputs[:, start : start + label.units])
        start += label.units
        prefix = "" if len(labels) == 1 else f"{name}_"
        columns |= {prefix + column: one for column, one in _columns(label, values)}
    return pd.DataFrame(columns)


def _columns(label: AnyLabel, values: npt.NDArray[np.floating]) -> Iterator[tuple[str, npt.NDArray[np.floating]]]:
    match label:
        case BinaryLabel():
            yield "probability", values[:, 0]
        case MultiClassLabel():
            for place, one in enumerate(label.classes):
                yield f"probability_{one}", values[:, place]
        case _:
            yield "prediction", values[:, 0]

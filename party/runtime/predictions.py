"""Predictions as a table: ids, and the model's predictions for every label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel
from party.cut.hidden import FloatArray
from party.models.scores import predictions


def prediction_parts(
    name: str,
    rows: Iterable[Sequence[str]],
    labels: Labels,
    outputs: FloatArray | None,
    *,
    in_file: npt.NDArray[np.bool_],
) -> Iterator[bytes]:
    """Makes the file that the label party writes, part by part.

    Args:
        name: of the first column.
        rows: what names each row, some rows at a time.
        labels: labels by name.
        outputs: outputs of all labels side by side, float32 (rows, outputs); None leaves all predictions empty.
        in_file: which rows to write, bool (rows,).

    Yields:
        Lines of CSV with a column for each output: `probability`, `probability_CLASS` or `prediction`; with several
        labels, the label's name stands before it.
    """
    start = 0
    for block in rows:
        written = np.flatnonzero(in_file[start : start + len(block)])
        of_block = None if outputs is None else outputs[start : start + len(block)][written]
        table = _table(name, [block[place] for place in written.tolist()], labels, of_block)
        yield table.to_csv(index=False, header=start == 0).encode()
        start += len(block)


def _table(name: str, rows: Sequence[str], labels: Labels, outputs: FloatArray | None) -> pd.DataFrame:
    columns: dict[str, object] = {name: rows}
    if outputs is None:
        outputs = np.full((len(rows), sum(label.units for label in labels.values())), np.nan, np.float32)
    start = 0
    for label_name, label in labels.items():
        values = predictions(label, outputs[:, start : start + label.units])
        start += label.units
        prefix = "" if len(labels) == 1 else f"{label_name}_"
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

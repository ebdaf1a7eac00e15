"""Predictions that the label party wrote, beside the labels of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.configuration.labels import BinaryLabel
from party.configuration.party import PartyConfiguration
from party.data.labels import read_labels
from party.data.table import Table, read_table
from party.errors import ConfigurationError, DataError
from party.runtime.prediction_files import predictions_file
from party.runtime.tables import file_rules

PREDICT = "predict the dataset again: `coordinator predict`"


@dataclass(frozen=True, eq=False)
class PredictedLabel:
    """A label of two classes in the rows of a dataset that have one.

    Attributes:
        probabilities: predicted, of the positive class, float64 (rows,).
        labels: 0 or 1, float32 (rows,).
    """

    probabilities: npt.NDArray[np.float64] = field(repr=False)
    labels: npt.NDArray[np.float32] = field(repr=False)


def predicted_labels(configuration: PartyConfiguration, folder: Path, dataset: str) -> Mapping[str, PredictedLabel]:
    """Reads the predictions of a run for a dataset, and the labels of the same rows.

    Args:
        configuration: of the label party.
        folder: the run's folder.
        dataset: name of a dataset that was predicted.

    Returns:
        By name, the labels of two classes of which both occur.

    Raises:
        ConfigurationError: the dataset is not configured, or its rows have no ids.
        DataError: it was not predicted, or its file or its labels are not those of the predictions any more.
    """
    data, party = configuration.data, configuration.party
    if not configuration.holds_labels or dataset not in data.datasets or not data.id_name:
        raise ConfigurationError(
            "has no labels here that belong to ids", where=f"{party}: --curves {dataset}", expected="a dataset with ids"
        )
    path = folder / predictions_file(dataset, ())
    if not path.exists():
        raise DataError("was not predicted in this run", where=f"{party}: dataset {dataset}", fix=PREDICT)
    predicted = pd.read_csv(path, dtype=str, keep_default_na=False)
    sources = [label.source for label in data.labels.values()]
    files = configuration.files(dataset)
    table = read_table(party, dataset, files, columns=sources, rules=file_rules(configuration))
    frame = table.aligned(_rows_of(table, predicted.iloc[:, 0].tolist()))
    values = read_labels(party, data.model_copy(update={"sample_weight": None}), frame, table.path.name).values
    found = {}
    for place, (name, label) in enumerate(data.labels.items()):
        column = "probability" if len(data.labels) == 1 else f"{name}_probability"
        if not isinstance(label, BinaryLabel) or column not in predicted:
            continue
        known = ~np.isnan(values[:, place])
        truth = values[known, place]
        if len(np.unique(truth)) > 1:
            found[name] = PredictedLabel(predicted[column].to_numpy()[known].astype(np.float64), truth)
    return found


def _rows_of(table: Table, ids: Sequence[str]) -> npt.NDArray[np.int64]:
    place = {name: row for row, name in enumerate(() if table.ids is None else table.ids)}
    rows = np.fromiter((place.get(name, -1) for name in ids), np.int64, len(ids))
    if (rows < 0).any():
        raise DataError(
            "lacks rows that were predicted",
            where=table.path,
            received=f"{int((rows < 0).sum())} of {len(ids)} without one",
            fix=PREDICT,
        )
    return rows

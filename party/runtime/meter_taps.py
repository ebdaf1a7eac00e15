"""Puts meters on what leaves a party, as its owner configures them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from party.audit.meters.agreement import class_ceiling, private_ceiling
from party.audit.meters.column_meters import ColumnMeters
from party.audit.meters.folds import own_row_folds
from party.audit.meters.label_meters import LabelMeters
from party.audit.meters.targets import Target, of_classes, of_numbers
from party.channel.tap import Observer
from party.configuration.labels import Labels, MultiClassLabel, RegressionLabel
from party.configuration.private_labels import epsilon_of_a_row
from party.cut.hidden import FloatArray
from party.data.text_columns import TextColumn
from party.errors import DataError
from party.privacy.replacement import replacement_probability
from party.runtime.batch_setup import BatchSetup
from party.runtime.meter_file import MeterFile
from party.runtime.session_meters import MeterLimit, SessionMeters

BINARY_TEXTS = 2  # "0" and "1" are two classes, not numbers with a median


def session_meters(setup: BatchSetup) -> SessionMeters | None:
    """Makes the meters of a training session; None where the owner configured none.

    Args:
        setup: the session's setup.
    """
    opening, section = setup.opening, setup.opening.context.configuration.meters
    if not (section.labels or section.columns):
        return None
    rules = opening.grant.meters
    limit = None
    if rules.limits_labels:
        limit = MeterLimit(above=rules.label_above, refuse=rules.refuse_labels)
    if rules.limits_columns:
        limit = MeterLimit(above=rules.column_above, refuse=rules.refuse_columns)
    return SessionMeters(f"run {opening.run_id.hex()[:8]}", setup.schedule, limit, MeterFile(opening.folder))


def gradient_observers(
    meters: SessionMeters | None, setup: BatchSetup, labels: FloatArray, peers: Iterable[str]
) -> Mapping[str, Observer]:
    """Makes the observers of the gradients for each peer; none where there are no meters.

    Args:
        meters: the session's meters.
        setup: the label party's setup of the session.
        labels: true labels of all rows, float32 (rows, labels).
        peers: names of the feature parties.
    """
    if meters is None:
        return {}
    section = setup.opening.context.configuration.data.labels
    targets = [
        target
        for place, (name, label) in enumerate(section.items())
        for target in (
            of_numbers(name, labels[:, place])
            if isinstance(label, RegressionLabel)
            else of_classes(name, labels[:, place].astype(np.int64))
        )
    ]
    ceilings = _ceilings(section)
    return {peer: meters.watch(f"gradients for {peer}", LabelMeters(targets, len(labels), ceilings)) for peer in peers}


def _ceilings(labels: Labels) -> dict[str, float]:
    """The agreement that drawn labels allow, by label; empty where labels are not private.

    Several labels of a row are drawn together, and tell about each other: each is bounded by what all of them spend.
    """
    epsilon = epsilon_of_a_row(labels)
    if epsilon is None:
        return {}
    (only, *others) = labels.values()
    if isinstance(only, MultiClassLabel) and not others:
        return dict.fromkeys(labels, class_ceiling(replacement_probability(epsilon, len(only.classes))))
    return dict.fromkeys(labels, private_ceiling(epsilon))


def hidden_observers(meters: SessionMeters | None, setup: BatchSetup) -> Mapping[str, Observer]:
    """Makes the observer of this party's hiddens; none where there are no meters.

    Args:
        meters: the session's meters.
        setup: a feature party's setup of the session.

    Raises:
        DataError: a column is not in the file as it was read.
    """
    packed = setup.packed
    if meters is None or packed is None:
        return {}
    party = setup.opening.context.party
    columns = setup.rows.first.columns()
    targets: list[Target] = []
    for column in setup.opening.context.configuration.meters.columns:
        if column not in columns:
            raise DataError(
                f"column {column} is not read, so meters.columns cannot measure it",
                where=f"{party}: {setup.rows.source}",
                fix="add the dataset to policy.training_datasets, and restart `party serve`",
            )
        targets += column_targets(column, columns[column])
    folds = own_row_folds(*packed.whole())
    return {party: meters.watch("hiddens", ColumnMeters(targets, folds))}


def column_targets(name: str, cells: TextColumn) -> tuple[Target, ...]:
    """What the meters try to tell of a column: numbers where all cells that are not empty are, else texts.

    Args:
        name: name of the column.
        cells: text of each row; an empty one is missing in a column of numbers, and else a text like any other.
    """
    codes, texts = pd.factorize(cells.by_row(), sort=True)
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(np.float64)
    is_number = np.isfinite(numbers) | (np.asarray(texts) == "")
    if len(texts) > BINARY_TEXTS and is_number.all():
        return of_numbers(name, numbers[codes])
    return of_classes(name, codes)

"""A metric that labels leave undefined is NaN, where Keras has 0 or an arbitrary number."""

import math

import numpy as np
import pytest
from pydantic import TypeAdapter

from party.configuration.labels import Labels
from party.models.scores import Scores

ROWS = 6
BINARY = {"rule": "r > 3", "metrics": ["auc", "precision", "recall", "binary_accuracy"]}
NUMBER = {"kind": "regression", "column": "n", "metrics": ["r2_score", "mean_absolute_error"]}
CLASSES = {"kind": "multi_class", "column": "c", "classes": ["a", "b", "c"]}


def scores(**labels):
    return Scores(TypeAdapter(Labels).validate_python(labels), "bank")


def undefined(values):
    return {name for name, value in values.items() if math.isnan(value)}


@pytest.mark.parametrize(
    ("label", "output", "expected"),
    [
        (0.0, -1.0, {"auc", "precision", "recall"}),  # nothing is positive, and nothing was predicted to be
        (0.0, 1.0, {"auc", "recall"}),  # every prediction is wrong: a precision of 0
        (1.0, -1.0, {"auc"}),
        (1.0, 1.0, {"auc"}),
    ],
)
def test_rows_of_one_class(label, output, expected):
    one, labels = scores(liked=BINARY), np.full((ROWS, 1), label, np.float32)
    values = one(np.full((ROWS, 1), output, np.float32), labels)
    assert undefined(values) == expected
    assert values["binary_accuracy"] == float((output > 0) == (label > 0))
    assert set(one.undefined(labels)) == expected - {"precision"}


def test_rows_of_both_classes_leave_nothing_undefined():
    labels = (np.arange(ROWS) < 1).astype(np.float32)[:, None]
    values = scores(liked=BINARY)(np.full((ROWS, 1), -1.0, np.float32), labels)
    assert undefined(values) == set()
    assert values["precision"] == values["recall"] == 0.0


def test_each_of_several_labels_is_judged_by_its_own_rows():
    made = scores(liked=BINARY, price=NUMBER, kind=CLASSES)
    labels = np.stack([np.arange(ROWS) % 2, np.ones(ROWS), np.zeros(ROWS)], axis=1).astype(np.float32)
    values = made(np.zeros((ROWS, 5), np.float32), labels)
    assert undefined(values) == {"price_r2_score"} == set(made.undefined(labels))

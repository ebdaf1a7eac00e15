"""What is told of metrics where labels are drawn: names, values by Keras on true labels, and what is left out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from party.configuration.features import DataSection
from party.configuration.labels import Labels
from party.configuration.strict import validate
from party.data.drawn_labels import DrawSource, draw_labels
from party.models.corrected_metrics import CorrectedMetrics
from party.models.scores import Scores

ROWS = 6000
ERRORS = 4.5
IDS = [str(row) for row in range(ROWS)]
PRIVACY = {"epsilon": 2.0}
BINARY = {
    "rule": "a > 1",
    "metrics": ["auc", "precision", "recall", {"name": "BinaryAccuracy", "arguments": {"threshold": 0.7}}],
    "privacy": PRIVACY,
}
CLASSES = {
    "kind": "multi_class",
    "column": "c",
    "classes": ["u", "v", "w", "x", "y", "z"],
    "metrics": ["sparse_categorical_accuracy", {"name": "SparseTopKCategoricalAccuracy", "arguments": {"k": 2}}],
    "privacy": PRIVACY,
}
OWN = {**BINARY, "metrics": ["f1", "log_loss"]}
OWN_CLASSES = {**CLASSES, "metrics": ["log_loss"]}
NUMBER = {"kind": "regression", "column": "n", "privacy": {**PRIVACY, "minimum": 0.0, "maximum": 5.0}}


class Case:
    """A model that knows something about true labels, and labels that are drawn from these."""

    def __init__(self, **sections: dict[str, Any]) -> None:
        content = {"id": "ID", "datasets": {"train": "train.csv"}, "labels": sections}
        self.labels: Labels = validate(DataSection, content, "bank.yaml").labels
        self.scores = Scores(self.labels, "bank")
        generator = np.random.default_rng(3)
        truth, outputs = [], []
        for label in self.labels.values():
            if label.kind == "regression":
                truth.append(generator.uniform(0.0, 5.0, ROWS))
                outputs.append(truth[-1][:, None] + generator.normal(0.0, 0.5, (ROWS, 1)))
                continue
            count = 2 if label.kind == "binary" else label.units
            truth.append(generator.integers(0, count, ROWS))
            known = np.eye(count)[truth[-1]][:, 1:] if count == 2 else np.eye(count)[truth[-1]]
            outputs.append(np.round(2.0 * known + generator.normal(-1.0, 1.0, known.shape), 1))  # some are tied
        self.truth = np.stack(truth, axis=1).astype(np.float32)
        self.outputs = np.concatenate(outputs, axis=1).astype(np.float32)
        source = DrawSource(bytes(range(32)), 1)
        drawn = draw_labels(self.labels, self.truth, None, IDS, source=source)
        self.drawn, self.noise = drawn.arrays.values, drawn.noise
        self.metrics = CorrectedMetrics(self.labels, self.noise, self.scores)

    def told(self, **means: float) -> Mapping[str, float]:
        exact = {**means, **self.scores(self.outputs, self.drawn)}
        return self.metrics("train 0", self.outputs, self.drawn, exact)


@pytest.mark.parametrize(
    "section", [BINARY, CLASSES, OWN, OWN_CLASSES], ids=["binary", "classes", "own", "own, classes"]
)
def test_told_metrics_are_those_of_true_labels_within_their_errors(section: dict[str, Any]) -> None:
    case = Case(one=section)
    told, true, drawn = case.told(), case.scores(case.outputs, case.truth), case.scores(case.outputs, case.drawn)
    assert list(told) == [key for name in case.scores.names for key in (name, f"{name}_error")]
    for name in case.scores.names:
        error = told[f"{name}_error"]
        assert 0 < error < 0.04
        assert abs(told[name] - true[name]) < ERRORS * error, name
        assert abs(drawn[name] - true[name]) > ERRORS * error, name  # so that the correction is seen


def test_top_k_accepts_all_classes_that_are_tied() -> None:
    case = Case(one=CLASSES)
    case.outputs[:] = 0.0
    told = case.told()
    assert told["sparse_top_kcategorical_accuracy"] == pytest.approx(1.0)
    assert told["sparse_top_kcategorical_accuracy_error"] == pytest.approx(0.0, abs=1e-6)


def test_losses_and_means_are_passed_on_as_they_are() -> None:
    told = Case(one=BINARY, two=NUMBER).told(loss=0.7, one_loss=0.3, two_loss=0.4, one_gradient_share=0.5)
    assert list(told) == [
        *("loss", "one_loss", "two_loss", "one_gradient_share"),
        *("one_auc", "one_auc_error", "one_precision", "one_precision_error", "one_recall", "one_recall_error"),
        *("one_binary_accuracy", "one_binary_accuracy_error"),
    ]
    assert [told[key] for key in list(told)[:4]] == [0.7, 0.3, 0.4, 0.5]


def test_metrics_without_a_correction_are_left_out() -> None:
    binary = {
        **BINARY,
        "metrics": [
            "FalsePositives",
            "binary_crossentropy",
            {"name": "AUC", "arguments": {"curve": "PR"}},
            {"name": "Precision", "arguments": {"thresholds": 0.9}},
        ],
    }
    number = {**NUMBER, "metrics": ["root_mean_squared_error", "mean_absolute_error", "R2Score", "mean_squared_error"]}
    case = Case(one=binary, two=number)
    assert case.metrics.left_out == (
        *("one_false_positives", "one_binary_crossentropy", "one_auc", "one_precision"),
        *("two_root_mean_squared_error", "two_mean_absolute_error", "two_r2_score"),
    )
    assert list(case.told(loss=1.0)) == ["loss", "two_mean_squared_error"]


def test_the_squared_error_of_a_number_exceeds_the_true_one_by_a_constant() -> None:
    """The same for every model: what two models differ by is told without bias."""
    case = Case(one={**NUMBER, "metrics": ["mean_squared_error"]})
    outputs = case.outputs
    excesses = []
    for case.outputs in (outputs, 0.5 * outputs, np.full_like(outputs, 2.0)):
        true = case.scores(case.outputs, case.truth)["mean_squared_error"]
        excesses.append(case.told()["mean_squared_error"] - true)
    noise = float((case.drawn - case.truth).std())
    assert min(excesses) > 0.5
    for excess, other in itertools.pairwise(excesses):
        assert abs(excess - other) < ERRORS * 2 * noise * float(outputs.std()) / np.sqrt(ROWS)


def test_an_area_that_cannot_be_estimated_is_told_as_undefined() -> None:
    """Under its name: every epoch of a history has the same metrics."""
    told = Case(one={**BINARY, "privacy": {"epsilon": 0.05}}).told(loss=0.7)
    undefined = {key for key, value in told.items() if math.isnan(value)}
    assert undefined == {"auc", "auc_error", "recall", "recall_error"}


def test_calibration_and_f1_are_those_of_true_labels_where_few_are_positive() -> None:
    """Estimates of many draws: they are right on average, and vary as their errors say."""
    case = Case(one={**BINARY, "metrics": ["calibration", "f1", "log_loss"]})
    generator = np.random.default_rng(5)
    case.truth = (generator.random((ROWS, 1)) < 0.2).astype(np.float32)
    case.outputs = (3.0 * case.truth - 2.0 + generator.normal(0.0, 1.0, (ROWS, 1))).astype(np.float32)
    true, estimates = case.scores(case.outputs, case.truth), []
    for generation in range(40):
        source = DrawSource(bytes(range(32)), generation + 1)
        case.drawn = draw_labels(case.labels, case.truth, None, IDS, source=source).arrays.values
        estimates.append(case.told())
    for name in ("calibration", "f1", "log_loss"):
        values = np.array([one[name] for one in estimates])
        error = float(np.mean([one[f"{name}_error"] for one in estimates]))
        assert abs(values.mean() - true[name]) < ERRORS * error / np.sqrt(len(values))
        assert 0.6 * error < values.std() < 1.5 * error
    assert abs(case.scores(case.outputs, case.drawn)["calibration"] - true["calibration"]) > 0.1

"""Figures and their bounds, for the losses and metrics of Keras, with outputs of any kind in one row."""

import math

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from party.configuration.labels import Labels
from party.models.bounded_metrics import LEAST_CLASS_ROWS, BoundedMetrics
from party.models.losses import TaskLosses
from party.models.scores import Scores

ROWS = 40
BINARY = {
    "rule": "a > 1",
    "metrics": ["auc", "binary_accuracy", "binary_crossentropy", "precision", "recall", "FalsePositives"],
}
FOCAL = {
    "rule": "a > 1",
    "loss": "binary_focal_crossentropy",
    "metrics": [{"name": "AUC", "arguments": {"curve": "PR"}}],
}
CLASSES = {
    "kind": "multi_class",
    "column": "c",
    "classes": ["x", "y", "z"],
    "metrics": ["sparse_categorical_accuracy", "SparseTopKCategoricalAccuracy", "sparse_categorical_crossentropy"],
}
NUMBER = {
    "kind": "regression",
    "column": "n",
    "metrics": ["root_mean_squared_error", "mean_absolute_error", "LogCoshError", "R2Score"],
}
HUBER = {"kind": "regression", "column": "n", "loss": "huber", "metrics": ["MeanAbsolutePercentageError"]}
CASES = {
    "binary": {"one": BINARY},
    "focal": {"one": FOCAL},
    "classes": {"one": CLASSES},
    "number": {"one": NUMBER},
    "huber": {"one": HUBER},
    "several": {"one": {**BINARY, "weight": 2.0}, "two": CLASSES, "three": NUMBER},
}
TOLD = {
    "binary": ["loss", "auc", "binary_accuracy", "binary_crossentropy"],
    "focal": ["loss"],
    "classes": [
        "loss",
        "sparse_categorical_accuracy",
        "sparse_top_kcategorical_accuracy",
        "sparse_categorical_crossentropy",
    ],
    "number": ["loss", "root_mean_squared_error", "mean_absolute_error", "log_cosh_error"],
    "huber": ["loss", "mean_absolute_percentage_error"],
}
LEFT_OUT = {
    "binary": ("precision", "recall", "false_positives"),
    "focal": ("auc",),
    "classes": (),
    "number": ("r2_score",),
    "huber": (),
    "several": ("one_precision", "one_recall", "one_false_positives", "three_r2_score"),
}


class Case:
    def __init__(self, sections):
        self.labels = TypeAdapter(Labels).validate_python(sections)
        self.scores = Scores(self.labels, "bank")
        self.metrics = BoundedMetrics(self.labels, TaskLosses(self.labels, False, "bank"), self.scores)
        self.units = sum(label.units for label in self.labels.values())

    def figures(self, outputs, labels):
        return self.metrics(outputs, labels, self.scores(outputs, labels))

    def draw_labels(self, generator, rows):
        kinds = {"binary": (0, 2), "multi_class": (0, 3)}
        columns = [
            generator.integers(*kinds[label.kind], rows) if label.kind in kinds else generator.normal(3.0, 1.0, rows)
            for label in self.labels.values()
        ]
        return np.stack(columns, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def cases():
    return {name: Case(sections) for name, sections in CASES.items()}


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # of infinite outputs
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    output=st.sampled_from([0.0, 1.0, -3.0, 60.0, -60.0, 3e38, math.inf, -math.inf, math.nan]),
)
def test_another_row_moves_each_figure_by_its_bound_at_most(cases, name, seed, output):
    case, generator = cases[name], np.random.default_rng(seed)
    outputs = generator.normal(0.0, 2.0, (ROWS, case.units)).astype(np.float32)
    labels = case.draw_labels(generator, ROWS)
    other_outputs, other_labels = outputs.copy(), labels.copy()
    other_outputs[7], other_labels[7] = output, case.draw_labels(generator, 1)[0]
    one, two = case.figures(outputs, labels), case.figures(other_outputs, other_labels)
    undefined = [{key for key, figure in figures.items() if math.isnan(figure.value)} for figures in (one, two)]
    assume(undefined[0] == undefined[1])  # else a class has too few rows for an area
    assert set(one) == set(two)
    for key, figure in one.items():
        if key in undefined[0]:
            continue
        bound = max(figure.bound, two[key].bound)
        same_scale = math.isclose(figure.bound, two[key].bound) or key.endswith("auc")
        assert math.isfinite(two[key].value)
        assert not same_scale or abs(figure.value - two[key].value) <= bound * (1 + 1e-4), key


@pytest.mark.parametrize("name", TOLD)
def test_what_is_told_and_what_is_left_out(cases, name):
    case, generator = cases[name], np.random.default_rng(0)
    labels = case.draw_labels(generator, ROWS)
    assert list(case.figures(np.zeros((ROWS, case.units), np.float32), labels)) == TOLD[name]
    assert case.metrics.left_out == LEFT_OUT[name]


def test_several_labels_have_a_loss_each_and_a_weighted_sum(cases):
    case, generator = cases["several"], np.random.default_rng(0)
    outputs = generator.normal(0.0, 1.0, (ROWS, case.units)).astype(np.float32)
    figures = case.figures(outputs, case.draw_labels(generator, ROWS))
    for what in ("value", "bound"):
        parts = [getattr(figures[f"{name}_loss"], what) for name in ("one", "two", "three")]
        assert getattr(figures["loss"], what) == pytest.approx(2 * parts[0] + parts[1] + parts[2])
    assert case.metrics.left_out == LEFT_OUT["several"]


def test_figures_are_those_of_keras_where_no_row_is_beyond_the_limit(cases):
    case, generator = cases["binary"], np.random.default_rng(0)
    outputs = generator.normal(0.0, 1.0, (ROWS, 1)).astype(np.float32)
    labels = case.draw_labels(generator, ROWS)
    figures = case.figures(outputs, labels)
    exact = case.scores(outputs, labels)
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(labels, outputs).numpy()
    assert figures["loss"].value == pytest.approx(float(expected), rel=1e-6)
    assert figures["binary_crossentropy"].value == pytest.approx(exact["binary_crossentropy"], rel=1e-5)
    assert figures["auc"].value == exact["auc"]
    number = cases["number"]
    labels = number.draw_labels(generator, ROWS)
    outputs = labels + 0.1
    figures, exact = number.figures(outputs, labels), number.scores(outputs, labels)
    assert figures["root_mean_squared_error"].root
    assert figures["root_mean_squared_error"].value == pytest.approx(exact["root_mean_squared_error"] ** 2, rel=1e-4)
    assert figures["mean_absolute_error"].value == pytest.approx(exact["mean_absolute_error"], rel=1e-4)


@given(st.floats(width=32), st.integers(0, 100))
@settings(max_examples=12, deadline=None)
def test_whoever_chooses_outputs_does_not_choose_the_limit_of_a_loss_of_numbers(cases, output, seed):
    case, generator = cases["number"], np.random.default_rng(seed)
    labels = case.draw_labels(generator, ROWS)
    honest = case.figures(np.zeros((ROWS, 1), np.float32), labels)
    crafted = case.figures(np.full((ROWS, 1), output, np.float32), labels)
    assert {key: one.bound for key, one in crafted.items()} == {key: one.bound for key, one in honest.items()}


def test_an_area_over_few_rows_of_a_class_is_not_told(cases):
    outputs = np.arange(ROWS, dtype=np.float32)[:, None]
    for positives, told in ((LEAST_CLASS_ROWS, True), (LEAST_CLASS_ROWS - 1, False), (0, False)):
        labels = (np.arange(ROWS) < positives).astype(np.float32)[:, None]
        assert math.isfinite(cases["binary"].figures(outputs, labels)["auc"].value) is told


def test_numbers_that_are_all_the_same_have_no_scale(cases):
    figures = cases["number"].figures(np.zeros((ROWS, 1), np.float32), np.ones((ROWS, 1), np.float32))
    assert figures
    assert all(math.isnan(one.value) for one in figures.values())

"""Figures and their bounds, for the losses and metrics of Keras, with outputs of any kind in one row."""

import itertools
import math

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from party.configuration.labels import Labels
from party.metrics.released_metrics import release_figure, release_rounded
from party.models.bounded_metrics import BoundedMetrics
from party.models.bounded_row_metrics import LEAST_CLASS_ROWS
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
OWN = {"rule": "a > 1", "metrics": ["f1", "pr_auc", "log_loss", "calibration", "calibration_error"]}
OWN_CLASSES = {**CLASSES, "metrics": ["log_loss", "calibration_error"]}
BY_USER = [
    {"name": "grouped_auc", "by": "user"},
    *({"name": one, "by": "user", "k": 2} for one in ("hit_rate", "ndcg")),
]
CASES = {
    "binary": {"one": BINARY},
    "own": {"one": OWN},
    "own, classes": {"one": OWN_CLASSES},
    "focal": {"one": FOCAL},
    "classes": {"one": CLASSES},
    "number": {"one": NUMBER},
    "huber": {"one": HUBER},
    "several": {"one": {**BINARY, "weight": 2.0}, "two": CLASSES, "three": NUMBER},
}
TOLD = {
    "own": ["loss", "f1", "pr_auc", "log_loss", "calibration", "calibration_error"],
    "own, classes": ["loss", "log_loss", "calibration_error"],
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
    "own": (),
    "own, classes": (),
    "binary": ("precision", "recall", "false_positives"),
    "focal": ("auc",),
    "classes": (),
    "number": ("r2_score",),
    "huber": (),
    "several": ("one_precision", "one_recall", "one_false_positives", "three_r2_score"),
}


class Case:
    def __init__(self, sections, least_groups=1):
        self.labels = TypeAdapter(Labels).validate_python(sections)
        self.scores = Scores(self.labels, "bank")
        losses = TaskLosses(self.labels, False, "bank")
        self.metrics = BoundedMetrics(self.labels, losses, self.scores, least_groups=least_groups)
        self.units = sum(label.units for label in self.labels.values())

    def figures(self, outputs, labels, groups=None):
        return self.metrics(outputs, labels, self.scores(outputs, labels, groups=groups), groups=groups)

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
        same_scale = math.isclose(figure.bound, two[key].bound) or name in ("binary", "own")
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


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("rows", "passes", "some"), [(150, 900, False), (1_000, 3, True), (20_000, 10, True)])
def test_figures_too_coarse_to_tell_anything_are_withheld_whatever_the_outputs(cases, name, rows, passes, some):
    case, generator = cases[name], np.random.default_rng(0)
    labels = case.draw_labels(generator, rows)
    release = release_rounded(case.metrics, lambda _: lambda _: 0.999, passes)
    withheld = set()
    for scale in (0.0, 1.0, 20.0):
        outputs = generator.normal(0.0, 1.0, (rows, case.units)).astype(np.float32) * np.float32(scale)
        told = release("pass", outputs, labels, case.scores(outputs, labels))
        withheld.add(frozenset(key for key, value in told.items() if value is None))
    assert len(withheld) == 1, "follows from rows, passes and labels"
    assert (withheld != {frozenset(told)}) == some
    assert rows < 20_000 or withheld == {frozenset()}


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


@pytest.mark.parametrize("positives", [LEAST_CLASS_ROWS, 20, 30])
def test_the_worst_rows_reach_no_further_than_their_bounds(cases, positives):
    """One row at the top or the bottom of all, of either class, where it does the most."""
    case = cases["own"]
    labels = (np.arange(ROWS) < positives).astype(np.float32)[:, None]
    for ranked, row in itertools.product((1.0, -1.0, 0.0), (0, ROWS - 1)):
        outputs = (ranked * np.where(labels > 0, 2.0, -2.0)).astype(np.float32)
        every = []
        for label, output in itertools.product((0.0, 1.0), (-30.0, 0.0, 30.0)):
            changed_outputs, changed_labels = outputs.copy(), labels.copy()
            changed_outputs[row], changed_labels[row] = output, label
            every.append(case.figures(changed_outputs, changed_labels))
        for one, two in itertools.combinations(every, 2):
            for key, figure in one.items():
                moved = abs(figure.value - two[key].value)
                assert math.isnan(moved) or moved <= max(figure.bound, two[key].bound) * (1 + 1e-6), key


GROUPS = 30


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([-9.0, 0.0, 9.0, math.nan]))
@settings(max_examples=60, deadline=None)
def test_another_user_moves_each_figure_of_users_by_its_bound_at_most(seed, largest, output):
    """All rows of one user get other labels and outputs: more than anybody can do who looks for one of its labels."""
    generator = np.random.default_rng(seed)
    case = Case({"one": {"rule": "a > 1", "metrics": BY_USER}})
    groups = np.repeat(np.arange(GROUPS), [largest, *generator.integers(2, 6, GROUPS - 1)]).astype(np.int32)[:, None]
    rows = len(groups)
    outputs = generator.normal(0.0, 2.0, (rows, 1)).round(1).astype(np.float32)
    labels = generator.integers(0, 2, (rows, 1)).astype(np.float32)
    other_outputs, other_labels, user = outputs.copy(), labels.copy(), groups == generator.integers(GROUPS)
    other_outputs[user] = generator.choice([output, 1.0], int(user.sum()))
    other_labels[user] = generator.integers(0, 2, int(user.sum()))
    one = case.figures(outputs, labels, groups)
    two = case.figures(other_outputs, other_labels, groups)
    for key in ("grouped_auc", "hit_rate_2", "ndcg_2"):
        moved = abs(one[key].value - two[key].value)
        assert math.isnan(moved) or moved <= max(one[key].bound, two[key].bound) * (1 + 1e-6), key


def test_figures_of_few_users_are_not_told():
    """As many users must count as the owner requires rows, however many rows each has."""
    labels, groups = np.tile([0.0, 1.0], 60).astype(np.float32)[:, None], np.arange(120, dtype=np.int32)[:, None] // 4
    outputs = np.arange(120, dtype=np.float32)[:, None]
    for least, told in ((30, True), (31, False)):
        case = Case({"one": {"rule": "a > 1", "metrics": BY_USER}}, least_groups=least)
        figures = case.figures(outputs, labels, groups)
        assert [math.isfinite(figures[key].value) for key in ("grouped_auc", "hit_rate_2", "ndcg_2")] == [told] * 3
        few = case.scores.with_few_groups(least, labels, groups)
        assert few == (set() if told else {"grouped_auc", "hit_rate_2", "ndcg_2"})


def test_whoever_chooses_outputs_reads_no_label_of_a_user_from_a_figure_of_users():
    """The attacker makes all outputs but those of one user tell nothing, and knows every other label.

    What is told of the two labels that the user may have then differs with a probability of an eighth at most.
    """
    case = Case({"one": {"rule": "a > 1", "metrics": BY_USER}})
    groups = np.arange(800, dtype=np.int32)[:, None] // 4
    labels = np.tile([0.0, 0.0, 1.0, 0.0], 200).astype(np.float32)[:, None]
    outputs = np.zeros((800, 1), np.float32)
    outputs[0] = 5.0
    figures = {}
    for label in (0.0, 1.0):
        labels[0] = label
        figures[label] = case.figures(outputs, labels, groups)
    for key in ("grouped_auc", "hit_rate_2", "ndcg_2"):
        no, yes = figures[0.0][key], figures[1.0][key]
        assert no.value != yes.value
        told = [
            [release_figure(one, one.units, lambda _, draw=draw: draw) for one in (no, yes)]
            for draw in np.arange(0.0, 1.0, 0.001)
        ]
        assert np.mean([one != two for one, two in told]) <= 1 / 8 + 0.001

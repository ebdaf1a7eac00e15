"""The project's own metrics against their definitions, examples that others published, and Keras."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from party.configuration.features import DataSection
from party.configuration.labels import Labels
from party.configuration.strict import validate
from party.errors import ConfigurationError
from party.metrics.average_precision import average_precision
from party.metrics.calibration import calibration_error, calibration_ratio
from party.metrics.classified_rows import f1, log_loss
from party.metrics.direction import Direction
from party.metrics.grouped_area import grouped_area
from party.metrics.groups import NO_GROUP, RankedGroups
from party.metrics.ranked_lists import discounted_gain, hit_rate
from party.models.scores import Scores
from tests.support import slow_metrics

BY_USER = [
    {"name": "grouped_auc", "by": "user"},
    *({"name": name, "by": "user", "k": 2} for name in ("hit_rate", "ndcg")),
]
BINARY = {"rule": "r > 3", "metrics": ["f1", "pr_auc", "log_loss", "calibration", "calibration_error", *BY_USER]}
CLASSES = {"kind": "multi_class", "column": "c", "classes": ["a", "b", "c"], "metrics": ["accuracy", "log_loss"]}
NUMBER = {"kind": "regression", "column": "n", "metrics": ["rmse", "mae", "mse", "r2"]}

grouped_rows = st.lists(st.tuples(st.integers(-2, 2), st.booleans(), st.integers(NO_GROUP, 3)), min_size=1, max_size=14)


def sections(**labels):
    return TypeAdapter(Labels).validate_python(labels)


def columns(rows):
    scores, labels, groups = (np.array(column) for column in zip(*rows, strict=True))
    return scores.astype(np.float32), labels.astype(np.float32), groups.astype(np.int32)


def few_orders(rows):
    """Rows whose orders can all be listed: at most five of a group."""
    kept, seen = [], {}
    for row in rows:
        seen[row[2]] = seen.get(row[2], 0) + 1
        if seen[row[2]] <= 5:
            kept.append(row)
    return kept


@given(grouped_rows)
def test_the_area_of_groups_is_the_mean_of_their_areas_by_rows(rows):
    scores, labels, groups = columns(rows)
    expected = slow_metrics.grouped_area(scores, labels, groups)
    assert grouped_area(RankedGroups(scores, labels, groups)) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(grouped_rows.map(few_orders), st.integers(1, 6))
def test_lists_with_ties_are_the_mean_over_all_orders(rows, k):
    scores, labels, groups = columns(rows)
    ranked = RankedGroups(scores, labels, groups)
    for fast, slow in ((hit_rate, slow_metrics.hit_rate), (discounted_gain, slow_metrics.discounted_gain)):
        expected = slow(scores, labels, groups, k)
        assert fast(ranked, k) == pytest.approx(expected, abs=1e-12, nan_ok=True), fast.__name__


@given(grouped_rows, st.randoms(use_true_random=False))
def test_nothing_depends_on_the_order_or_the_numbers_of_groups(rows, random):
    shuffled = [(score, label, group if group == NO_GROUP else 90 - group) for score, label, group in rows]
    random.shuffle(shuffled)
    one, two = RankedGroups(*columns(rows)), RankedGroups(*columns(shuffled))
    assert grouped_area(one) == pytest.approx(grouped_area(two), abs=1e-12, nan_ok=True)
    assert discounted_gain(one, 3) == pytest.approx(discounted_gain(two, 3), abs=1e-12, nan_ok=True)


def test_one_group_has_the_area_of_all_rows():
    generator = np.random.default_rng(1)
    scores, labels = generator.normal(size=200).round(1).astype(np.float32), generator.integers(0, 2, 200)
    ranked = RankedGroups(scores, labels.astype(np.float32), np.zeros(200, np.int32))
    expected = slow_metrics.area(list(zip(scores, labels, strict=True)))
    assert grouped_area(ranked) == pytest.approx(expected)


def test_hand_checked_groups():
    """Two users: 3 of 4 pairs in order over 4 rows, 0 of 1 over 2 rows; a third has only positive rows."""
    scores = np.array([0.1, 0.4, 0.35, 0.8, 0.9, 0.2, 0.5], np.float32)
    labels = np.array([0, 0, 1, 1, 0, 1, 1], np.float32)
    ranked = RankedGroups(scores, labels, np.array([0, 0, 0, 0, 1, 1, 2], np.int32))
    assert grouped_area(ranked) == pytest.approx((4 * 0.75 + 2 * 0.0) / 6)
    assert hit_rate(ranked, 1) == pytest.approx(2 / 3)
    assert hit_rate(ranked, 2) == 1.0
    # Orders by score: 1 0 1 0, then 0 1, then 1.
    first = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert discounted_gain(ranked, 4) == pytest.approx((first + 1 / math.log2(3) + 1) / 3)
    assert discounted_gain(ranked, 1) == pytest.approx((1 + 0 + 1) / 3)


def test_a_list_of_equal_scores_is_hit_as_often_as_by_chance():
    ranked = RankedGroups(
        np.zeros(1000, np.float32), (np.arange(1000) < 2).astype(np.float32), np.zeros(1000, np.int32)
    )
    assert hit_rate(ranked, 10) == pytest.approx(1 - (990 * 989) / (1000 * 999))


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30))
def test_average_precision_is_that_of_its_definition(rows):
    scores, labels = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    expected = slow_metrics.average_precision(scores.tolist(), labels.tolist())
    assert average_precision(scores, labels) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_examples_of_the_documentation_of_scikit_learn():
    truth = np.array([0, 0, 1, 1], np.float32)
    assert average_precision(np.array([0.1, 0.4, 0.35, 0.8]), truth) == pytest.approx(0.83, abs=0.005)
    spam = np.log([[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]])
    assert log_loss(spam, np.array([1, 0, 0, 1], np.float32)) == pytest.approx(0.21616, abs=1e-5)
    assert log_loss(spam[:, 1:] - spam[:, :1], np.array([1, 0, 0, 1], np.float32)) == pytest.approx(0.21616, abs=1e-5)
    predicted = np.array([0, 1, 0, 0, 1, 1], np.bool_)
    assert f1(predicted, np.array([0, 1, 1, 0, 0, 1], np.float32)) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_calibration_is_that_of_its_definition(rows):
    probabilities, labels = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    inside = np.abs(probabilities * 15 - np.round(probabilities * 15)) > 1e-9  # edges are a matter of rounding
    if inside.any():
        expected = slow_metrics.calibration_error(probabilities[inside], labels[inside])
        assert calibration_error(probabilities[inside], labels[inside]) == pytest.approx(expected, abs=1e-9)
    if labels.any():
        assert calibration_ratio(probabilities, labels) == pytest.approx(sum(probabilities) / sum(labels))


def test_a_model_that_is_right_as_often_as_it_says_has_no_error():
    probabilities = np.repeat([0.0, 0.25, 0.75, 1.0], 4)
    labels = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1], np.float64)
    assert calibration_error(probabilities, labels) == pytest.approx(0.0)
    assert calibration_ratio(probabilities, labels) == pytest.approx(1.0)


def test_scores_names_and_values():
    generator = np.random.default_rng(2)
    scores = Scores(sections(liked=BINARY), "bank")
    outputs = generator.normal(size=(60, 1)).round(1).astype(np.float32)
    labels = generator.integers(0, 2, (60, 1)).astype(np.float32)
    groups = generator.integers(0, 9, (60, 1)).astype(np.int32)
    values = scores(outputs, labels, groups=groups)
    names = ("f1", "pr_auc", "log_loss", "calibration", "calibration_error", "grouped_auc", "hit_rate_2", "ndcg_2")
    assert tuple(values) == scores.names == names
    probabilities, truth = 1 / (1 + np.exp(-outputs[:, 0].astype(np.float64))), labels[:, 0]
    assert values["pr_auc"] == pytest.approx(slow_metrics.average_precision(outputs[:, 0].tolist(), truth.tolist()))
    assert values["log_loss"] == pytest.approx(-np.log(np.where(truth > 0, probabilities, 1 - probabilities)).mean())
    assert values["calibration"] == pytest.approx(probabilities.sum() / truth.sum())
    assert values["grouped_auc"] == pytest.approx(slow_metrics.grouped_area(outputs[:, 0], truth, groups[:, 0]))
    found = ((outputs[:, 0] > 0) & (truth > 0)).sum()
    assert values["f1"] == pytest.approx(2 * found / ((outputs[:, 0] > 0).sum() + truth.sum()))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 0, 0, 0, 0, 0], {"f1", "pr_auc", "calibration", "grouped_auc", "hit_rate_2", "ndcg_2"}),
        ([1, 1, 1, 1, 1, 1], {"grouped_auc"}),
        ([1, 1, 1, 0, 0, 0], {"grouped_auc"}),  # each user has one class
        ([1, 0, 0, 0, 0, 0], set()),
    ],
)
def test_what_labels_leave_undefined_is_so_for_any_outputs(labels, expected):
    scores, groups = Scores(sections(liked=BINARY), "bank"), np.array([[0], [0], [0], [1], [1], [1]], np.int32)
    truth = np.array(labels, np.float32)[:, None]
    assert set(scores.undefined(truth, groups)) == expected
    for outputs in (np.zeros((6, 1), np.float32), np.arange(6, dtype=np.float32)[:, None] - 3):
        values = scores(outputs, truth, groups=groups)
        assert {name for name, value in values.items() if math.isnan(value)} == expected


def test_rows_without_a_group_are_in_no_figure_of_groups():
    scores, groups = Scores(sections(liked=BINARY), "bank"), np.full((4, 1), NO_GROUP, np.int32)
    labels = np.array([[0], [1], [0], [1]], np.float32)
    assert {"grouped_auc", "hit_rate_2", "ndcg_2"} == set(scores.undefined(labels, groups))


def test_accuracy_is_that_of_the_labels_kind():
    binary = {"rule": "r > 3", "metrics": ["accuracy", "binary_accuracy"]}
    classes = {**CLASSES, "metrics": ["accuracy", "sparse_categorical_accuracy"]}
    scores = Scores(sections(liked=binary, kind=classes), "bank")
    generator = np.random.default_rng(3)
    outputs = generator.normal(size=(50, 4)).astype(np.float32)
    labels = np.stack([generator.integers(0, 2, 50), generator.integers(0, 3, 50)], axis=1).astype(np.float32)
    values = scores(outputs, labels)
    right = (outputs[:, 0] > 0) == (labels[:, 0] > 0), outputs[:, 1:].argmax(axis=1) == labels[:, 1]
    for name, accuracy in (("liked", "binary_accuracy"), ("kind", "sparse_categorical_accuracy")):
        expected = float(right[name == "kind"].mean())
        assert values[f"{name}_accuracy"] == values[f"{name}_{accuracy}"] == pytest.approx(expected)


def test_several_classes_have_a_log_loss_and_a_calibration_error():
    scores = Scores(sections(kind={**CLASSES, "metrics": ["log_loss", "calibration_error"]}), "bank")
    generator = np.random.default_rng(4)
    outputs, labels = generator.normal(size=(40, 3)).astype(np.float32), generator.integers(0, 3, (40, 1))
    values = scores(outputs, labels.astype(np.float32))
    powers = np.exp(outputs.astype(np.float64))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    assert values["log_loss"] == pytest.approx(-np.log(probabilities[np.arange(40), labels[:, 0]]).mean())
    right = probabilities.argmax(axis=1) == labels[:, 0]
    expected = slow_metrics.calibration_error(probabilities.max(axis=1), right)
    assert values["calibration_error"] == pytest.approx(expected)


def test_which_values_of_every_metric_are_better():
    binary = {
        **BINARY,
        "metrics": [
            "auc",
            "accuracy",
            "precision",
            "recall",
            "TruePositives",
            "binary_crossentropy",
            *BINARY["metrics"],
        ],
    }
    number = {**NUMBER, "metrics": ["rmse", "mae", "r2"]}
    directions = Scores(sections(ctr=binary, price=number), "bank").directions
    larger = ("auc", "accuracy", "precision", "recall", "f1", "pr_auc", "grouped_auc", "hit_rate_2", "ndcg_2")
    smaller = ("loss", "binary_crossentropy", "log_loss", "calibration_error")
    assert directions == {
        "loss": Direction.SMALLER,
        "price_loss": Direction.SMALLER,
        **{f"ctr_{name}": Direction.LARGER for name in larger},
        **{f"ctr_{name}": Direction.SMALLER for name in smaller},
        **{"ctr_true_positives": Direction.UNKNOWN, "ctr_calibration": Direction.ONE},
        **{"price_rmse": Direction.SMALLER, "price_mae": Direction.SMALLER, "price_r2": Direction.LARGER},
    }


@pytest.mark.parametrize(
    ("label", "metrics", "text"),
    [
        (NUMBER, ["accuracy"], "accuracy counts rows whose class is right.*did you mean MeanAbsoluteError"),
        (NUMBER, ["f1"], r"f1 is no metric of a regression label; expected a label of kind binary"),
        (CLASSES, ["pr_auc"], "pr_auc is no metric of a multi_class label.*such as log_loss, calibration_error"),
        (BINARY, ["pr_acu"], r"pr_acu is not known here; expected one of .*grouped_auc.*did you mean pr_auc\?"),
        (BINARY, ["sparse_categorical_accuracy"], "sparse_categorical_accuracy is not known here"),
        (BINARY, ["f1", "F1Score"], "two metrics are named f1"),
    ],
)
def test_metrics_of_another_kind_are_refused(label, metrics, text):
    with pytest.raises(ConfigurationError, match=text):
        Scores(sections(task={**label, "metrics": metrics}), "bank")


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("grouped_auc", "grouped_auc needs by, the column whose equal cells make a group"),
        ({"name": "GAUC"}, "GAUC needs by"),
        ({"name": "ndcg", "by": "user"}, "ndcg needs k, the length"),
        ({"name": "ndcg", "k": 3}, "ndcg needs by"),
        ({"name": "ndcg", "by": "user", "k": 0}, "greater than or equal to 1"),
        ({"name": "auc", "by": "user"}, "by belongs to grouped_auc, hit_rate, ndcg, not to auc"),
        ({"name": "grouped_auc", "by": "user", "k": 3}, "k belongs to hit_rate, ndcg, not to grouped_auc"),
        ({"name": "f1", "arguments": {"threshold": 0.3}}, "f1 takes no arguments"),
        ({"name": "ndcg", "by": "user", "at": 3}, "at"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(metric, text):
    with pytest.raises(ValidationError, match=text):
        sections(liked={**BINARY, "metrics": [metric]})


def data(**label):
    content = {"id": "ID", "datasets": {"train": "t.csv"}, "unlabelled": [], "labels": {"liked": {**BINARY, **label}}}
    return validate(DataSection, content, "bank.yaml")


def test_the_column_of_groups_is_read_and_is_no_label():
    assert "user" in data().columns("train", trained_on=False)
    with pytest.raises(ConfigurationError, match="the label's column cannot make the groups of a metric"):
        data(rule="user > 3")


@pytest.mark.parametrize("metric", ["pr_auc", "calibration_error", *BY_USER])
def test_what_cannot_be_corrected_for_drawn_labels_is_refused_where_they_are_private(metric):
    with pytest.raises(ConfigurationError, match="does not follow from labels drawn at random"):
        data(metrics=[metric], privacy={"epsilon": 1.0})
    assert data(metrics=["f1", "log_loss", "calibration"], privacy={"epsilon": 1.0}).label_epsilon == 1.0

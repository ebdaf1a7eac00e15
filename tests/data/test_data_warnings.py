"""Each kind of warning where it belongs, and none where a dataset is as datasets are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from party.configuration.policy import PolicySection
from party.data.negatives import Negatives
from party.data.statistics.feature_warnings import WarningKind
from party.data.statistics.label_warnings import differing_labels, telling_features
from party.data.statistics.profiles import learn_profile
from party.data.statistics.quality import dataset_quality
from party.data.statistics.thresholds import FEWEST_ROWS
from tests.support.profiled import kinds, section, table

GENERATOR = np.random.default_rng(3)
CITIES = GENERATOR.choice(["Ulm", "Bonn", "Oslo", ""], 400).tolist()
INCOMES = [f"{value:.2f}" for value in GENERATOR.normal(3000, 800, 400)]
VOCABULARY = {"column": "x", "kind": "vocabulary"}
NUMERIC = {"column": "x", "kind": "numeric"}
HASH = {"column": "x", "kind": "hash", "buckets": 50}
BUCKETS = {"column": "x", "kind": "integer_buckets", "boundaries": [10, 20]}
DATES = {"column": "x", "kind": "datetime", "parts": ["month"]}
SET = {"column": "x", "kind": "multi_hot", "separator": "|"}
SCORES = GENERATOR.normal(size=400)
DAYS = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d").tolist()


@pytest.mark.parametrize(
    ("one", "cells", "expected"),
    [
        (VOCABULARY, CITIES, []),
        (NUMERIC, INCOMES, []),
        (HASH, CITIES, []),
        (DATES, DAYS, []),
        (SET, ["a|b", "b", "", "c"] * 100, []),
        (VOCABULARY, [""] * 100, ["dead"]),
        (NUMERIC | {"malformed": "missing"}, ["1.234,50", "99,90", "7,00"], ["dead"]),
        (VOCABULARY, ["a"] * 100, ["constant"]),
        (VOCABULARY, ["a"] * (FEWEST_ROWS - 1), []),
        (VOCABULARY, ["a", ""] * 50, []),
        (NUMERIC, ["7", "7.0", ""] * 40, ["constant"]),
        (NUMERIC | {"scaling": "none"}, ["7", ""] * 50, []),
        (NUMERIC | {"clip": [0, 5]}, ["7", "8"] * 50, ["constant"]),
        (BUCKETS, ["1", "2", "3"] * 40, ["constant"]),
        (DATES, ["2024-01-01"] * 100, ["constant"]),
        (SET, ["a|b"] * 100, ["constant"]),
        (VOCABULARY, [f"user{number}" for number in range(200)], ["identifier"]),
        (HASH, [f"user{number}" for number in range(200)], ["identifier"]),
        (VOCABULARY, [f"user{number % 90}" for number in range(200)], []),
        (VOCABULARY, [f"user{number}" for number in range(60)], []),
        (NUMERIC, list(range(1000, 1200)), ["identifier"]),
        (NUMERIC, [number**2 for number in range(200)], []),
        (NUMERIC, [number / 8 for number in range(200)], []),
        (VOCABULARY | {"values": ["x", "y"]}, CITIES, ["unknown"]),
        (VOCABULARY | {"minimum_count": 30}, [*["a"] * 90, *map(str, range(10))], []),
    ],
    ids=str,
)
def test_of_a_dataset_that_is_trained_on(one, cells, expected):
    assert kinds(one, cells) == expected


def test_a_table_may_have_a_text_of_its_own_in_each_row_but_no_number():
    assert kinds(VOCABULARY, [f"film{number}" for number in range(200)], tables=True) == []
    assert kinds(NUMERIC, list(range(200)), tables=True) == ["identifier"]
    assert kinds(VOCABULARY, ["a"] * 200, tables=True) == ["constant"]


@pytest.mark.parametrize(
    ("one", "training", "cells", "expected"),
    [
        (VOCABULARY, CITIES, CITIES[::-1], []),
        (VOCABULARY, ["3.0", "5.0", ""] * 100, ["3", "5", ""] * 100, []),
        (NUMERIC, INCOMES, INCOMES[:100], []),
        (DATES, DAYS[:200], DAYS[200:], []),
        (VOCABULARY, CITIES, [*CITIES[:75], *["Rom"] * 25], ["unknown"]),
        (HASH, CITIES, [*CITIES[:75], *["Rom"] * 25], ["unknown"]),
        (SET, ["a|b"] * 100, [*["a|x"] * 70, *["x|y"] * 30], ["unknown"]),
        (VOCABULARY, CITIES, [*CITIES[:85], *["Rom"] * 15], []),
        (VOCABULARY, CITIES, [*CITIES[:30], *["Rom"] * 19], []),
        (VOCABULARY, CITIES, [""] * 20, ["dead"]),
        (VOCABULARY, ["a", "b"] * 200, [*["a", "b"] * 100, *[""] * 100], ["missing_differs"]),
        (NUMERIC, INCOMES, [*INCOMES[:200], *[""] * 100], ["missing_differs"]),
        (NUMERIC, INCOMES, [f"{float(one) / 1000}" for one in INCOMES], ["numbers_differ"]),
        (NUMERIC, SCORES.tolist(), (SCORES * 100).tolist(), ["values_differ"]),
        (NUMERIC, INCOMES, [f"{float(one) + 100}" for one in INCOMES], []),
        (VOCABULARY, ["a", "b"] * 200, [*["a"] * 190, *["b"] * 10], ["values_differ"]),
        (BUCKETS, ["5", "15"] * 100, ["25", "15"] * 100, ["numbers_differ"]),
        (VOCABULARY, ["a", "b"] * 20, ["c"] * 400, []),
    ],
    ids=str,
)
def test_of_a_dataset_that_is_not_trained_on(one, training, cells, expected):
    assert kinds(one, training, cells) == expected


def labelled(labels, columns, values):
    data = section(
        *({"kind": "numeric" if name == "n" else "vocabulary", "column": name} for name in columns), labels=labels
    )
    made = table(data, columns)
    learned = learn_profile("bob", data, made)
    return [line.split()[1] for line in telling_features(learned.encoders, made, data.labels, values)]


BINARY = {"y": {"rule": "r == 1"}}
REGRESSION = {"y": {"kind": "regression", "column": "r"}}
CLASSES = {"y": {"kind": "multi_class", "column": "r", "classes": ["p", "q", "s"]}}
CODES = GENERATOR.integers(0, 3, 400)
CLASS = (CODES > 0).astype(np.float32)
NOISE = GENERATOR.normal(size=400)


@pytest.mark.parametrize(
    ("labels", "values", "column", "cells", "tells"),
    [
        (BINARY, CLASS, "x", np.where(CLASS, "yes", "no"), True),
        (BINARY, CLASS, "x", np.char.add("code", CODES.astype(str)), True),
        (BINARY, CLASS, "x", np.where(CLASS.astype(bool) ^ (np.arange(400) == 7), "yes", "no"), False),
        (BINARY, CLASS, "x", np.arange(400), False),
        (BINARY, CLASS, "x", GENERATOR.choice(["a", "b"], 400), False),
        (BINARY, CLASS, "n", 5 - 3 * CLASS, True),
        (BINARY, CLASS, "n", CLASS + NOISE.clip(-0.4, 0.4), True),
        (BINARY, CLASS, "n", -CLASS + NOISE.clip(-0.4, 0.4), True),
        (BINARY, CLASS, "n", CLASS + NOISE, False),
        (BINARY, np.where(CLASS, CLASS, np.nan), "n", CLASS, False),
        (BINARY, np.zeros(400, np.float32), "x", ["a"] * 400, False),
        (REGRESSION, NOISE, "n", 1000 - 7 * NOISE, True),
        (REGRESSION, NOISE + 1e6, "n", NOISE, False),
        (REGRESSION, NOISE, "n", np.round(NOISE, 1), False),
        (REGRESSION, NOISE, "n", ["" if number % 5 else value for number, value in enumerate(NOISE)], True),
        (REGRESSION, CODES, "x", np.char.add("code", CODES.astype(str)), True),
        (CLASSES, CODES, "x", np.char.add("code", (2 - CODES).astype(str)), True),
        (CLASSES, CODES, "n", CODES + NOISE.clip(-0.4, 0.4), False),
    ],
)
def test_a_feature_that_tells_the_label(labels, values, column, cells, tells):
    found = labelled(labels, {column: cells}, {"y": np.asarray(values, np.float32)})
    assert found == ([column] if tells else [])


def test_a_float32_label_far_from_zero_is_too_coarse_for_a_line_and_not_for_its_own_number():
    values = (NOISE + 1e6).astype(np.float32)
    assert labelled(REGRESSION, {"n": values.astype(float)}, {"y": values}) == ["n"]


@pytest.mark.parametrize(
    ("labels", "before", "now", "differs"),
    [
        (BINARY, CLASS, CLASS[:100], False),
        (BINARY, CLASS, np.ones(100), True),
        (BINARY, CLASS, np.ones(20), False),
        (BINARY, CLASS, np.where(np.arange(100) < 70, np.nan, 1), False),
        (REGRESSION, NOISE, NOISE[::-1], False),
        (REGRESSION, NOISE, NOISE + 2, True),
        (CLASSES, CODES, CODES[:200], False),
        (CLASSES, CODES, CODES[CODES > 0], True),
    ],
)
def test_a_label_that_differs(labels, before, now, differs):
    data = section(labels=labels)
    values = [{"y": np.asarray(some, np.float32)} for some in (before, now)]
    lines = list(differing_labels(data.labels, ("train", values[0]), values[1]))
    assert bool(lines) == differs
    assert all(line.startswith("label y: ") and "train" in line for line in lines)


def test_counts_of_a_dataset_are_those_of_its_warnings_and_cells():
    data = section(VOCABULARY, NUMERIC | {"column": "n"}, VOCABULARY | {"column": "z"})
    train = table(data, {"x": CITIES, "n": INCOMES, "z": ["a"] * 400})
    test = table(data, {"x": [*CITIES[:75], *["Rom"] * 25], "n": [""] * 100, "z": ["a"] * 100}, "test")
    own, beside = (dataset_quality("alice", data, one, compared=other) for one, other in ((train, None), (test, train)))
    assert (own.warnings, own.cells, own.unknown) == ({WarningKind.CONSTANT: 1}, 1200, 0)
    assert own.missing == CITIES.count("")
    assert (own.compared, own.compared_rows, beside.compared, beside.compared_rows) == (None, 0, "train", 400)
    assert beside.warnings == {WarningKind.DEAD: 1, WarningKind.UNKNOWN: 1}
    assert (beside.cells, beside.missing, beside.unknown) == (300, 100 + CITIES[:75].count(""), 25)


def test_drawn_rows_are_not_counted():
    data = section(VOCABULARY)
    made = table(data, {"x": CITIES})
    rows = np.arange(400)
    drawn = Negatives(per_positive=1, positives=100, file_rows=300, origin=rows, item_origin=rows)
    found, alone = (
        dataset_quality("bob", data, one, compared=None)
        for one in (replace(made, negatives=drawn), table(data, {"x": CITIES[:300]}))
    )
    assert found == alone


def test_the_default_of_the_policy_is_warnings():
    assert PolicySection().data_quality == "warnings"

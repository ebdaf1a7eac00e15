"""Statistics of features against pandas, and differences between datasets against what chance makes of them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.data.statistics.differences import mean_shift, shares_differ, variation_distance
from party.data.statistics.numbers import number_statistics
from party.data.statistics.thresholds import MISSING_DIFFERENCE, OUTLIER_RANGES
from tests.support.profiled import profile

ROWS = st.lists(st.integers(-50, 50).map(lambda number: number / 4) | st.none(), min_size=1, max_size=60)
CELLS = st.lists(st.sampled_from(["a", "b", "c", "d", "", "-"]), min_size=1, max_size=40)
DRAWS = 100
PLAIN_DISTANCE = 0.2


def statistics(rows):
    counted = pd.Series(rows, dtype=float).value_counts(dropna=False)
    return number_statistics(counted.index.to_numpy(dtype=float), counted.to_numpy(dtype=np.int64))


@given(rows=ROWS)
def test_numbers_are_those_of_pandas(rows):
    series, found = pd.Series(rows, dtype=float).dropna(), statistics(rows)
    if series.empty:
        assert found is None
        return
    lower, upper = series.quantile(0.25), series.quantile(0.75)
    reach = OUTLIER_RANGES * (upper - lower)
    outside = int(((series < lower - reach) | (series > upper + reach)).sum()) if upper > lower else 0
    assert (found.rows, found.distinct) == (len(series), series.nunique())
    assert (found.least, found.greatest) == (series.min(), series.max())
    assert found.mean == pytest.approx(series.mean(), abs=1e-12)
    assert found.deviation == pytest.approx(series.std(ddof=0), abs=1e-9)
    assert found.outliers == outside
    assert found.whole == (series % 1 == 0).all()
    expected = series.quantile([number / 10 for number in range(1, 10)]).to_numpy()
    nearest = np.abs(found.tenths[:, None] - expected[None]).min(axis=0)
    assert len(found.tenths) <= len(expected)
    assert nearest.max() < 1e-12


@given(rows=ROWS, others=ROWS)
def test_rows_by_tenth_are_those_of_pandas(rows, others):
    learned = statistics(rows)
    if learned is None:
        return
    edges = [-math.inf, *learned.tenths.tolist(), math.inf]
    expected = pd.cut(pd.Series(others, dtype=float), edges).value_counts(sort=False).tolist()
    counted = pd.Series(others, dtype=float).value_counts(dropna=False)
    found = learned.rows_by_tenth(counted.index.to_numpy(dtype=float), counted.to_numpy(dtype=np.int64))
    assert found.tolist() == expected


@pytest.mark.parametrize("kind", ["vocabulary", "hash"])
@given(training=CELLS, cells=CELLS)
def test_missing_and_unknown_cells_are_those_of_pandas(kind, training, cells):
    one = {"column": "x", "kind": kind, "missing": ["-"], **({"buckets": 3} if kind == "hash" else {})}
    given_, other = (pd.Series(list(some)).replace({"-": ""}) for some in (training, cells))
    found = profile(one, training, cells)
    assert (found.rows, found.missing) == (len(other), int((other == "").sum()))
    assert found.unknown == int((~other.isin(given_) & (other != "")).sum())
    assert found.distinct == cells_with_value(cells).nunique()
    own = profile(one, training)
    assert (own.unknown, own.missing) == (0, int((given_ == "").sum()))


def cells_with_value(cells):
    series = pd.Series(list(cells))
    return series[~series.isin(["", "-"])]


@pytest.mark.parametrize("kind", ["multi_hot", "sequence"])
@given(training=CELLS, cells=st.lists(st.lists(st.sampled_from("abcd"), max_size=3).map("|".join), min_size=1))
def test_a_cell_of_several_values_is_unknown_where_all_of_them_are(kind, training, cells):
    one = {"column": "x", "kind": kind, "separator": "|", **({"maximum_length": 3} if kind == "sequence" else {})}
    known = {value for value in training if value}
    found = profile(one, training, cells)
    values = [set(filter(None, cell.split("|"))) for cell in cells]
    assert found.unknown == sum(bool(some) and not some & known for some in values)
    assert found.missing == sum(not some for some in values)


def test_whole_numbers_in_two_notations_are_known(tmp_path):
    for one in ({"kind": "vocabulary"}, {"kind": "hash", "buckets": 100}):
        found = profile({"column": "segment", **one}, ["3.0", "5.0", ""], ["3", "5", "7"])
        assert (found.unknown, found.missing) == (1, 0)


@given(counts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_a_distance_is_half_of_the_differences_or_chance(counts):
    first, second = (np.array(one, np.int64) * 10_000 for one in zip(*counts, strict=True))
    rows = (int(first.sum()), int(second.sum()))
    found = variation_distance(first, second, rows=rows)
    if not all(rows):
        assert found == 0
        return
    expected = sum(abs(a / rows[0] - b / rows[1]) for a, b in zip(first, second, strict=True)) / 2
    assert found == pytest.approx(expected) if expected > 0.03 else found in (0, pytest.approx(expected))
    assert found == variation_distance(second, first, rows=rows[::-1])


@pytest.mark.parametrize("parts", [2, 20, 400])
def test_two_samples_of_one_distribution_do_not_differ(parts):
    """No pair of samples, of any size, counts as different, although plain distances are large."""
    generator, plain = np.random.default_rng(parts), 0
    for _ in range(DRAWS):
        rows = tuple(map(int, generator.integers(50, 400, 2)))
        shares = generator.dirichlet(np.ones(parts))
        first, second = (generator.multinomial(count, shares) for count in rows)
        assert variation_distance(first, second, rows=rows) == 0
        plain += np.abs(first / rows[0] - second / rows[1]).sum() / 2 > PLAIN_DISTANCE
        assert not shares_differ((int(first[0]), rows[0]), (int(second[0]), rows[1]), 0.0)
        numbers = [number_statistics(generator.normal(size=count), np.ones(count, np.int64)) for count in rows]
        assert mean_shift(*numbers) == 0
    assert plain >= {2: 0, 20: DRAWS / 20, 400: DRAWS / 2}[parts]


def test_what_is_different_enough_and_in_enough_rows_is_seen():
    assert shares_differ((0, 1000), (200, 1000), MISSING_DIFFERENCE)
    assert not shares_differ((0, 1000), (90, 1000), MISSING_DIFFERENCE), "too little"
    assert not shares_differ((0, 10), (2, 10), MISSING_DIFFERENCE), "too few rows"
    assert shares_differ((1000, 1000), (0, 1000), MISSING_DIFFERENCE)
    assert not shares_differ((1000, 1000), (500, 500), MISSING_DIFFERENCE), "all in both"
    rows = np.array([500, 500]), np.array([900, 100])
    assert variation_distance(*rows, rows=(1000, 1000)) == pytest.approx(0.4)
    assert variation_distance(*rows, rows=(20, 20)) == 0, "values of few rows"
    metres, feet = ([number * factor for number in range(100)] for factor in (1, 3.28))
    assert mean_shift(statistics(metres), statistics(feet)) == pytest.approx(49.5 * 2.28 / np.std(metres))
    assert mean_shift(statistics([5.0] * 100), statistics([6.0] * 100)) == 0, "no deviation to measure by"


@pytest.mark.parametrize("rows", [[1e308, -1e308] * 50, [1e308] * 99 + [0.0]], ids=["both signs", "far"])
def test_numbers_far_apart_do_not_fail(rows):
    found = statistics(rows)
    assert found.rows == 100
    assert mean_shift(found, statistics([1.0, 2.0] * 50)) == 0

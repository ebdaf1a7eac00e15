import json
import math
import traceback

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.data.encoders import encoders_from_json, fit_encoders
from party.errors import DataError, StorageError
from tests.support.columns import columns_of
from tests.support.encoding import CANARY, NUMBERS, TEXTS, encode, feature, frame

MIXED = (
    feature("hash", "text", buckets=50, salt="s", missing=("-",)),
    feature("vocabulary", "text", name="word", minimum_count=2, maximum_size=5),
    feature("vocabulary", "text", name="given", values=("b", "a")),
    feature("integer_buckets", "number", boundaries=(-5, 0, 7), malformed="missing"),
    feature("numeric", "number", name="standardised", malformed="missing"),
    feature("multi_hot", "text", name="parts", separator="a"),
    feature("numeric", "number", name="robust", malformed="missing", scaling="robust", clip_quantiles=(0.1, 0.9)),
    feature(
        "datetime",
        "number",
        name="time",
        malformed="missing",
        unit="seconds",
        parts=("hour", "age_days"),
        reference="2024-01-01",
    ),
)
ROWS = st.lists(st.tuples(TEXTS, NUMBERS | TEXTS), min_size=1, max_size=12)


def table(rows):
    return columns_of(pd.DataFrame(rows, columns=["text", "number"], dtype="str"))


def same(left, right):
    assert [(one.name, one.kind, one.size) for one in left] == [(one.name, one.kind, one.size) for one in right]
    for one, other in zip(left, right, strict=True):
        assert one.indices.tobytes() == other.indices.tobytes()
        assert one.values.tobytes() == other.values.tobytes()


@given(ROWS, st.data())
def test_permuted_rows_give_permuted_arrays(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    plain = fit_encoders("alice", MIXED, table(rows), "train.csv")
    permuted = fit_encoders("alice", MIXED, table(rows).take(np.array(order)), "train.csv")
    assert plain == permuted
    for one, other in zip(
        plain.encode(table(rows), "train.csv"),
        permuted.encode(table(rows).take(np.array(order)), "train.csv"),
        strict=True,
    ):
        assert one.indices[order].tobytes() == other.indices.tobytes()
        assert one.values[order].tobytes() == other.values.tobytes()


@given(ROWS, ROWS)
def test_a_row_is_encoded_for_itself_alone(training, rows):
    encoders = fit_encoders("alice", MIXED, table(training), "train.csv")
    together = encoders.encode(table(rows), "test.csv")
    for row, cells in enumerate(rows):
        for one, whole in zip(encoders.encode(table([cells]), "test.csv"), together, strict=True):
            assert one.indices[0].tolist() == whole.indices[row].tolist()
            assert one.values[0].tolist() == whole.values[row].tolist()


@given(ROWS, ROWS)
def test_json_restores_the_encoders(training, rows):
    encoders = fit_encoders("alice", MIXED, table(training), "train.csv")
    restored = encoders_from_json(encoders.to_json(), MIXED)
    assert restored == encoders
    assert restored.to_json() == encoders.to_json()
    same(restored.encode(table(rows), "test.csv"), encoders.encode(table(rows), "test.csv"))


def test_features_come_in_the_order_of_the_configuration():
    encoded = fit_encoders("alice", MIXED, table([("a", "1")]), "train.csv").encode(table([]), "test.csv")
    names = ["text", "word", "given", "number", "standardised", "parts", "robust", "time_hour", "time_age_days"]
    assert [one.name for one in encoded] == names
    assert [one.kind for one in encoded] == [*(one.kind for one in MIXED), "numeric"]
    assert all(len(one.indices) == 0 for one in encoded)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1f"), max_size=6),
    st.sampled_from(["integer_buckets", "numeric", "multi_hot"]),
)
def test_errors_hold_no_cell(text, kind):
    settings = {"integer_buckets": {"boundaries": (0,)}, "multi_hot": {"separator": ",", "maximum_values": 1}}
    cell = f"{CANARY},q,{CANARY}{text}"
    with pytest.raises(DataError) as caught:
        encode(feature(kind, **settings.get(kind, {})), [cell, "1"])
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert "received 1 rows" in str(caught.value)


def test_fitted_values_stay_out_of_representations():
    rows = [(CANARY, "1234567.25"), (CANARY, "1234567.25")]
    encoders = fit_encoders("alice", MIXED, table(rows), "train.csv")
    assert CANARY in encoders.to_json()
    assert "1234567.25" in encoders.to_json()
    assert CANARY not in repr(encoders)
    assert "1234567.25" not in repr(encoders)


def damage(state):
    """Ways in which a stored state can be wrong."""
    yield {**state, "version": 3}
    yield {**state, "more": 1}
    yield {key: value for key, value in state.items() if key != "party"}
    for position, change in [
        (0, {"kind": "numeric"}),
        (1, {"texts": [CANARY, CANARY]}),
        (1, {"texts": [CANARY, 5]}),
        (4, {"scale": {"centre": 1.5, "spread": 0.0}}),
        (4, {"scale": {"centre": CANARY, "spread": 1.0}}),
        (4, {"low": CANARY}),
        (5, {"width": 65}),
        (5, {"width": 0}),
        (5, {"texts": ["q", "q"]}),
        (7, {"scale": None}),
    ]:
        encoders = [dict(one) for one in state["encoders"]]
        encoders[position].update(change)
        yield {**state, "encoders": encoders}


def test_a_damaged_state_is_refused():
    text = fit_encoders("alice", MIXED, table([("a", "1"), ("b", "2")]), "train.csv").to_json()
    damaged = [json.dumps(state) for state in damage(json.loads(text))]
    for wrong in [*damaged, text[:-1], "", "[]", "null", text.replace('"centre":1.5', '"centre":NaN')]:
        assert wrong != text
        with pytest.raises(StorageError) as caught:
            encoders_from_json(wrong, MIXED)
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_state_for_other_features_is_refused():
    text = fit_encoders("alice", MIXED, table([("a", "1")]), "train.csv").to_json()
    changed = feature("hash", "text", buckets=51, salt="s", missing=("-",))
    with pytest.raises(StorageError, match="differing in text"):
        encoders_from_json(text, [changed, *MIXED[1:]])
    for others in (MIXED[:-1], [*MIXED, feature("numeric", "number", name="again")]):
        with pytest.raises(StorageError, match="differing in number"):
            encoders_from_json(text, others)


@given(st.lists(NUMBERS | st.sampled_from(["", "x", "?"]), min_size=1))
def test_missing_rows_agree_with_the_arrays(cells):
    features = [
        feature("integer_buckets", boundaries=(0,), malformed="missing", missing=("?",)),
        feature("hash", name="h", buckets=5, missing=("?",)),
        feature("numeric", name="n", malformed="missing", missing=("?", "x")),
    ]
    encoders = fit_encoders("alice", features, frame(cells), "train.csv")
    whole, hashed, numeric = (one.missing for one in encoders.counts(frame(cells), "train.csv"))
    buckets, hashes, _ = encoders.encode(frame(cells), "train.csv")
    assert whole == (buckets.indices == 0).sum()
    assert hashed == (hashes.indices == 0).sum()
    assert numeric == sum(cell in ("", "x", "?") for cell in cells)
    assert not math.isnan(encoders.encoders[2].scale.centre)


def test_negative_zero_is_zero():
    rows = [("", "0.000"), ("", "-0.000")]
    encoded = fit_encoders("alice", MIXED, table(rows), "train.csv").encode(table(rows), "train.csv")
    standardised = next(one for one in encoded if one.name == "standardised")
    assert standardised.values.tobytes() == bytes(2 * standardised.values.itemsize)

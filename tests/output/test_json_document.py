"""Results of commands as JSON: every type has one form, and nothing is written that a strict reader refuses."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.output.json_document import json_document, json_value


class State(StrEnum):
    IDLE = "idle"


@dataclass(frozen=True)
class Inner:
    share: float
    at: datetime


@dataclass(frozen=True)
class Outer:
    name: str
    inner: tuple[Inner, ...]
    where: Path
    digest: bytes
    state: State


def test_a_dataclass_becomes_an_object_in_the_order_of_its_fields():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = json_document("party x", Outer("é", (Inner(math.nan, moment),), Path("a/b"), b"\x01\xff", State.IDLE))
    assert text.isascii()
    assert list(json.loads(text).items()) == [
        ("command", "party x"),
        ("name", "é"),
        ("inner", [{"share": None, "at": "2026-01-02T03:04:05+00:00"}]),
        ("where", "a/b"),
        ("digest", "01ff"),
        ("state", "idle"),
    ]


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda key: key != "command"), plain))
def test_what_json_has_comes_back_as_it_was(content):
    assert json.loads(json_document("c", content)) == {"command": "c", **content}


@given(st.floats())
def test_a_float_that_is_not_finite_is_null(value):
    assert json_value(value) == (value if math.isfinite(value) else None)


@pytest.mark.parametrize("value", [object(), {1, 2}, Inner, 1j])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match="has no form in JSON"):
        json_value(value)


@pytest.mark.parametrize("result", [[1], "text", None])
def test_a_document_is_one_object(result):
    with pytest.raises(TypeError, match="needs an object"):
        json_document("c", result)

"""Nothing in a run configuration is without a bound, and what exceeds one is refused after little work."""

import re
import types
import typing

import pytest
from annotated_types import MaxLen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from party.configuration import strict
from party.configuration.extent import FILE_EXTENT, Extent, check_extent
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.configuration.strict import REPORTED_PROBLEMS, StrictModel, validate
from party.configuration.yaml_file import MAXIMUM_FILE_BYTES, read_yaml
from tests.support.bombs import BOMBS
from tests.support.configuration_cases import refusal, run

LONGEST_TEXT = 8000  # of an error: problems times their bound, and what joins them
SMALL = Extent(values=10, depth=3, text=5)


def is_bounded(metadata):
    """Whether constraints bound a length: a maximum, or a pattern that matches no text of any length."""
    for one in metadata:
        if isinstance(one, MaxLen):
            return True
        pattern = getattr(one, "pattern", None)
        if pattern is not None and re._parser.parse(pattern).getwidth()[1] < re._constants.MAXREPEAT:
            return True
        if is_bounded(getattr(one, "metadata", [])):
            return True
    return False


def unbounded(annotation, metadata, path):
    """Paths of texts, lists and mappings without a bound."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return unbounded(inner[0], [*metadata, *inner[1:]], path)
    if origin in (typing.Union, types.UnionType):
        return [found for one in inner for found in unbounded(one, metadata, path)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return [found for key, one in fields for found in unbounded(one.annotation, one.metadata, f"{path}.{key}")]
    below = [found for one in inner for found in unbounded(one, [], f"{path}[]")] if origin in (tuple, dict) else []
    if origin in (list, set, frozenset) or annotation in (list, dict, tuple, bytes, object, typing.Any):
        return [path]  # of what, nobody says
    needs_bound = annotation is str or origin in (tuple, dict)
    return [*below, path] if needs_bound and not is_bounded(metadata) else below


def test_every_text_list_and_mapping_of_a_run_configuration_has_a_bound():
    assert unbounded(RunConfiguration, [], "run") == []


def test_what_has_no_bound_is_noticed():
    class Open(StrictModel):
        text: str
        some: tuple[typing.Annotated[str, Field(max_length=3)], ...]
        texts: tuple[str, ...] = Field(max_length=3)
        mapping: dict[typing.Annotated[str, Field(pattern="^a+$")], int] = Field(max_length=3)
        choice: typing.Annotated[str, Field(pattern="^a{1,3}$")] | typing.Annotated[dict[str, int], Field()]
        anything: typing.Any
        number: int
        bounded: str = Field(max_length=3)

    found = unbounded(Open, [], "x")
    assert found == ["x.text", "x.some", "x.texts[]", "x.mapping[]", "x.choice[]", "x.choice", "x.anything"]


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_with_a_short_text(name):
    assert len(refusal(run_configuration_from_bytes, BOMBS[name])) < LONGEST_TEXT


@pytest.mark.parametrize("name", ["60 kB of unknown keys", "20,000 lists of the wrong kind", "nested 900 times"])
def test_a_bomb_never_reaches_the_validator(name, monkeypatch):
    validated = []
    monkeypatch.setattr("party.configuration.run.validate", lambda *arguments: validated.append(arguments))
    refusal(run_configuration_from_bytes, BOMBS[name])
    assert validated == []


def test_no_more_than_some_problems_are_described(monkeypatch):
    described = []
    original = strict.problem_text

    def count(model, problem):
        described.append(problem)
        return original(model, problem)

    monkeypatch.setattr(strict, "problem_text", count)
    text = refusal(validate, RunConfiguration, {**run(), **{f"key{number}": 1 for number in range(500)}}, "run")
    assert len(described) == REPORTED_PROBLEMS
    assert text.endswith("; and 490 more")


def test_a_long_key_is_cut():
    text = refusal(validate, RunConfiguration, {**run(), "k" * 100_000: 1}, "run")
    assert len(text) < 1000


nested = st.recursive(st.integers() | st.text(max_size=8), lambda one: st.lists(one) | st.dictionaries(st.text(), one))


def measure(content):
    """Values, keys included, depth and longest text of content, counted the plain way."""
    if not isinstance(content, dict | list):
        return 1, 0, len(content) if isinstance(content, str) else 0
    parts = [*content.keys(), *content.values()] if isinstance(content, dict) else content
    counts = [measure(one) for one in parts] or [(0, 0, 0)]
    return (
        1 + sum(one[0] for one in counts),
        1 + max(one[1] for one in counts),
        max(one[2] for one in counts),
    )


@given(nested)
def test_what_exceeds_a_bound_is_refused_and_nothing_else(content):
    values, depth, text = measure([content])
    fits = values - 1 <= SMALL.values and depth <= SMALL.depth and text <= SMALL.text
    if fits:
        check_extent([content], SMALL, "x")
    else:
        refusal(check_extent, [content], SMALL, "x")


def levels(line, count=9, width=10):
    """A YAML file whose every level names the one below several times."""
    lines = ["l0: &l0 {x: 1}"]
    lines += [line(number, ", ".join([f"*l{number - 1}"] * width)) for number in range(1, count)]
    return "\n".join(lines) + "\n"


YAML_BOMBS = {
    "aliases": (levels(lambda number, below: f"l{number}: &l{number} [{below}]"), "holds too many values"),
    "merged keys": (
        levels(lambda number, below: f"l{number}: &l{number} {{<<: [{below}], k{number}: 1}}"),
        "a key << is not taken",
    ),
    "a list that holds itself": ("a: &a [*a]\n", "is nested too deeply"),
    "nested": ("a: " + "[" * 100 + "]" * 100 + "\n", "is nested too deeply"),
    "a long text": ("a: " + "x" * (FILE_EXTENT.text + 1) + "\n", "holds too long a text"),
    "a long file": ("a: 1\n" + "#" * MAXIMUM_FILE_BYTES, "is too long"),
}


@pytest.mark.parametrize("name", YAML_BOMBS)
def test_yaml_bombs_are_refused(tmp_path, name):
    content, message = YAML_BOMBS[name]
    path = tmp_path / "bomb.yaml"
    path.write_text(content)
    assert message in refusal(read_yaml, path)


def test_aliases_of_an_honest_file_are_read(tmp_path):
    path = tmp_path / "party.yaml"
    path.write_text("base: &base {kind: hash, buckets: 8}\nfeatures: [*base, *base]\n")
    assert read_yaml(path)["features"] == [{"kind": "hash", "buckets": 8}] * 2

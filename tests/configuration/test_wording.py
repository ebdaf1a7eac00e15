"""No error of a configuration speaks pydantic's or Python's language: each says what to write."""

import itertools
import re
import types
import typing

import pytest
from pydantic import BaseModel, Field, create_model
from pydantic_core._pydantic_core import list_all_errors

from coordinator.configuration import CoordinatorConfiguration
from party.configuration import patterns
from party.configuration.examples import as_yaml, example
from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.configuration.schema import root
from party.configuration.strict import StrictModel, validate
from party.configuration.wording import problem_text
from party.configuration.yaml_file import read_yaml
from party.errors import ConfigurationError
from tests.support.configuration_cases import change, coordinator, feature_party, label_party, refusal, run

FILES = {
    "label party": (PartyConfiguration, label_party),
    "feature party": (PartyConfiguration, feature_party),
    "coordinator": (CoordinatorConfiguration, coordinator),
    "agreed": (RunConfiguration, run),
}
WRONG = [
    *("", "text", "1e-5", "yes", "~nobody-at-all/x", "$HOME/x", "x" * 2000, "- [", "\u202e"),
    *(0, -1, 3, 1.5, -0.5, 1e300, 2**70, float("inf"), float("nan"), True, False, None),
    *([], [None], ["a", "a"], [1, 2], [[1]], [{}], [{"kind": "x"}], ["a", 1, None]),
    *({}, {"a": 1}, {"kind": "x"}, {"kind": None}, {0: 1, 1: 5}, {True: 1}, {None: 1}, {"a": {"b": {"c": 1}}}),
    {"": ""},
]
FORBIDDEN = re.compile(
    r"Input should|tuple|dictionary|\binstance|\btag\b|discriminator|Keys should|Extra inputs|valid (string|integer|"
    r"number|boolean|list|dict)|pattern|\^\[|\(\?|\\[dSw]|Value error|Assertion|\bNone\b|NoneType|\bint\b|"
    r"\bstr\b|\bbool\b|\bdict\b|Unable to|parse string|after validation|pydantic|Field required|\[key\]|"
    r"[A-Z][a-z]+[A-Z]\w+"
)


def places(content, path=()):
    """The path of every value of a content."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield (*path, str(key))
        yield from places(value, (*path, str(key)))


def models_below(model):
    found, waiting = {}, [model]
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            if one not in found:
                found[one] = None
                waiting += [field.annotation for field in one.model_fields.values()]
        elif isinstance(one, types.GenericAlias | types.UnionType) or typing.get_origin(one) is not None:
            waiting += typing.get_args(one)
    return list(found)


MODELS = sorted({one for model, _ in FILES.values() for one in models_below(model)}, key=lambda one: one.__name__)
CLASS_NAMES = {one.__name__ for one in MODELS}


def check_text(text, path=None):
    for problem in text.split("; key ") if path is None else [text]:
        assert not FORBIDDEN.search(problem.replace(path or "", "")), problem
    assert not CLASS_NAMES & set(re.findall(r"\w+", text)), text


@pytest.mark.parametrize("file", ["label party", "coordinator", "agreed"])
def test_every_wrong_value_at_every_key_is_refused_in_words(file):
    """Every key of a file with every key, each with values of every kind."""
    model, make = FILES[file]
    refused = 0
    for place in places(make()):
        path = ".".join(place)
        for value in WRONG:
            content = make()
            section = content
            for part in place[:-1]:
                section = section[int(part) if isinstance(section, list) else part]
            section[int(place[-1]) if isinstance(section, list) else place[-1]] = value
            try:
                validate(model, content, "x.yaml")
            except ConfigurationError as error:
                refused += 1
                check_text(str(error), path)
                assert "\n" not in str(error)
    assert refused > 1000


@pytest.mark.parametrize("file", FILES)
def test_a_wrong_type_names_its_key_and_an_example(file):
    model, make = FILES[file]
    for place in places(make()):
        path = ".".join(place)
        content = make()
        section = content
        for part in place[:-1]:
            section = section[int(part) if isinstance(section, list) else part]
        section[int(place[-1]) if isinstance(section, list) else place[-1]] = {"none": {"of": "this"}}
        try:
            validate(model, content, "x.yaml")
        except ConfigurationError as error:
            assert path in str(error)
            assert any(
                word in str(error) for word in ("such as", "one of", "true or false", "must be", "known keys")
            ), error


@pytest.mark.parametrize("model", [PartyConfiguration, CoordinatorConfiguration, RunConfiguration])
def test_every_error_that_pydantic_knows_has_words(model):
    """Also those that no model raises today."""
    first, second = list(model.model_fields)[:2]
    kinds = [one["type"] for one in list_all_errors()]
    assert len(kinds) > 100
    for kind, location in itertools.product(
        kinds, [(), (first,), (second,), (first, "[key]"), (first, 0), ("unknown", "below"), ("training", "x")]
    ):
        if kind == "extra_forbidden" and location[-1:] in ((), ("[key]",)):
            continue
        text = problem_text(
            model, {"type": kind, "loc": location, "msg": "Value error, the text of a check", "input": 3, "ctx": {}}
        )
        assert text
        check_text(text)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_example_is_accepted(model):
    top = root(model)
    for key, field in model.model_fields.items():
        if key not in top.keys:
            continue
        shown = example(top.of_key(key), key)
        if shown is None:
            continue
        alone = create_model("Alone", __base__=StrictModel, **{key: (field.annotation, field)})
        assert key in validate(alone, {key: shown}, "x").model_fields_set


def test_examples_are_written_as_yaml(tmp_path):
    path = tmp_path / "x.yaml"
    for model in MODELS:
        top = root(model)
        for key in top.keys:
            shown = example(top.of_key(key), key)
            path.write_text(f"{key}: {as_yaml(shown)}\n")
            assert read_yaml(path) == {key: shown}


def test_every_pattern_has_words_and_an_example_that_matches():
    found = set()

    def collect(schema):
        if isinstance(schema, dict):
            found.update([schema["pattern"]] if isinstance(schema.get("pattern"), str) else [])
            found.update(schema.get("patternProperties", {}))
            for inner in schema.values():
                collect(inner)
        elif isinstance(schema, list):
            for inner in schema:
                collect(inner)

    for model, _ in FILES.values():
        collect(model.model_json_schema())
    assert found
    assert found <= set(patterns.WORDS)
    for pattern, words in patterns.WORDS.items():
        assert re.fullmatch(pattern, words.example)


CASES = [
    (
        label_party,
        "model.units",
        64,
        "key model.units: must be a list of whole numbers of at least 1, such as [64], not",
    ),
    (
        label_party,
        "model",
        "dnn",
        "must be a section of kind deepfm, dnn, bst or own, such as {kind: deepfm}, not a text",
    ),
    (label_party, "data.features.0", {"column": "a"}, "key data.features.0.kind is missing: one of hash, vocabulary,"),
    (label_party, "data.features.0", {"column": "a", "knd": "hash"}, "data.features.0.knd, did you mean kind?"),
    (label_party, "data.labels.liked", "y == 1", "such as {kind: binary, rule: Rating > 3}, not a text"),
    (
        label_party,
        "data.labels.Y",
        {"rule": "y == 1"},
        "key data.labels.Y: its name must be a name of lower-case letters",
    ),
    (
        label_party,
        "data.labels.liked.class_weights",
        {0: 1, 1: 5},
        "known keys are negative, positive, such as {negative: 1.0, positive: 5.0}",
    ),
    (
        label_party,
        "data.labels.genre.class_weights",
        {0: 1},
        "class_weights.0: its name must be a text: write it in quotes",
    ),
    (
        label_party,
        "data.labels.liked.column",
        "y",
        "belongs to data.features or to data.labels.NAME of kind regression or",
    ),
    (label_party, "data.features.1.values", [True], "YAML takes yes, no, on and off for true and false, so write"),
    (
        label_party,
        "data.features.1.values",
        [1],
        "values.0: must be a text, such as F, not a whole number: write the text in",
    ),
    (label_party, "data.datasets", "a.csv", "such as {train: data/train.csv}, not a text"),
    (label_party, "learning_rate", 0.1, "unknown key learning_rate: learning_rate belongs to optimizer"),
    (label_party, "batch_size", 64, "batch_size belongs to training in the coordinator's file"),
    (label_party, "data.features.1.buckets", 9, "buckets belongs to data.features of kind hash"),
    (coordinator, "training.learning_rate", 0.1, "learning_rate belongs to training.optimizer"),
    (coordinator, "training.patience", 3, "patience belongs to training.early_stopping"),
    (coordinator, "training.optimizer.learning_rate", "1e-5", "must be a number above 0, or a section"),
    (coordinator, "training.optimizer.learning_rate", "1e-5", "not a text: write it without quotes"),
    (
        coordinator,
        "training.epochs",
        1.5,
        "must be a whole number from 1 to 1000000000, such as 1, not a number with a",
    ),
    (coordinator, "training.party_dropout", {"shop": 2}, "must be a number of at least 0 and below 1, such as 0.5"),
    (coordinator, "training.early_stopping.metric", "auc", "begins with val_, such as val_loss"),
    (coordinator, "timeout_seconds", float("inf"), "such as 600.0, not infinite"),
    (coordinator, "parties.0", "shop", "must be a section with the keys name, ca and address, such as {name: alice,"),
]


@pytest.mark.parametrize(("make", "path", "value", "said"), CASES)
def test_what_people_write_is_answered_with_what_to_write(make, path, value, said):
    model = CoordinatorConfiguration if make is coordinator else PartyConfiguration
    text = refusal(validate, model, change(make(), path, value), "x.yaml")
    assert said in text
    check_text(text)


class Lists(StrictModel):
    names: dict[str, list[int]] = Field(default={})


def test_mappings_of_lists_have_words():
    text = refusal(validate, Lists, {"names": {"a": ["x"]}}, "x.yaml")
    assert "key names.a.0: must be a whole number, such as 1, not a text" in text


def test_the_problems_of_a_union_are_one():
    content = change(label_party(), "threads.intra_operation", "all")
    assert refusal(validate, PartyConfiguration, content, "x").count("intra_operation") == 1


def test_problems_stand_in_the_order_of_the_file():
    content = change(change(coordinator(), "label_party", 3), "training.epochs", 0)
    found = re.findall(r"key (\S+):", refusal(validate, CoordinatorConfiguration, content, "x"))
    assert all(first != second for first, second in itertools.pairwise(found))
    assert found == ["label_party", "training.epochs"]

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.run import (
    MAXIMUM_BATCH,
    MAXIMUM_CONFIGURATION_BYTES,
    RunConfiguration,
    run_configuration_from_bytes,
)
from party.configuration.strict import validate
from party.errors import ConfigurationError
from tests.support.configuration_cases import change, mistyped, refusal, run

names = st.from_regex(r"\A[a-z]([a-z0-9-]{0,20}[a-z0-9])?\Z")
datasets = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,20}\Z")


USABLE = st.characters(codec="utf-8", exclude_characters="\0")  # what a file, a name or a message can carry
plain = st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(USABLE, max_size=5) | st.none()
arguments = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), plain | st.lists(plain, max_size=3), max_size=32
)
schedules = st.fixed_dictionaries({"name": st.just("CosineDecay"), "arguments": arguments})


codecs = st.sampled_from(
    [
        {"kind": "float32", "fraction": None, "values": "float32", "error_feedback": False},
        {"kind": "int4", "fraction": None, "values": "float32", "error_feedback": True},
        {"kind": "topk", "fraction": 0.1, "values": "int8", "error_feedback": False},
    ]
)
local_updates = st.fixed_dictionaries(
    {
        "steps": st.integers(1, 64),
        "window": st.integers(1, 64),
        "uses": st.integers(0, 100),
        "minimum_cosine": st.none() | st.floats(0, 1),
    }
)


@st.composite
def contents(draw):
    parties = sorted(draw(st.sets(names, min_size=2, max_size=5)))
    training = {
        "dataset": draw(datasets),
        "validation_fraction": draw(st.floats(0, 1, exclude_max=True)),
        "validation_dataset": None,
        "seed": draw(st.integers(0, 2**63 - 1)),
        "epochs": draw(st.integers(1, 10**9)),
        "batch_size": draw(st.integers(1, MAXIMUM_BATCH)),
        "remainder": draw(st.sampled_from(["keep", "drop"])),
        "evaluation_batch_size": draw(st.integers(1, MAXIMUM_BATCH)),
        "maximum_steps": draw(st.none() | st.integers(0, 10**9)),
        "optimizer": {
            "name": draw(st.sampled_from(["adam", "sgd", "adagrad", "rmsprop"])),
            "learning_rate": draw(st.floats(1e-12, 1e3) | schedules),
            "arguments": draw(arguments),
        },
        "early_stopping": None,
        "schedule": {"kind": "synchronous", "depth": None},
        "local_updates": draw(st.none() | local_updates),
        "codecs": {"hidden": draw(codecs), "gradient": draw(codecs)},
        "secure_aggregation": False,
        "distinct": draw(st.none() | st.booleans()),
        "party_dropout": {},
    }
    label_party = draw(st.sampled_from(parties))
    held_out = draw(st.none() | datasets)
    if held_out not in (None, training["dataset"]):
        training |= {"validation_fraction": 0.0, "validation_dataset": held_out}
    if len(parties) > 2:
        training["secure_aggregation"] = training["codecs"]["hidden"]["kind"] == "float32" and draw(st.booleans())
    if training["secure_aggregation"]:
        training["distinct"] = draw(st.sampled_from([None, False]))
    else:
        dropped = draw(st.sets(st.sampled_from([name for name in parties if name != label_party])))
        training["party_dropout"] = {name: draw(st.floats(0, 1, exclude_max=True)) for name in dropped}
    alignment = {
        "datasets": draw(st.lists(datasets, min_size=1, max_size=3)),
        "chunk_rows": draw(st.integers(64, 500_000)),
    }
    return {
        "parties": parties,
        "label_party": label_party,
        "alignment": alignment,
        "training": training,
    }


@given(contents())
def test_bytes_come_back_as_the_configuration_that_they_were_made_of(content):
    configuration = validate(RunConfiguration, content, "x")
    data = configuration.to_bytes()
    assert run_configuration_from_bytes(data) == configuration
    assert run_configuration_from_bytes(data).to_bytes() == data
    assert json.loads(data) == content


def test_bytes_do_not_depend_on_the_order_of_keys():
    content = run()
    backwards = dict(reversed(content.items())) | {"training": dict(reversed(content["training"].items()))}
    assert list(backwards) != list(content)
    assert validate(RunConfiguration, backwards, "x").to_bytes() == validate(RunConfiguration, content, "x").to_bytes()


def test_every_default_is_written_out():
    data = RunConfiguration(parties=("a", "b"), label_party="b").to_bytes()
    assert set(json.loads(data)["training"]) == set(RunConfiguration.model_fields["training"].annotation.model_fields)


def test_feature_parties_are_all_but_the_label_party():
    configuration = RunConfiguration(parties=("a", "b", "c"), label_party="b")
    assert configuration.feature_parties == ("a", "c")


def from_content(content):
    return run_configuration_from_bytes(json.dumps(content).encode())


@settings(max_examples=100)
@given(mistyped(run))
def test_mistyped_key_is_refused_with_its_path_and_the_right_key(case):
    content, path, key, slip = case
    where = f"{path}.{slip}" if path else slip
    assert f"unknown key {where}, did you mean {key}?" in refusal(from_content, content)


@pytest.mark.parametrize("path", ["parties", "label_party"])
def test_required_key_is_missed(path):
    assert f"key {path} is missing" in refusal(from_content, change(run(), path, None))


WRONG = {
    "parties": [[], ["bank"], ["shop", "bank"], ["bank", "bank", "shop"], ["Bank", "shop"], "bank"],
    "label_party": [3],
    "alignment.datasets": [[], ["no name"], [3]],
    "alignment.chunk_rows": [63, 500_001, 100.0, "100"],
    "training.dataset": ["no name", 3, ""],
    "training.validation_fraction": [-0.1, 1.0, "x"],
    "training.seed": [-1, 2**63, 1.0, "1"],
    "training.epochs": [0, -1, 1.5],
    "training.batch_size": [0, MAXIMUM_BATCH + 1, "32"],
    "training.remainder": ["pad"],
    "training.evaluation_batch_size": [0, MAXIMUM_BATCH + 1],
    "training.maximum_steps": [-1, 1.5],
    "training.optimizer.name": ["", "a b", "../x", 3],
    "training.optimizer.arguments": [{"a": {"b": 1}}, {"A": 1}, {"a": float("nan")}, [1]],
    "training.schedule": [
        {"kind": "synchronous", "depth": 2},
        {"kind": "pipelined", "depth": 0},
        {"kind": "pipelined", "depth": 65},
        {"kind": "asynchronous"},
    ],
    "training.local_updates": [
        {},
        {"steps": 0},
        {"steps": 65},
        {"steps": 1, "window": 0},
        {"steps": 1, "uses": -1},
        {"steps": 1, "minimum_cosine": 1.1},
        {"steps": 1, "minimum_cosine": -0.1},
    ],
    "training.codecs.hidden": [
        {"kind": "int2"},
        {"kind": "topk"},
        {"kind": "topk", "fraction": 1.0},
        {"kind": "int8", "fraction": 0.5},
        {"kind": "float32", "error_feedback": True},
        {"kind": "int8", "values": "int8"},
    ],
    "training.distinct": ["yes", 1],
    "training.party_dropout": [{"shop": 1.0}, {"shop": -0.1}, {"shop": "x"}, {"Shop": 0.1}, ["shop"], 0.1],
    "training.early_stopping": [{"metric": "auc"}, {"patience": -1}, {"mode": "auto"}, {"patience": 21}],
    "training.optimizer.learning_rate": [0.0, -1.0, float("nan"), float("inf"), "fast"],
}


def test_patience_is_bounded_only_where_weights_are_kept_for_it():
    for section in ({"patience": 20}, {"patience": 1000, "restore_best": False}):
        assert from_content(change(run(), "training.early_stopping", section)).training.early_stopping is not None
    assert "patience may be 20 at most with restore_best" in refusal(
        from_content, change(run(), "training.early_stopping", {"patience": 21})
    )


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in WRONG.items() for value in values])
def test_wrong_value_is_refused_at_its_key(path, value):
    assert f"key {path}" in refusal(from_content, change(run(), path, value))


def test_label_party_takes_part():
    assert "label_party must be one of the parties" in refusal(from_content, run() | {"label_party": "driver"})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"parties: [a, b]", b"[" * 60_000, b'{"a": 1' + b"0" * 9000])
def test_what_is_no_json_is_refused(data):
    assert refusal(run_configuration_from_bytes, data).startswith("run configuration: ")
    assert "is no JSON" in refusal(run_configuration_from_bytes, data)


@pytest.mark.parametrize("data", [b"[]", b"3", b"null", b'"x"'])
def test_json_that_is_no_mapping_is_refused(data):
    assert "must be a section with the keys parties and label_party" in refusal(run_configuration_from_bytes, data)


def test_too_long_is_refused_before_it_is_parsed():
    data = RunConfiguration(parties=("a", "b"), label_party="b").to_bytes()
    longest = data + b" " * (MAXIMUM_CONFIGURATION_BYTES - len(data))
    assert run_configuration_from_bytes(longest).label_party == "b"
    text = refusal(run_configuration_from_bytes, longest + b" ")
    assert f"is too long; expected at most {MAXIMUM_CONFIGURATION_BYTES} bytes" in text
    assert "is too long" in refusal(run_configuration_from_bytes, b"\xff" * (MAXIMUM_CONFIGURATION_BYTES + 1))


def masked(**changes):
    content = run()
    content["parties"] = ["bank", "mall", "shop"]
    content["training"] |= {"secure_aggregation": True, "codecs": {"gradient": {"kind": "int8"}}, **changes}
    return content


def test_a_masked_sum_needs_two_feature_parties():
    assert validate(RunConfiguration, masked(), "x").masked_parties == ("mall", "shop")
    alone = {**masked(), "parties": ["bank", "shop"]}
    assert "the sum of one is its own hiddens" in refusal(lambda one: validate(RunConfiguration, one, "x"), alone)
    alone["training"]["secure_aggregation"] = False
    assert validate(RunConfiguration, alone, "x").masked_parties == ()


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int8", "int4"])
def test_a_masked_sum_needs_hiddens_without_loss(kind):
    content = masked(codecs={"hidden": {"kind": kind}})
    text = refusal(lambda one: validate(RunConfiguration, one, "x"), content)
    assert f"codecs.hidden.kind {kind} would lose bits of a mask: set float32" in text


def test_entities_travel_once_for_a_batch_except_in_a_masked_sum():
    assert from_content(run()).training.sends_distinct
    assert not from_content(change(run(), "training.distinct", False)).training.sends_distinct
    assert not validate(RunConfiguration, masked(), "x").training.sends_distinct
    text = refusal(lambda one: validate(RunConfiguration, one, "x"), masked(distinct=True))
    assert "secure_aggregation adds up rows, and entities of two parties differ: set distinct: false" in text


def test_only_feature_parties_are_dropped_and_none_from_a_masked_sum():
    assert from_content(change(run(), "training.party_dropout", {"shop": 0.2})).training.party_dropout == {"shop": 0.2}
    for other in ("bank", "stranger"):
        text = refusal(from_content, change(run(), "training.party_dropout", {other: 0.2}))
        assert f"training.party_dropout names {other}: it takes names of feature parties" in text
    text = refusal(lambda one: validate(RunConfiguration, one, "x"), masked(party_dropout={"shop": 0.2}))
    assert "none can be dropped from the sum" in text


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"validation_dataset": "later", "validation_fraction": 0.1}, "exclude each other"),
        ({"validation_dataset": "train"}, "must be another dataset"),
        ({"early_stopping": {}}, "set validation_fraction or validation_dataset"),
    ],
)
def test_rows_are_held_out_in_one_way(training, expected):
    with pytest.raises(ConfigurationError, match=expected):
        validate(RunConfiguration, {"parties": ["a", "b"], "label_party": "b", "training": training}, "x")
    held_out = {"validation_dataset": "later", "early_stopping": {}}
    content = {"parties": ["a", "b"], "label_party": "b", "training": held_out}
    assert validate(RunConfiguration, content, "x").training.datasets == ("train", "later")

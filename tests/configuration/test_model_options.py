"""Every impossible value or combination of model and label options is one line that names file and key."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.models import BSTModel, DeepFMFuse, DNNFuse, MMoEFuse, OwnFuse, OwnModel
from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from tests.support.configuration_cases import label_party, refusal

SECTIONS = {
    "deepfm": {"kind": "deepfm", "embedding_dimension": 4, "units": [3], "activation": "relu", "dropout": 0.1},
    "dnn": {"kind": "dnn", "embedding_dimension": 4, "units": [], "activation": "tanh", "embedding_l2": 0.1},
    "bst": {
        "kind": "bst",
        "embedding_dimension": 4,
        "units": [3],
        "blocks": 2,
        "heads": 2,
        "feed_forward_units": 5,
        "pooling": "target_attention",
        "attention_units": [],
    },
    "own": {"file": "mine.py", "base": "build"},
}
FUSES = {
    "dnn": {"kind": "dnn", "units": [], "activation": "relu", "dropout": 0.1},
    "mmoe": {"kind": "mmoe", "experts": 2, "expert_units": [3], "gate_units": [2], "tower_units": [], "dropout": 0.1},
    "own": {"file": "mine.py", "fuse": "build"},
}
BELOW = st.integers(-5, 0)
NO_SHARE = st.sampled_from([-0.1, 1.0, 2.0, float("nan"), float("inf"), "half", True])
NO_UNITS = st.sampled_from([[0], [-1], [1.5], ["8"], 8, "8", [True, None]])
WRONG = {
    "embedding_dimension": BELOW | st.just("wide"),
    "units": NO_UNITS,
    "activation": st.sampled_from(["Relu", "softmax", 1]),
    "dropout": NO_SHARE,
    "embedding_l2": st.sampled_from([-1.0, float("nan"), float("inf"), "much"]),
    "blocks": BELOW | st.just(17),
    "heads": BELOW | st.just(65),
    "feed_forward_units": BELOW,
    "pooling": st.sampled_from(["max", "", 1]),
    "attention_units": NO_UNITS,
    "experts": BELOW | st.just(257),
    "expert_units": NO_UNITS | st.just([]),
    "gate_units": NO_UNITS,
    "tower_units": NO_UNITS,
    "file": st.sampled_from(["", 1]),
    "base": st.sampled_from(["", "a b", "1st", "f()", 1]),
    "fuse": st.sampled_from(["", "a-b", "os.system", 1]),
}


def party(model=None, fuse=None):
    content = label_party()
    del content["model"]["kind"], content["fuse"]["kind"]
    content["model"], content["fuse"] = copy.deepcopy(model or SECTIONS["dnn"]), copy.deepcopy(fuse or FUSES["mmoe"])
    return content


def check(content):
    return validate(PartyConfiguration, content, "bank.yaml")


@pytest.mark.parametrize("kind", SECTIONS)
def test_valid_sections_are_taken(kind):
    model = check(party(SECTIONS[kind])).base_model
    assert model.kind == kind
    assert isinstance(model, OwnModel) == (kind == "own")


@pytest.mark.parametrize(("kind", "model"), [("dnn", DNNFuse), ("mmoe", MMoEFuse), ("own", OwnFuse)])
def test_valid_fuse_sections_are_taken(kind, model):
    assert isinstance(check(party(fuse=FUSES[kind])).fuse_model, model)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_malformed_value_of_a_model_is_told_at_its_key(data):
    section, sections = data.draw(st.sampled_from([("model", SECTIONS), ("fuse", FUSES)]))
    content = party()
    content[section] = copy.deepcopy(data.draw(st.sampled_from(list(sections.values()))))
    key = data.draw(st.sampled_from(sorted(set(content[section]) - {"kind"})))
    content[section][key] = data.draw(WRONG[key])
    text = refusal(check, content)
    assert text.startswith("bank.yaml: ")
    assert f"key {section}.{key}" in text


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["model", "fuse"]), st.text("abcdefg", min_size=1, max_size=6))
def test_an_unknown_kind_is_told_with_the_known_ones(section, kind):
    content = party()
    content[section] = {"kind": kind}
    assert f"key {section}.kind: must be one of deepfm, dnn," in refusal(check, content)


def without_sequences(content):
    content["data"]["features"] = [one for one in content["data"]["features"] if one["kind"] != "sequence"]
    return content


def without_target(content):
    sequence = content["data"]["features"][-1]
    del sequence["target"], sequence["share_embedding"]
    return content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (party({**SECTIONS["bst"], "heads": 3}), r"heads (3) must divide embedding_dimension (4)"),
        (without_sequences(party(SECTIONS["bst"])), "model: bst needs a feature of kind sequence"),
        (without_target(party(SECTIONS["bst"])), "target_attention needs a target, and feature f has none"),
        (
            party(fuse={"kind": "deepfm"}),
            "fuse: deepfm has one output; several labels or classes need",
        ),
        (party({"kind": "dnn", "heads": 2}), "unknown key model.heads"),
        (party({"file": "mine.py"}), "key model.base is missing"),
        (party({"base": "build", "file": "mine.py", "units": [3]}), "unknown key model.units"),
    ],
)
def test_what_does_not_fit_together_is_told(content, text):
    assert text in refusal(check, content)


def test_defaults_follow_the_model_and_the_labels():
    content = without_target(party({"kind": "bst"}))
    model = check(content).base_model
    assert (model.blocks, model.heads, model.dropout, model.pooling) == (1, 8, 0.2, "mean")
    assert model.feed_forward_width == 4 * model.embedding_dimension
    del content["fuse"]
    assert isinstance(check(content).fuse_model, DNNFuse)
    content["data"]["labels"] = {"liked": {"rule": "Rating > 3"}}
    assert isinstance(check(content).fuse_model, DNNFuse), "a transformer sends nothing that DeepFM takes"
    del content["model"]
    assert isinstance(check(content).fuse_model, DeepFMFuse)
    assert not isinstance(check(content).base_model, BSTModel)


LABEL_PROBLEMS = {
    "no rule": ({"kind": "binary"}, "key data.labels.x.rule is missing"),
    "bad rule": ({"rule": "Rating"}, "key data.labels.x.rule: must read COLUMN OPERATOR VALUE"),
    "unknown kind": ({"kind": "ranking"}, "key data.labels.x.kind: must be one of binary, regression, multi_class"),
    "no column": ({"kind": "regression"}, "key data.labels.x.column is missing"),
    "one class": ({"kind": "multi_class", "column": "c", "classes": ["a"]}, "key data.labels.x.classes"),
    "a class twice": ({"kind": "multi_class", "column": "c", "classes": ["a", "a"]}, "classes must differ"),
    "weight of no class": (
        {"kind": "multi_class", "column": "c", "classes": ["a", "b"], "class_weights": {"d": 1.0}},
        "class_weights names d, which is not in classes",
    ),
    "negative weight": (
        {"rule": "r > 3", "class_weights": {"positive": -1.0}},
        "key data.labels.x.class_weights.positive",
    ),
    "no weight": ({"rule": "r > 3", "weight": 0.0}, "key data.labels.x.weight"),
    "mistyped": (
        {"rule": "r > 3", "class_weigths": {}},
        "unknown key data.labels.x.class_weigths, did you mean class_weights?",
    ),
    "metric with a path": ({"rule": "r > 3", "metrics": ["os.system"]}, "key data.labels.x.metrics.0.name"),
}


@pytest.mark.parametrize("case", LABEL_PROBLEMS)
def test_a_wrong_label_is_told_at_its_key(case):
    label, text = LABEL_PROBLEMS[case]
    content = party()
    content["data"]["labels"] = {"x": label}
    assert text in refusal(check, content)

"""Valid configurations, and ways to make them wrong."""

import copy
import difflib

import pytest
from hypothesis import strategies as st

from party.errors import ConfigurationError

FEATURES = [
    {"column": "a", "kind": "hash", "buckets": 10, "salt": "s", "algorithm": "blake2b-64", "missing": ["-"]},
    {"column": "b", "kind": "vocabulary", "minimum_count": 2, "maximum_size": 5, "values": ["x", "y"]},
    {"column": "c", "kind": "integer_buckets", "boundaries": [1, 2, 10], "malformed": "missing"},
    {"column": "d", "kind": "numeric", "malformed": "error", "name": "dd"},
    {"column": "e", "kind": "multi_hot", "separator": "|", "minimum_count": 2, "maximum_values": 3},
    {
        "column": "f",
        "kind": "sequence",
        "separator": " ",
        "maximum_length": 5,
        "target": "b",
        "share_embedding": True,
    },
]
LABELS = {
    "liked": {
        "kind": "binary",
        "rule": "Rating > 3",
        "loss": "binary_crossentropy",
        "metrics": ["auc", {"name": "PrecisionAtRecall", "arguments": {"recall": 0.5}}],
        "weight": 2.0,
        "class_weights": {"negative": 1.0, "positive": 3.0},
    },
    "hours": {"kind": "regression", "column": "hours", "loss": {"name": "huber", "arguments": {"delta": 2.0}}},
    "genre": {"kind": "multi_class", "column": "genre", "classes": ["drama", "war"]},
}
OPTIMIZER = {
    "name": "sgd",
    "learning_rate": {"name": "CosineDecay", "arguments": {"initial_learning_rate": 0.1, "decay_steps": 10}},
    "arguments": {"momentum": 0.9, "nesterov": True},
}
TRAINING = {
    "dataset": "train",
    "validation_fraction": 0.1,
    "seed": 1,
    "epochs": 2,
    "batch_size": 64,
    "remainder": "drop",
    "evaluation_batch_size": 100,
    "maximum_steps": 7,
    "optimizer": OPTIMIZER,
    "schedule": {"kind": "pipelined", "depth": 3},
    "local_updates": {"steps": 2, "window": 3, "uses": 4, "minimum_cosine": 0.6},
    "codecs": {
        "hidden": {"kind": "topk", "fraction": 0.1, "values": "int8", "error_feedback": False},
        "gradient": {"kind": "bfloat16", "fraction": None, "values": "float32", "error_feedback": True},
    },
    "early_stopping": {
        "metric": "val_auc",
        "mode": "max",
        "patience": 1,
        "minimum_delta": 0.001,
        "restore_best": True,
    },
    "secure_aggregation": False,
    "distinct": None,
    "party_dropout": {},
}
ALIGNMENT = {"datasets": ["train", "test"], "chunk_rows": 64}


def label_party():
    """Returns the content of a label party's file with every key."""
    return copy.deepcopy(
        {
            "party": "bank",
            "listen": "0.0.0.0:5000",
            "label_party": "bank",
            "peers": [{"name": "shop", "ca": "shop.pem", "spki_sha256": "0" * 64}],
            "coordinators": [{"name": "driver", "ca": "driver.pem"}],
            "tls": {"certificate": "bank.pem", "key": "bank-key.pem"},
            "state": "state",
            "data": {
                "id": "ID",
                "datasets": {"train": "train.csv", "test": "test.csv"},
                "features": FEATURES,
                "labels": LABELS,
                "unlabelled": ["test"],
                "sample_weight": "w",
            },
            "model": {
                "kind": "deepfm",
                "embedding_dimension": 4,
                "units": [8, 4],
                "activation": "relu",
                "dropout": 0.1,
                "embedding_l2": 0.001,
                "cut_units": 16,
            },
            "fuse": {
                "kind": "mmoe",
                "experts": 2,
                "expert_units": [8],
                "gate_units": [4],
                "tower_units": [4],
                "activation": "relu",
                "dropout": 0.0,
                "task_weighting": "uncertainty",
            },
            "optimizer": OPTIMIZER,
            "policy": {
                "minimum_batch": 8,
                "minimum_metric_rows": 32,
                "maximum_epochs": 10,
                "minimum_intersection": 5,
                "maximum_peer_rows": 1000,
                "allowed_aggregations": ["concat", "sum"],
                "require_secure_aggregation": False,
                "inference_datasets": ["test"],
                "allow_predict": False,
                "peer_sets": [["shop"]],
                "budgets": {"labels": {"epsilon": 1.0, "exact_releases": "any"}},
            },
            "threads": {"intra_operation": 2, "inter_operation": 1},
            "pinned_secret": "ab" * 32,
            "insecure": False,
            "log_level": "debug",
        }
    )


def feature_party():
    content = label_party() | {"party": "shop", "peers": [{"name": "bank", "ca": "bank.pem"}]}
    content["policy"]["peer_sets"] = [["bank"]]
    content["policy"]["budgets"] = {"columns": {"epsilon": 1.0, "exact_releases": "any"}}
    del content["data"]["labels"], content["data"]["unlabelled"], content["data"]["sample_weight"], content["fuse"]
    return content


def run():
    return copy.deepcopy(
        {"parties": ["bank", "shop"], "label_party": "bank", "alignment": ALIGNMENT, "training": TRAINING}
    )


def coordinator():
    return copy.deepcopy(
        {
            "coordinator": "driver",
            "tls": {"certificate": "driver.pem", "key": "driver-key.pem"},
            "parties": [
                {"name": "shop", "ca": "shop.pem", "address": "shop.example:5000", "spki_sha256": "0" * 64},
                {"name": "bank", "ca": "bank.pem", "address": "[::1]:5001"},
            ],
            "label_party": "bank",
            "output": "runs",
            "timeout_seconds": 5,
            "connect_timeout_seconds": 5.5,
            "alignment": ALIGNMENT,
            "training": TRAINING,
            "evaluate_dataset": "test",
            "insecure": False,
        }
    )


FREE_MAPPINGS = {("datasets",), ("arguments",), ("party_dropout",)}  # with free keys


def change(content, path, value):
    """Sets the value at a dotted path, or removes its key if the value is None; returns the content."""
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    section = content
    for part in parents:
        section = section[part]
    if value is None:
        del section[last]
    else:
        section[last] = value
    return content


def sections(content, path=()):
    """Yields every mapping with a fixed set of keys, with its path."""
    if isinstance(content, list):
        return [found for place, inner in enumerate(content) for found in sections(inner, (*path, place))]
    if not isinstance(content, dict) or path[-1:] in FREE_MAPPINGS:
        return []
    if path[-1:] == ("labels",):  # whose keys are the owner's names
        return [found for key, inner in content.items() for found in sections(inner, (*path, key))]
    return [(path, content), *(found for key, inner in content.items() for found in sections(inner, (*path, key)))]


def mistypings(key):
    """Returns the keys that one typing error can make of a key."""
    places = range(len(key))
    left_out = [key[:place] + key[place + 1 :] for place in places]
    doubled = [key[:place] + key[place] + key[place:] for place in places]
    swapped = [key[:place] + key[place : place + 2][::-1] + key[place + 2 :] for place in places]
    return sorted({*left_out, *doubled, *swapped} - {key, ""})


@st.composite
def mistyped(draw, make):
    """Draws a valid content with one key mistyped, the key's path, and the correct key.

    Leaves out typing errors that are closer to another key of the section.
    """
    content = make()
    path, section = draw(st.sampled_from(sections(content)))
    key = draw(st.sampled_from(sorted(section)))
    others = set(section) - {key}
    slips = [
        slip
        for slip in mistypings(key)
        if slip not in others and difflib.get_close_matches(slip, sorted(section), 1, 0.0) == [key]
    ]
    slip = draw(st.sampled_from(slips))
    section[slip] = section.pop(key)
    return content, ".".join(map(str, path)), key, slip


def refusal(function, *arguments):
    """Returns the error text of a function that refuses its arguments; the text must be one line."""
    with pytest.raises(ConfigurationError) as caught:
        function(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text

"""What an error shows as an example of a key's value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from party.configuration.patterns import WORDS
from party.configuration.schema import KIND, Choice

# By key, where neither the default nor the bounds of the key make an example that says something.
_EXAMPLES: Mapping[str, object] = {
    "address": "alice.example.com:50051",
    "allowed_codecs": ["float32", "int8"],
    "arguments": {"momentum": 0.9},
    "attention_units": [36],
    "base": "base_model",
    "boundaries": [18, 35, 65],
    "ca": "certs/bob-ca.pem",
    "certificate": "certs/alice/alice.pem",
    "class_weights": {"negative": 1.0, "positive": 5.0},
    "classes": ["drama", "war"],
    "column": "age",
    "clip": [0.0, 100.0],
    "clip_quantiles": [0.01, 0.99],
    "columns": ["age"],
    "coordinator": "coordinator",
    "coordinators": [{"name": "coordinator", "ca": "certs/coordinator-ca.pem"}],
    "data": {"id": "user_id", "datasets": {"train": "data/train.csv"}},
    "datasets": {"train": "data/train.csv"},
    "entity": "user_id",
    "evaluate_dataset": "test",
    "experiment": "films",
    "expert_units": [32, 16],
    "features": [{"kind": "numeric", "column": "age"}],
    "file": "model.py",
    "format": "%d.%m.%Y %H:%M",
    "fuse": "fuse_model",
    "gate_units": [32],
    "id": "user_id",
    "inference_datasets": ["test"],
    "key": "user_id",
    "label_party": "bob",
    "learning_rate": 0.001,
    "listen": "0.0.0.0:50051",
    "loss": "binary_crossentropy",
    "maximum": 100,
    "metrics": ["auc"],
    "minimum": 0,
    "missing": ["-", "unknown"],
    "other": "other",
    "output": "runs",
    "parties": ["alice", "bob"],
    "party_dropout": {"alice": 0.1},
    "peer": "alice",
    "peers": [{"name": "bob", "ca": "certs/bob-ca.pem"}],
    "peer_sets": [["alice"]],
    "public": ["city"],
    "reference": "2024-01-31",
    "reference_column": "bought",
    "reveal_row_counts": ["alice"],
    "rule": "Rating > 3",
    "sample_weight": "weight",
    "secrets": {"female": "Gender == F"},
    "separator": "|",
    "state": "state/alice",
    "table": "users",
    "tables": {"users": "data/users.csv"},
    "target": "film",
    "tls": {"certificate": "certs/alice/alice.pem", "key": "certs/alice/alice-key.pem"},
    "tower_units": [12],
    "tracking_uri": "https://mlflow.example.com",
    "transforms": ["strip", "lower"],
    "training_datasets": ["train"],
    "units": [64],
    "unlabelled": ["test"],
    "value_separator": ":",
    "values": ["F", "M"],
    "zone": "Europe/Berlin",
}


def example(found: Sequence[Choice], key: str = "") -> Any:
    """A value that a key accepts.

    Args:
        found: the shapes that the value may have.
        key: name of the key.

    Returns:
        The value, as YAML yields it; None where nothing but the key's own name could be shown.
    """
    own = next((one.schema["examples"][0] for one in found if one.schema.get("examples")), None)
    given = _EXAMPLES.get(key) if own is None else own  # its own where another section's key has the same name
    for candidate in [given, *(given if isinstance(given, list) else [])]:
        if candidate is not None and _any_fits(candidate, found):
            return candidate
    one = found[0]
    fixed = [one.schema[name] for name in ("const", "default") if one.schema.get(name) not in (None, [], {}, "")]
    if fixed or "enum" in one.schema:
        return (fixed or one.schema["enum"])[0]
    if one.is_section:
        return _section_example(one)
    if one.values:
        return {example((one.names,)) or "name": _shown(one.values)}
    if one.items:
        return [_shown(one.items)] * max(1, one.schema.get("minItems", 1))
    return _plain_example(one.schema)


def _shown(found: Sequence[Choice], key: str = "text") -> Any:
    """An example as part of another one."""
    shown = example(found, key)
    return key if shown is None else shown


def _plain_example(schema: Mapping[str, Any]) -> Any:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    match schema.get("type"):
        case "integer":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "number":
            most = schema.get("maximum", schema.get("exclusiveMaximum"))
            middle = None if least is None or most is None else (least + most) / 2
            return middle if middle is not None else 1.0 if least is None else least + 1.0
        case "boolean":
            return True
    words = WORDS.get(schema.get("pattern", ""))
    return None if words is None else words.example


def _section_example(one: Choice) -> dict[str, Any]:
    keys = list(one.required)
    if KIND in one.keys and KIND not in keys:
        keys.insert(0, KIND)
    if not keys:
        plain = [key for key in one.keys if not any(inner.is_section or inner.values for inner in one.of_key(key))]
        keys = (plain or list(one.keys))[:1]
    return {key: _shown(one.of_key(key), key) for key in keys}


def _fits(value: object, one: Choice) -> bool:
    """Whether an example is of the type that a shape has, in all its parts."""
    schema = one.schema
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if isinstance(value, dict):
        if one.is_section:
            inside = all(key in one.keys and _any_fits(inner, one.of_key(key)) for key, inner in value.items())
            return inside and set(one.required) <= set(value)
        return bool(one.values) and all(_any_fits(inner, one.values) for inner in value.values())
    if isinstance(value, list):
        return bool(one.items) and all(_any_fits(inner, one.items) for inner in value)
    types = {str: ["string"], int: ["integer", "number"], float: ["number"], bool: ["boolean"]}
    return schema.get("type") in types[type(value)]


def _any_fits(value: object, found: Sequence[Choice]) -> bool:
    return any(_fits(value, one) for one in found)


class _Dumper(yaml.SafeDumper):
    """Writes a value that stands in two places twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def as_yaml(value: object) -> str:
    """A value as it is written in a file, on one line."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 30)
    return text.removesuffix("\n").removesuffix("\n...").strip()

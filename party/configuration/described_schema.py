"""The JSON Schema of a configuration file for editors: every key with the description of its section's docstring."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from party.configuration.schema import DEFINITION, KIND

DRAFT = GenerateJsonSchema.schema_dialect
PARTY_TITLE, RUN_TITLE = "The configuration of a party", "The configuration of a run"
KIND_DESCRIPTION = "Which kind of section this is; it decides about the other keys."
_ATTRIBUTES = "Attributes:\n"
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def schema_text(model: type[BaseModel], title: str) -> str:
    """Writes the schema of a whole file.

    Args:
        model: of the file.
        title: what the file is.

    Returns:
        JSON, of JSON Schema's draft 2020-12.
    """
    return json.dumps(described_schema(model, title), indent=2, ensure_ascii=False) + "\n"


def described_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Makes the schema of a whole file.

    Args:
        model: of the file.
        title: what the file is.

    Returns:
        The schema; every key of every section has a description.
    """
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for section in sections_of(model):
        described = schema if section is model else definitions[section.__name__]
        _describe(described, section)
    _drop_unused(schema)
    return {"$schema": DRAFT, **schema, "title": title}


def descriptions(section: type[BaseModel]) -> dict[str, str]:
    """What each key of a section means, by the docstrings of its class and of those that it extends.

    Args:
        section: a class of the configuration.
    """
    found = {KIND: KIND_DESCRIPTION}
    for one in reversed(section.__mro__):
        if one is BaseModel:
            continue
        attributes = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition(_ATTRIBUTES)[2]
        for name, text in _ATTRIBUTE.findall(attributes):
            sentence = " ".join(text.split())
            found[name] = sentence[:1].upper() + sentence[1:]
    return found


def sections_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every class of a section that a file may hold, the file's own first, each once.

    Args:
        model: of the file.
    """
    seen: dict[type[BaseModel], None] = {}
    waiting = [model]
    while waiting:
        section = waiting.pop()
        if section not in seen:
            seen[section] = None
            kept = (field for field in section.model_fields.values() if not field.exclude)
            waiting += [inner for field in kept for inner in _models_in(field.annotation)]
    return iter(seen)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models_in(inner)


def _describe(schema: dict[str, Any], section: type[BaseModel]) -> None:
    known = descriptions(section)
    properties = schema.get("properties", {})
    for name, field in section.model_fields.items():
        if field.exclude:
            properties.pop(name, None)
        else:
            properties[name] = {**properties[name], "description": known[name]}
    schema["description"] = inspect.cleandoc(section.__doc__ or "").partition("\n")[0]


def _drop_unused(schema: dict[str, Any]) -> None:
    """Removes the definitions that only keys which are no keys of the file refer to."""
    definitions = schema.get("$defs", {})
    used: set[str] = set()
    waiting = [{key: value for key, value in schema.items() if key != "$defs"}]
    while waiting:
        for name in set(re.findall(rf'"{re.escape(DEFINITION)}(\w+)"', json.dumps(waiting.pop()))) - used:
            used.add(name)
            waiting.append(definitions[name])
    for name in set(definitions) - used:
        del definitions[name]

"""Results of commands as one JSON document for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def json_document(command: str, result: object) -> str:
    """Returns the result of a command as indented JSON, its keys in the order of the fields.

    Args:
        command: as it was typed, such as `party check`; the value of the first key.
        result: a frozen dataclass or a mapping.

    Raises:
        TypeError: a value has no form in JSON, or the result is not one object.
    """
    content = json_value(result)
    if not isinstance(content, dict):
        raise TypeError(f"a document needs an object, not {type(result).__name__}")
    return json.dumps({"command": command, **content}, indent=2, ensure_ascii=True, allow_nan=False)


def json_value(value: object) -> Json:
    """Returns a value as JSON has it.

    Dataclasses, models of pydantic and mappings become objects, bytes hexadecimal digits, points in time ISO 8601, and
    floats that are not finite null.

    Args:
        value: made of dataclasses, models of pydantic, mappings, sequences, numbers, texts, bytes, paths, points in
            time, enumerations of texts.

    Raises:
        TypeError: a value has another type.
    """
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [json_value(one) for one in value]
    if hasattr(value, "model_dump"):
        return json_value(value.model_dump(mode="json"))
    return _object(value) if isinstance(value, Mapping) or is_dataclass(value) else _text(value)


def _object(value: object) -> Json:
    if isinstance(value, Mapping):
        return {str(key): json_value(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_value(getattr(value, field.name)) for field in fields(value)}
    raise _without_form(value)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise _without_form(value)


def _without_form(value: object) -> TypeError:
    return TypeError(f"{type(value).__name__} has no form in JSON")

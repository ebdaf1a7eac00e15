"""The keys of a command's JSON document: as its types have them, as it was printed, and as docs/json.md says."""

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from pydantic import BaseModel

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
_HEADING = re.compile(r"^### `(.+?)`$", re.MULTILINE)
_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def documented_keys():
    """The keys of each document by its heading, such as `party ledger --limits`, without the key `command`."""
    _, *parts = _HEADING.split(PAGE.read_text(encoding="utf-8"))
    return {title: set(_ROW.findall(text)) for title, text in zip(parts[::2], parts[1::2], strict=True)}


def keys_of_type(kind, before=""):
    """The keys of a type: `a.b` of an object in an object, `a[]` of a list, `a.*` where the keys depend on the data."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return keys_of_type(arguments[0], before)
    if origin in (typing.Union, types.UnionType):
        return set().union(*(keys_of_type(one, before) for one in arguments if one is not type(None)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return keys_of_type(arguments[1], f"{before}.*")
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return keys_of_type(arguments[0], f"{before}[]")
    found = _fields_of(kind)
    if not found:
        return {before}
    return set().union(*(keys_of_type(one, f"{before}.{name}" if before else name) for name, one in found.items()))


def keys_of_document(value, before=""):
    """The keys of a document, where lists and objects that are empty have none."""
    if isinstance(value, dict):
        inner = ((f"{before}.{name}" if before else name, one) for name, one in value.items())
        return set().union(*(keys_of_document(one, name) for name, one in inner))
    if isinstance(value, list):
        return set().union(*(keys_of_document(one, f"{before}[]") for one in value))
    return set() if value is None else {before}


def undocumented(document, documented):
    """The keys of a document that the page lacks, `command` left out.

    Args:
        document: as a command printed it.
        documented: keys of its heading.
    """
    patterns = [re.compile(re.escape(key).replace(r"\*", r".+")) for key in documented]
    found = keys_of_document(document) - {"command"}
    return sorted(key for key in found if not any(pattern.fullmatch(key) for pattern in patterns))


def _fields_of(kind):
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return {field.name: hints[field.name] for field in fields(kind)}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return {}

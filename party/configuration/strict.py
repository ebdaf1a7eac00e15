"""Reading YAML into validated models, with errors that name the key and the nearest known one."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Callable, Hashable
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from party.configuration.extent import FILE_EXTENT, check_extent
from party.errors import ConfigurationError

NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
DATASET_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"
MAXIMUM_FILE_BYTES = 1 << 20
REPORTED_PROBLEMS = 10
SHOWN_KEY_CHARACTERS = 128  # of a key and of its path: whoever sends a configuration chooses them
SHOWN_PROBLEM_CHARACTERS = 512
_WORDS_OF_YAML = (("valid tuple", "list"), ("Tuple should", "List should"), (" after validation", ""))


class StrictModel(BaseModel):
    """Base of every configuration section: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice, where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key is no plain value", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML follows, takes 1e-3 for a text: it wants a point and a sign.
_UniqueKeyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+\Z"), list("-+.0123456789")
)


def kind_of(default: str, **by_key: str) -> Callable[[object], str]:
    """Makes a discriminator that finds the section of a union by its `kind`.

    Args:
        default: the kind if the section names none.
        by_key: the kind that the presence of a key implies if the section names none.

    Returns:
        A function that yields the kind in brackets; brackets keep it out of the paths in errors.
    """

    def discriminate(value: object) -> str:
        if not isinstance(value, dict):
            return f"[{getattr(value, 'kind', default)}]"
        implied = next((kind for key, kind in by_key.items() if key in value), default)
        return f"[{value.get('kind', implied)}]"

    return discriminate


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file whose top level is a mapping.

    Args:
        path: the file.

    Returns:
        The mapping.

    Raises:
        ConfigurationError: the file is missing, unreadable or too large, is not YAML, or holds no mapping.
    """
    usable_path(path)
    try:
        content = yaml.load(_read_text(path), Loader=_UniqueKeyLoader)  # noqa: S506
    except FileNotFoundError:
        raise ConfigurationError("configuration file not found", where=path, fix="check --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read ({error.__class__.__name__})", where=path) from error
    except yaml.MarkedYAMLError as error:
        mark = f"{path}:{error.problem_mark.line + 1}" if error.problem_mark else str(path)
        raise ConfigurationError(
            f"not valid YAML: {error.problem}", where=mark, public_message="its configuration is not valid YAML"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"not valid YAML: {error.__class__.__name__}", where=path) from error
    if not isinstance(content, dict):
        raise ConfigurationError("is no mapping of keys to values", where=path)
    check_extent(content, FILE_EXTENT, path)
    return content


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAXIMUM_FILE_BYTES + 1)
    if len(data) > MAXIMUM_FILE_BYTES:
        raise ConfigurationError("is too long", where=path, expected=f"at most {MAXIMUM_FILE_BYTES} bytes")
    return data.decode("utf-8")


Model = typing.TypeVar("Model", bound=StrictModel)


def validate(model: type[Model], content: object, where: object) -> Model:
    """Validates parsed content against a configuration model.

    Args:
        model: class of the section.
        content: mapping as read from a file or from JSON.
        where: file or message that the content comes from, for errors.

    Returns:
        The validated section.

    Raises:
        ConfigurationError: the content is invalid. The line names the wrong keys, at most REPORTED_PROBLEMS of them;
            or the first key with a text that no file, name or message can carry.
    """
    unusable = _unusable_text(content)
    if unusable is not None:
        raise ConfigurationError(
            f"key {unusable} holds a text with a NUL character or half of a surrogate pair", where=where
        )
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = [_describe(model, dict(problem)) for problem in islice(found, REPORTED_PROBLEMS)]
        if len(found) > REPORTED_PROBLEMS:
            problems.append(f"and {len(found) - REPORTED_PROBLEMS} more")
        raise ConfigurationError("; ".join(problems), where=where) from None


def _unusable_text(content: object) -> str | None:
    """The path of the first key that is, or holds, a text which no file name, certificate or UTF-8 can carry."""
    waiting: list[tuple[str, object]] = [("", content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) and _is_unusable(value):
            return path
        if isinstance(value, dict):
            for key, inner in value.items():
                below = f"{path}.{key}".removeprefix(".")
                if isinstance(key, str) and _is_unusable(key):
                    return ascii(below)[1:-1]
                waiting.append((below, inner))
        elif isinstance(value, list | tuple):
            waiting += [(f"{path}.{place}".removeprefix("."), inner) for place, inner in enumerate(value)]
    return None


def _is_unusable(text: str) -> bool:
    return any(one == "\0" or "\ud800" <= one <= "\udfff" for one in text)


def usable_path(path: Path) -> Path:
    """Checks a path from the command line or from a caller.

    Args:
        path: the path as given.

    Returns:
        The same path.

    Raises:
        ConfigurationError: no file can have this path.
    """
    if "\0" in str(path):
        raise ConfigurationError("a path holds a NUL character", where=path, fix="correct the path")
    return path


def load(model: type[Model], path: Path) -> Model:
    """Reads a configuration file whose model has a `folder`, to which its paths are relative.

    Args:
        model: class of the whole file.
        path: the YAML file.

    Returns:
        The validated configuration.

    Raises:
        ConfigurationError: the file or a key of it cannot be used.
    """
    content = read_yaml(path)
    if "folder" in content:
        raise ConfigurationError("unknown key folder", where=path)
    return validate(model, {**content, "folder": path.resolve().parent}, path)


def _describe(model: type[BaseModel], problem: dict[str, Any]) -> str:
    return _described(model, problem)[:SHOWN_PROBLEM_CHARACTERS]


def _described(model: type[BaseModel], problem: dict[str, Any]) -> str:
    location = problem["loc"]
    path = ".".join(str(part)[:SHOWN_KEY_CHARACTERS] for part in location if not _is_tag(part))[:SHOWN_KEY_CHARACTERS]
    if problem["type"] == "extra_forbidden":
        known = sorted(_known_keys(model, problem["loc"][:-1]))
        nearest = difflib.get_close_matches(str(location[-1])[:SHOWN_KEY_CHARACTERS], known, n=1, cutoff=0.0)
        hint = f", did you mean {nearest[0]}?" if nearest else ""
        return f"unknown key {path}{hint}"
    if problem["type"] == "missing":
        return f"key {path} is missing"
    if problem["type"] == "union_tag_invalid" and "[" in problem["ctx"]["expected_tags"]:
        known = [tag.strip("'[]") for tag in problem["ctx"]["expected_tags"].split(", ")]
        return f"key {path}.kind: must be one of {', '.join(known)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    for ours, of_yaml in _WORDS_OF_YAML:
        message = message.replace(ours, of_yaml)
    return f"key {path}: {message}" if path else message


def _is_tag(part: int | str) -> bool:
    """Whether a part of a location is the tag of a union's section, and not a key of the file."""
    return isinstance(part, str) and part.startswith("[") and part.endswith("]")


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> set[str]:
    """The keys of the section that a validation error's location leads to."""
    candidates: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        tagged = [one for one in candidates if _tag(one) == part.strip("[]")]
        if tagged or _is_tag(part):
            candidates = tagged or candidates
            continue
        fields = [one.model_fields[part] for one in candidates if part in one.model_fields]
        if not fields:  # a key that the owner chose, such as a label's name
            continue
        candidates = [inner for field in fields for inner in _models_in(field.annotation)]
    return {key for one in candidates for key, field in one.model_fields.items() if not field.exclude}


def _tag(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("kind")
    values = typing.get_args(kind.annotation) if kind is not None else ()
    return str(values[0]) if values else None


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation) is not None:
        return [model for inner in typing.get_args(annotation) for model in _models_in(inner)]
    return []

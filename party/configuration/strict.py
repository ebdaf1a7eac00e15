"""Reading YAML into validated models, with errors that name the key and the nearest known one."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from party.errors import ConfigurationError

NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
DATASET_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"


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
    """Tells which section of a union is meant: that of its `kind`.

    Args:
        default: where there is none.
        by_key: kinds that a key of the section tells where there is no `kind`.

    Returns:
        A discriminator that yields the kind in brackets, which keeps it out of the paths of errors.
    """

    def discriminate(value: object) -> str:
        if not isinstance(value, dict):
            return f"[{getattr(value, 'kind', default)}]"
        told = next((kind for key, kind in by_key.items() if key in value), default)
        return f"[{value.get('kind', told)}]"

    return discriminate


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file whose top level is a mapping.

    Args:
        path: the file.

    Returns:
        The mapping.

    Raises:
        ConfigurationError: the file is missing, unreadable, no YAML or no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506
    except FileNotFoundError:
        raise ConfigurationError("configuration file not found", where=str(path), fix="check --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read ({error.__class__.__name__})", where=str(path)) from error
    except yaml.MarkedYAMLError as error:
        mark = f"{path}:{error.problem_mark.line + 1}" if error.problem_mark else str(path)
        raise ConfigurationError(f"not valid YAML: {error.problem}", where=mark) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"not valid YAML: {error.__class__.__name__}", where=str(path)) from error
    if not isinstance(content, dict):
        raise ConfigurationError("is no mapping of keys to values", where=str(path))
    return content


Model = typing.TypeVar("Model", bound=StrictModel)


def validate(model: type[Model], content: object, where: str) -> Model:
    """Validates parsed content against a configuration model.

    Args:
        model: the section's model.
        content: mapping as read from a file or from JSON.
        where: file or message that the content came from, for errors.

    Returns:
        The validated section.

    Raises:
        ConfigurationError: one line that names every offending key.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = [_describe(model, dict(problem)) for problem in error.errors(include_url=False)]
        raise ConfigurationError("; ".join(problems), where=where) from None


def load(model: type[Model], path: Path) -> Model:
    """Reads a configuration file whose model has a `folder`, which its relative paths start from.

    Args:
        model: of the whole file.
        path: the YAML file.

    Returns:
        The validated configuration.

    Raises:
        ConfigurationError: the file or a key of it cannot be used.
    """
    content = read_yaml(path)
    if "folder" in content:
        raise ConfigurationError("unknown key folder", where=str(path))
    return validate(model, {**content, "folder": path.resolve().parent}, str(path))


def _describe(model: type[BaseModel], problem: dict[str, Any]) -> str:
    location = problem["loc"]
    path = ".".join(str(part) for part in location if not _is_tag(part))
    if problem["type"] == "extra_forbidden":
        known = sorted(_known_keys(model, problem["loc"][:-1]))
        nearest = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.0)
        hint = f", did you mean {nearest[0]}?" if nearest else ""
        return f"unknown key {path}{hint}"
    if problem["type"] == "missing":
        return f"key {path} is missing"
    if problem["type"] == "union_tag_invalid" and "[" in problem["ctx"]["expected_tags"]:
        known = [tag.strip("'[]") for tag in problem["ctx"]["expected_tags"].split(", ")]
        return f"key {path}.kind: must be one of {', '.join(known)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"key {path}: {message}" if path else message


def _is_tag(part: int | str) -> bool:
    """Whether a part of a location tells a union's section apart, and is no key of the file."""
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

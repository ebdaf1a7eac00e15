"""Validated models of configuration sections, and files read into them."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from party.configuration.wording import problem_text
from party.configuration.yaml_file import read_yaml
from party.errors import ConfigurationError

REPORTED_PROBLEMS = 10
OWNERS = ("party", "coordinator")  # the key of a file that says whose it is, and the command that reads it
EXAMINED_PROBLEMS = 1000  # a value that fits none of several types counts once for each of them


class StrictModel(BaseModel):
    """Base of every configuration section: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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
        raise ConfigurationError("; ".join(_problems(model, error)), where=where) from None


def _problems(model: type[BaseModel], error: ValidationError) -> list[str]:
    """The first problems, each once."""
    found = error.errors(include_url=False)
    above = {problem["loc"][:length] for problem in found for length in range(len(problem["loc"]))}
    # A list counts as too short where its entries are wrong.
    found = [problem for problem in found if problem["type"] != "too_short" or problem["loc"] not in above]
    examined = found[:EXAMINED_PROBLEMS]
    texts: dict[str, None] = {}
    for number, problem in enumerate(examined, start=1):
        texts[problem_text(model, problem)] = None
        if len(texts) == REPORTED_PROBLEMS and number < len(found):
            return [*texts, f"and {len(found) - number} more"]
    return [*texts, *(["and more"] if len(found) > len(examined) else [])]


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


def _refuse_other_file(model: type[Model], content: Mapping[str, object], path: Path) -> None:
    """Refuses a party's file where a run's is read, and the other way round, by the key that names its owner."""
    given, expected = (next((one for one in OWNERS if one in keys), None) for keys in (content, model.model_fields))
    if given is not None and expected is not None and given != expected:
        raise ConfigurationError(
            f"is a file for the command `{given}`",
            where=path,
            expected=f"a file for `{expected}`, with the key {expected}",
            fix="check --config",
        )


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
    _refuse_other_file(model, content, path)
    return validate(model, {**content, "folder": path.resolve().parent}, path)

"""The keys of a configuration, what each of them takes, and where a key stands: read from the models' JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

DEFINITION = "#/$defs/"
KEY_OF_MAPPING = "[key]"  # pydantic's last part of a location that leads to a key, not to its value
OWN_NAME = "NAME"  # stands in a path for a key that the owner chooses, such as a label's name
KIND = "kind"

Location = Sequence[int | str]


@dataclass(frozen=True)
class Choice:
    """One of the shapes that a value may have.

    Attributes:
        schema: JSON Schema, references resolved, no union.
        definitions: the sections that its references name.
    """

    schema: Mapping[str, Any]
    definitions: Mapping[str, Any]

    @property
    def kind(self) -> str | None:
        """The value of `kind` that chooses this section; None if it is none of several kinds."""
        constant = self.schema.get("properties", {}).get(KIND, {}).get("const")
        return None if constant is None else str(constant)

    @property
    def keys(self) -> Mapping[str, Any]:
        """The keys of a section with their schemas; empty for everything else."""
        properties: Mapping[str, Any] = self.schema.get("properties", {})
        return properties

    @property
    def required(self) -> Sequence[str]:
        """The keys that a section must have; `kind` first."""
        required = self.schema.get("required", [])
        return sorted(required, key=lambda key: key != KIND)

    @property
    def is_section(self) -> bool:
        """Whether it is a mapping with fixed keys."""
        return "properties" in self.schema

    def of_key(self, key: str) -> tuple[Choice, ...]:
        """The shapes that the value of a key may have."""
        return choices(self.keys[key], self.definitions)

    @property
    def items(self) -> tuple[Choice, ...]:
        """The shapes of the entries of a list; empty for everything else."""
        return choices(self.schema["items"], self.definitions) if "items" in self.schema else ()

    @property
    def values(self) -> tuple[Choice, ...]:
        """The shapes of the values of a mapping with free keys; empty for everything else."""
        patterns = [*self.schema.get("patternProperties", {}).values()]
        further = self.schema.get("additionalProperties")
        found = patterns or ([further] if isinstance(further, Mapping) else [])
        return choices(found[0], self.definitions) if found else ()

    @property
    def names(self) -> Choice:
        """The shape of the keys of a mapping with free keys."""
        patterns = list(self.schema.get("patternProperties", {}))
        names = {**self.schema.get("propertyNames", {}), **({"pattern": patterns[0]} if patterns else {})}
        return Choice({"type": "string", **names}, self.definitions)


@dataclass(frozen=True)
class KeyPlace:
    """Where an error is.

    Attributes:
        path: the keys and numbers that lead there in the file.
        choices: what may stand there; empty where no key of the schema leads.
        is_key: whether it is a key of a mapping, and not the value.
    """

    path: tuple[int | str, ...]
    choices: tuple[Choice, ...]
    is_key: bool = False


@cache
def root(model: type[BaseModel]) -> Choice | None:
    """The shape of a whole file; None for a model without a JSON Schema."""
    try:
        schema = model.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return None
    excluded = {name for name, field in model.model_fields.items() if field.exclude}
    top = choices(schema, schema.get("$defs", {}))[0]
    return Choice(
        {**top.schema, "properties": {k: v for k, v in top.keys.items() if k not in excluded}}, top.definitions
    )


def choices(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Choice, ...]:
    """The shapes that a schema allows, without null, which only says that a key may be left out.

    Args:
        schema: JSON Schema.
        definitions: the sections that its references name.

    Returns:
        At least one shape, in the order of the schema.
    """
    if "$ref" in schema:
        return choices(definitions[schema["$ref"].removeprefix(DEFINITION)], definitions)
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            found = [one for inner in schema[union] for one in choices(inner, definitions)]
            return tuple(one for one in found if one.schema.get("type") != "null")
    return (Choice(schema, definitions),)


def find(model: type[BaseModel], location: Location) -> KeyPlace:
    """Follows the location of an error, in which pydantic mixes keys with names of its own.

    Args:
        model: model of the whole file.
        location: of an error.

    Returns:
        The place in the file that it means.
    """
    top = root(model)
    if top is None:
        return KeyPlace(tuple(location), ())
    found: tuple[Choice, ...] = (top,)
    path: list[int | str] = []
    for number, part in enumerate(location):
        if part == KEY_OF_MAPPING and number == len(location) - 1:
            names = tuple(one.names for one in find(model, location[:-2]).choices if one.values)
            return KeyPlace(tuple(path), names, is_key=True)
        if len(found) > 1:
            chosen = _chosen(found, part, is_last=number == len(location) - 1)
            if chosen is not None:
                found = chosen
                continue
        inner = _inner(found, part)
        if inner is None and len(found) > 1:  # pydantic's name of a type among several
            break
        path.append(part)
        found = inner or ()
    return KeyPlace(tuple(path), found)


def _chosen(found: tuple[Choice, ...], part: int | str, *, is_last: bool) -> tuple[Choice, ...] | None:
    """The shapes that a tag chooses; None if the part is no tag."""
    tag = str(part).strip("[]")
    tagged = tuple(one for one in found if one.kind == tag)
    if tagged:
        return found if is_last else tagged
    if str(part) == f"[{tag}]":
        return found if is_last else tuple(one for one in found if one.is_section)
    return None


def _inner(found: Sequence[Choice], part: int | str) -> tuple[Choice, ...] | None:
    if isinstance(part, int):
        entries = [one.items for one in found if one.items]
        if entries:
            return entries[0]
    sections = [one for one in found if isinstance(part, str) and part in one.keys]
    if sections and isinstance(part, str):
        return sections[0].of_key(part)
    return next((one.values for one in found if one.values), None)


def sections_with(model: type[BaseModel], key: str) -> dict[str, list[str]]:
    """The sections that have a key, wherever they stand.

    Args:
        model: model of the whole file.
        key: name of the key.

    Returns:
        By dotted path of a section, the kinds of it that have the key, none if all have; those with the fewest parts
        first.
    """
    top = root(model)
    every: dict[tuple[str, ...], list[Choice]] = {}
    for path, one in () if top is None else _sections(top, (), frozenset()):
        every.setdefault(path, []).append(one)
    found = {}
    for path, sections in sorted(every.items(), key=lambda place: (len(place[0]), place[0])):
        having = [one for one in sections if key in one.keys]
        kinds = [one.kind for one in having if one.kind is not None and len(having) < len(sections)]
        if having:
            found[".".join(path)] = list(dict.fromkeys(kinds))
    return found


def every_key(model: type[BaseModel]) -> frozenset[str]:
    """The names of all keys of a file, however deep."""
    top = root(model)
    return frozenset(() if top is None else (key for _, one in _sections(top, (), frozenset()) for key in one.keys))


def _sections(one: Choice, path: tuple[str, ...], above: frozenset[str]) -> Iterator[tuple[tuple[str, ...], Choice]]:
    """Every section below a shape, with its path."""
    title = str(one.schema.get("title"))
    if one.is_section and title not in above:
        yield path, one
        for key in one.keys:
            for inner in one.of_key(key):
                yield from _sections(inner, (*path, key), above | {title})
    for inner in one.items:
        yield from _sections(inner, path, above)
    for inner in one.values:
        yield from _sections(inner, (*path, OWN_NAME), above)

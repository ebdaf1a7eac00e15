"""What is wrong with a key, in words for whoever writes the file: what to write, and an example."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import BaseModel

from party.configuration.examples import as_yaml, example
from party.configuration.patterns import WORDS
from party.configuration.schema import KIND, Choice, KeyPlace, every_key, find, sections_with

SHOWN_KEY_CHARACTERS = 128  # of a key and of its path: whoever sends a configuration chooses them
SHOWN_PROBLEM_CHARACTERS = 512
SHOWN_NAMES = 12
SHOWN_PLACES = 3
NEAR = 0.8  # of difflib's ratio, from which a key is taken for a slip of another one
RATHER_NEAR = 0.6
GREATEST_BOUND = 2**63
PLAIN = {"boolean", "number", "string"}
_TYPES: tuple[tuple[type | tuple[type, ...], str, str], ...] = (  # a bool is an int to Python
    (bool, "true or false", "boolean"),
    (int, "a whole number", "integer"),
    (float, "a number with a point or an exponent", "number"),
    (str, "a text", "string"),
    (dict, "a mapping", "object"),
    ((list, tuple), "a list", "array"),
    (date, "a date", "date"),
)
OTHER_WORDS = {  # what other tools call these keys, where letters alone would lead elsewhere or nowhere
    "hidden_units": "units",
    "lr": "learning_rate",
    "monitor": "metric",
    "num_epochs": "epochs",
    "type": KIND,
    "validation_split": "validation_fraction",
}
OWN_TEXT = "Value error, "  # what pydantic puts before the text of a check of this project


def problem_text(model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    """One problem that pydantic found, in words.

    Args:
        model: model of the whole file.
        problem: as `ValidationError.errors` has it, with its input, of which only the type is told.

    Returns:
        One line, with the key's path; no value of the file.
    """
    return _problem_text(model, problem)[:SHOWN_PROBLEM_CHARACTERS]


def _problem_text(model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    location, kind = tuple(problem["loc"]), problem["type"]
    if kind == "invalid_key":
        return _no_text_as_key(model, location)
    if kind == "extra_forbidden":
        return _unknown_key(model, location)
    place = find(model, location)
    path = shown_path(place.path)
    kinds = [one.kind for one in place.choices if one.kind is not None]
    if kind.startswith("union_tag") and kinds:
        return _kind_text(kinds, path, problem["input"], is_missing=kind == "union_tag_not_found")
    if kind == "missing" and place.choices:
        return f"key {path} is missing: {expected(place.choices)}{_such_as(place, with_key=True)}"
    text = str(problem["msg"]).removeprefix(OWN_TEXT) if kind == "value_error" else _must_be(place, problem)
    return f"key {path}: {text}" if path else text


def _must_be(place: KeyPlace, problem: Mapping[str, Any]) -> str:
    """What a value, or the name of a key, must be."""
    if not place.choices:
        return "cannot be used"
    if place.is_key:
        advice = "" if isinstance(place.path[-1], str) else ": write it in quotes"
        return f"its name must be {expected(place.choices)}{_such_as(place)}{advice}"
    received = ", not infinite" if problem["type"] == "finite_number" else _received(problem["input"], place.choices)
    return f"must be {expected(place.choices)}{_such_as(place)}{received}"


def shown_path(parts: Sequence[int | str]) -> str:
    """The dotted path of a key."""
    return ".".join(_shown_part(part) for part in parts)[:SHOWN_KEY_CHARACTERS]


def _shown_part(part: object) -> str:
    """A key as YAML has it, whatever its type."""
    names = {"None": "null", "True": "true", "False": "false"}
    return names.get(str(part), str(part)[:SHOWN_KEY_CHARACTERS])


def _such_as(place: KeyPlace, *, with_key: bool = False) -> str:
    """An example, where the words do not say it all."""
    if not place.choices:
        return ""
    key = next((str(part) for part in reversed(place.path) if isinstance(part, str)), "")
    shown = example(place.choices, "" if place.is_key else key)
    says_all = all(
        one.schema.keys() & {"enum", "const"} or one.schema.get("type") == "boolean" for one in place.choices
    )
    if shown is None or (says_all and not with_key):
        return ""
    if with_key and place.path and isinstance(place.path[-1], str):
        return f", such as {as_yaml({key: shown})[1:-1]}"
    return f", such as {as_yaml(shown)}"


# What is expected


def expected(found: Sequence[Choice]) -> str:
    """What a value must be, with an article.

    Args:
        found: the shapes that it may have.
    """
    kinds = [one.kind for one in found if one.kind is not None]
    if len(kinds) > 1:
        return f"a section of kind {_listed(kinds, 'or')}"
    types = {one.schema.get("type") for one in found}
    if types >= PLAIN:
        return "a number, a text, true or false" + (", or a list of them" if "array" in types else "")
    return ", or ".join(dict.fromkeys(_expected(one) for one in found))


def _expected(one: Choice) -> str:
    schema = one.schema
    if "enum" in schema or "const" in schema:
        values = [str(value) for value in schema.get("enum", [schema.get("const")])]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if one.is_section:
        return _section_words(one)
    if one.values:
        return f"a mapping of names to {_plural(one.values)}{_count(schema, 'Properties')}"
    if one.items:
        return f"a list of {_plural(one.items)}{_count(schema, 'Items')}"
    return _plain(schema)


def _plain(schema: Mapping[str, Any]) -> str:
    words = WORDS.get(schema.get("pattern", ""))
    texts = {
        "boolean": "true or false",
        "integer": f"a whole number{_bounds(schema)}",
        "number": f"a number{_bounds(schema)}",
    }
    return texts.get(schema.get("type", ""), f"a text{_length(schema)}" if words is None else words.expected)


def _section_words(one: Choice) -> str:
    keys = [key for key in one.required if key != KIND]
    if keys:
        return f"a section with the {'key' if len(keys) == 1 else 'keys'} {_listed(keys, 'and')}"
    return f"a section with keys such as {_listed(list(one.keys)[:3], 'and')}"


def _plural(found: Sequence[Choice]) -> str:
    names = []
    for one in found:
        schema = one.schema
        if "enum" in schema:
            names.append(f"some of {', '.join(map(str, schema['enum']))}")
        elif one.is_section or one.kind is not None:
            names.append("sections")
        elif one.items:
            names.append("lists")
        else:
            plain = {"boolean": "true or false", "integer": "whole numbers", "number": "numbers"}
            names.append(plain.get(schema.get("type", ""), _texts(schema)) + _bounds(schema))
    return " or ".join(dict.fromkeys(names)).replace("list of some of", "list of")


def _texts(schema: Mapping[str, Any]) -> str:
    return "names" if schema.get("pattern") in WORDS else "texts"


def _bounds(schema: Mapping[str, Any]) -> str:
    names = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    least, most, above, below = (_bound(schema.get(name)) for name in names)
    if least is not None and most is not None:
        return f" from {least} to {most}"
    lower = f" of at least {least}" if least is not None else f" above {above}" if above is not None else ""
    upper = f" of at most {most}" if most is not None else f" below {below}" if below is not None else ""
    return f"{lower} and{upper}" if lower and upper else lower or upper


def _bound(value: float | None) -> int | float | None:
    """A bound as it is shown; none where nobody comes near it."""
    if value is None or abs(value) >= GREATEST_BOUND:
        return None
    return int(value) if value == int(value) else value


def _count(schema: Mapping[str, Any], what: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is not None and most is not None:
        return f", {least} to {most} of them"
    if least is not None:
        return f", at least {least} of them"
    return "" if most is None else f", at most {most} of them"


def _length(schema: Mapping[str, Any]) -> str:
    filled = " that is not empty" if schema.get("minLength") else ""
    return filled + (f" of at most {schema['maxLength']} characters" if "maxLength" in schema else "")


def _listed(names: Sequence[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


# What is there instead


def _received(value: object, found: Sequence[Choice]) -> str:
    """What stands there in place of what is expected, and how to write it; nothing if the type is right."""
    types = {str(one.schema.get("type", "string")) for one in found}
    name, type_name = _type(value)
    if type_name in types or (type_name == "integer" and "number" in types):
        return ""
    if value is None:
        return ", and has no value"
    return f", not {name}{_advice(type_name, types)}"


def _type(value: object) -> tuple[str, str]:
    """What a value is, in words and as JSON Schema has it."""
    for kind, words, name in _TYPES:
        if isinstance(value, kind):
            return words, name
    return "something else", "other"


def _advice(received: str, types: set[str]) -> str:
    if "string" in types and received == "boolean":
        return ": YAML takes yes, no, on and off for true and false, so write the text in quotes"
    if "string" in types and received in ("integer", "number", "date"):
        return ": write the text in quotes"
    if received == "string" and types & {"number", "integer", "boolean"}:
        return ": write it without quotes" + (", with a point for decimals" if "number" in types else "")
    return ""


# Keys


def _kind_text(kinds: Sequence[str], path: str, section: object, *, is_missing: bool) -> str:
    slips = [key for key in section if isinstance(key, str)] if isinstance(section, dict) else []
    slip, nearness = _nearest(KIND, slips)
    if is_missing and (nearness >= RATHER_NEAR or sorted(slip) == sorted(KIND)):
        return f"unknown key {path}.{slip}, did you mean {KIND}?"
    key = f"{path}.{KIND}".removeprefix(".")
    if is_missing:
        return f"key {key} is missing: one of {', '.join(kinds)}, such as {KIND}: {kinds[0]}"
    return f"key {key}: must be one of {', '.join(kinds)}"


def _no_text_as_key(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """A section whose keys are no texts."""
    place = find(model, location[:-1])
    path = shown_path(place.path)
    text = f"has a key that is no text; {_known(place)}{_such_as(place)}"
    return f"key {path} {text}" if path else text


def _known(place: KeyPlace) -> str:
    keys = _keys(place)
    shown = ", ".join(keys[:SHOWN_NAMES])
    return f"known keys are {shown}" + (f" and {len(keys) - SHOWN_NAMES} more" if len(keys) > SHOWN_NAMES else "")


def _keys(place: KeyPlace) -> list[str]:
    return list(dict.fromkeys(key for one in place.choices for key in one.keys))


def _unknown_key(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """A key that its section does not have: a slip, or a key of another section."""
    outer = find(model, location[:-1]).path
    above = KeyPlace(outer, _section_above(model, location))
    key, path = str(location[-1])[:SHOWN_KEY_CHARACTERS], shown_path((*outer, location[-1]))
    known = _keys(above)
    nearest, nearness = _nearest(key, known)
    meant = [nearest] if nearest and nearness >= NEAR else _meant_by(model, key, known)
    if meant:
        return f"unknown key {path}, did you mean {_listed(meant, 'or')}?"
    elsewhere = sections_with(model, key)
    if 0 < len(elsewhere) <= SHOWN_PLACES:
        places = [_section_name(*one) for one in elsewhere.items()]
        return f"unknown key {path}: {key} belongs {_listed(places, 'or')}"
    if nearest and (nearness >= RATHER_NEAR or sorted(nearest) == sorted(key)):
        return f"unknown key {path}, did you mean {nearest}?"
    further, how_near = _nearest(key, sorted(every_key(model)))
    sections = list(sections_with(model, further))
    if how_near >= NEAR and len(sections) <= SHOWN_PLACES:
        meant = [f"{section}.{further}".removeprefix(".") for section in sections]
        return f"unknown key {path}, did you mean {_listed(meant, 'or')}?"
    for file, other in getattr(model, "other_files", {}).items():
        places = [_section_name(*one) for one in sections_with(other, key).items()]
        if 0 < len(places) <= SHOWN_PLACES:
            return f"unknown key {path}: {key} belongs {_listed(places, 'or')} in {file}"
    return f"unknown key {path}; {_known(above)}" if known else f"unknown key {path}"


def _meant_by(model: type[BaseModel], key: str, known: Sequence[str]) -> list[str]:
    """The keys, with their sections, that another tool's word for one stands for."""
    word = OTHER_WORDS.get(key, "")
    if not word or word in known:
        return [word] if word else []
    return [f"{section}.{word}".removeprefix(".") for section in sections_with(model, word)][:SHOWN_PLACES]


def _section_above(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[Choice, ...]:
    """The shapes of the section that an unknown key stands in; where it has kinds, that of its kind."""
    found = find(model, location[:-1]).choices
    tag = str(location[-2]).strip("[]") if len(location) > 1 else ""
    tagged = tuple(one for one in found if one.kind == tag)
    return tagged or tuple(one for one in found if one.is_section)


def _section_name(path: str, kinds: Sequence[str]) -> str:
    """Where a key belongs, in words."""
    place = f"to {path}" if path else "to no section: it stands at the left margin"
    return f"{place} of kind {_listed(kinds, 'or')}" if kinds else place


def _nearest(key: str, known: Sequence[str]) -> tuple[str, float]:
    """The known key that is written most alike; among equally near ones, one of the same letters in another order."""
    near = {one: difflib.SequenceMatcher(None, one, key).ratio() for one in known}
    if not near:
        return "", 0.0
    return max(near.items(), key=lambda pair: (pair[1], sorted(pair[0]) == sorted(key), pair[0]))

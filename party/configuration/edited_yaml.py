"""Changes to the text of a YAML file that leave its comments, its order and everything else as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from party.configuration.yaml_file import parse_yaml
from party.configuration.yaml_text import flow_text
from party.errors import ConfigurationError

Path = Sequence[str | int]


def with_entry(text: str, key: str, entry: Mapping[str, object], where: object) -> str:
    """Adds an entry to the end of a list at the top level.

    Args:
        text: of the file.
        key: of the list; it may be absent or empty.
        entry: what to add.
        where: path of the file, for errors.

    Returns:
        The new text.

    Raises:
        ConfigurationError: the text is no YAML, or is written in a way that cannot be changed without risk.
    """
    wanted = parse_yaml(text, where)
    line = flow_text(entry)
    present = wanted.get(key) or []
    if not isinstance(present, list):
        raise _unchangeable(f"{key}:\n  - {line}", where)
    wanted[key] = [*present, dict(entry)]
    value = _value(_root(text), key)
    if value is None:
        changed = f"{_ended(text)}{key}:\n  - {line}\n"
    elif not isinstance(value, yaml.SequenceNode) or not value.value:
        changed = _filled(text, value, line)
    elif value.flow_style:
        end = value.value[-1].end_mark.index
        changed = f"{text[:end]}, {line}{text[end:]}"
    else:
        changed = _with_line(text, _end(value), " " * value.start_mark.column + f"- {line}")
    return _checked(changed, wanted, f"{key}:\n  - {line}", where)


def with_value(text: str, path: Path, value: object, where: object) -> str:
    """Sets one value, wherever it stands.

    Args:
        text: of the file.
        path: the keys that lead to the value, with the numbers of entries of lists; all but the last may be absent at
            the top level only.
        value: the new value.
        where: path of the file, for errors.

    Returns:
        The new text.

    Raises:
        ConfigurationError: as for `with_entry`.
    """
    wanted = parse_yaml(text, where)
    _set(wanted, path, value)
    *outer, last = path
    parent: yaml.Node | None = _root(text)
    for part in outer:
        parent = _value(parent, part)
    present = _value(parent, last)
    line = f"{last}: {flow_text(value)}"
    if present is not None:
        start, end = present.start_mark.index, _end(present)
        blank = "" if text[start - 1 : start].isspace() else " "
        changed = text[:start] + blank + flow_text(value) + text[end:]
    elif not outer:
        changed = f"{_ended(text)}{line}\n"
    elif not isinstance(parent, yaml.MappingNode):
        changed = f"{_ended(text)}{outer[0]}: {{{line}}}\n"
    elif parent.flow_style:
        end = parent.end_mark.index - 1
        changed = f"{text[:end]}{', ' if parent.value else ''}{line}{text[end:]}"
    else:
        changed = _with_line(text, _end(parent), " " * parent.start_mark.column + line)
    return _checked(changed, wanted, line, where)


def _root(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _value(node: yaml.Node | None, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        entry: yaml.Node = node.value[key]
        return entry
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends; a block's own mark stands behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _filled(text: str, value: yaml.Node, line: str) -> str:
    """The text with a first entry of a list that is written as nothing or as []."""
    before, after = text[: value.start_mark.index].rstrip(" "), text[value.end_mark.index :]
    comment, mark, rest = after.partition("\n")
    return f"{before}{comment.rstrip()}\n  - {line}{mark or chr(10)}{rest}"


def _with_line(text: str, end: int, line: str) -> str:
    """The text with a line of its own after the line in which a place is."""
    line_end = text.find("\n", max(end - 1, 0)) if text[end - 1 : end] == "\n" else text.find("\n", end)
    if line_end < 0:
        return f"{text}\n{line}\n"
    return f"{text[: line_end + 1]}{line}\n{text[line_end + 1 :]}"


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _set(content: dict[str, Any], path: Path, value: object) -> None:
    place: Any = content
    for part in path[:-1]:
        if isinstance(place, dict) and place.get(part) is None:
            place[part] = {}
        place = place[part]
    place[path[-1]] = value


def _checked(changed: str, wanted: Mapping[str, Any], addition: str, where: object) -> str:
    """The new text, if it says what it should and nothing else."""
    try:
        is_as_wanted = parse_yaml(changed, where) == wanted
    except ConfigurationError:
        is_as_wanted = False
    if not is_as_wanted:
        raise _unchangeable(addition, where)
    return changed


def _unchangeable(addition: str, where: object) -> ConfigurationError:
    return ConfigurationError(
        "is written in a way that cannot be changed without risk",
        where=where,
        fix=f"change it by hand: {' '.join(addition.split())}",
    )

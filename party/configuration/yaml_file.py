"""Reading a YAML file whose top level is a mapping, with errors that name the line and say what to write."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from party.configuration.extent import FILE_EXTENT, check_extent
from party.errors import ConfigurationError

MAXIMUM_FILE_BYTES = 1 << 20
PUBLIC = "its configuration is not valid YAML"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
SHOWN_CHARACTERS = 64

_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"

# What PyYAML says, and what it means for whoever writes the file; the first that fits.
_MEANINGS = (
    (r"found character '\\t'", "a tab: indent with blanks"),
    (r"found character '`'", 'a text that begins with ` needs quotes, such as rule: "`income_>50K` == 1"'),
    (r"found character '(.)' that cannot start", r"a text that begins with \1 needs quotes"),
    (
        r"mapping values are not allowed here",
        "a colon where none can stand: a text with ': ' in it needs quotes, and a section begins on a line of its own",
    ),
    (
        r"expected <block end>, but found",
        "the indentation does not fit the lines above: keys of one section begin in one column",
    ),
    (r"could not find expected ':'", "a line that is no key: write KEY: VALUE, or indent it below its key"),
    (r"expected ',' or '\]'", "a list in [ ] lacks a comma or its end"),
    (r"expected ',' or '\}'", "a mapping in { } lacks a comma or its end"),
    (r"found unexpected end of stream", "a quote that is never closed"),
    (r"found unknown escape character", r"a backslash in double quotes: write single quotes around the text"),
    (r"expected alphabetic or numeric character, but found", "a text that begins with * or & needs quotes"),
    (r"found undefined alias", "a text that begins with * needs quotes"),
    (r"2002:merge", "a key << is not taken: write the keys out"),
    (r"could not determine a constructor|no tag handle|unknown tag", "a text that begins with ! needs quotes"),
    (r"expected a single document|but found another document", "a second document: a file has one, without --- inside"),
)


class _Loader(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice, where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key is no plain value", problem_mark=key_node.start_mark)
            if key in seen:
                shown = repr(key)[:SHOWN_CHARACTERS]
                raise yaml.MarkedYAMLError(problem=f"key {shown} is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _without_traps() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Which plain texts are numbers: as in YAML 1.2, not as in 1.1, which PyYAML follows.

    By YAML 1.1, 1e-3 is a text, 010 is eight, 22:30 is 1350, and 2024-01-31 is no text.
    """
    kept = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INTEGER, _FLOAT, _TIMESTAMP)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    integer = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)\Z")
    number = re.compile(
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
    )
    for first in "-+.0123456789":
        kept[first] = [*kept.get(first, []), (_INTEGER, integer), (_FLOAT, number)]
    return kept


_Loader.yaml_implicit_resolvers = _without_traps()


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file whose top level is a mapping.

    Args:
        path: the file.

    Returns:
        The mapping.

    Raises:
        ConfigurationError: the file is missing, unreadable or too large, is not YAML, or holds no mapping.
    """
    return parse_yaml(_read_text(usable_path(path)), path)


def parse_yaml(text: str, where: object) -> dict[str, Any]:
    """Parses the text of a YAML file whose top level is a mapping.

    Args:
        text: of the file.
        where: path of the file, for errors.

    Returns:
        The mapping.

    Raises:
        ConfigurationError: the text is not YAML, or holds no mapping.
    """
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = f"{where}:{error.problem_mark.line + 1}" if error.problem_mark else str(where)
        raise ConfigurationError(
            f"not valid YAML: {_meaning(str(error.problem))}", where=mark, public_message=PUBLIC
        ) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigurationError(
            "not valid YAML: a control character, which no text may hold",
            where=f"{where}:{line}",
            public_message=PUBLIC,
        ) from error
    except RecursionError as error:
        raise ConfigurationError("not valid YAML: nested too deeply", where=where) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError("not valid YAML: a number or text that cannot be read", where=where) from error
    if not isinstance(content, dict):
        received = "nothing" if content is None else "a list" if isinstance(content, list) else "a single value"
        raise ConfigurationError(
            "is no mapping of keys to values", where=where, received=received, fix="begin with KEY: VALUE"
        )
    check_extent(content, FILE_EXTENT, where)
    return content


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


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError("configuration file not found", where=path.absolute(), fix="check --config") from None
    except IsADirectoryError as error:
        raise ConfigurationError(
            "cannot be read (IsADirectoryError)", where=path, expected="a YAML file", received="a folder"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read ({error.__class__.__name__})", where=path) from error
    if len(data) > MAXIMUM_FILE_BYTES:
        raise ConfigurationError("is too long", where=path, expected=f"at most {MAXIMUM_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        received = "UTF-16" if data.startswith(UTF16_MARKS) else ""
        raise ConfigurationError(
            "is not UTF-8",
            where=path if received else f"{path}:{line}",
            received=received,
            fix="save the file as UTF-8",
            public_message="its configuration is not UTF-8",
        ) from error


def _meaning(problem: str) -> str:
    """What is wrong, for whoever writes the file."""
    for pattern, meaning in _MEANINGS:
        found = re.search(pattern, problem)
        if found is not None:
            return found.expand(meaning) if found.groups() else meaning
    return problem

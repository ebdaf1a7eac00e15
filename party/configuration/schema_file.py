"""The JSON Schema beside a configuration, and the line by which editors find it."""

from __future__ import annotations

from pathlib import Path

_LINE = "# yaml-language-server: $schema={name}\n"


def schema_path(target: Path) -> Path:
    """Where the schema of a configuration is written.

    Args:
        target: path of the configuration.
    """
    return target.with_suffix(".schema.json")


def with_schema_line(text: str, target: Path) -> str:
    """The text of a configuration whose first line names its schema.

    Args:
        text: of the configuration.
        target: path of the configuration.
    """
    return _LINE.format(name=schema_path(target).name) + text

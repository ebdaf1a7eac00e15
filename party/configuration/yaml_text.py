"""Values as the text of a YAML file, such that `yaml_file` reads the very same values."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*")
# What YAML takes for something else than a text, in one of its versions.
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_WIDTH = 1 << 30  # a text stays on one line


def flow_text(value: object) -> str:
    """Writes a value on one line.

    Args:
        value: a text, number, truth value, or a list or mapping of these.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{flow_text(key)}: {flow_text(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow_text, value))}]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted: str = yaml.dump(text, default_style='"', allow_unicode=True, width=_WIDTH)
    return quoted.removesuffix("\n")

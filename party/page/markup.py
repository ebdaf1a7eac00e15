"""HTML in which every text is escaped unless it was made here."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Self

from party.security.printable import printable

EMPTY_ELEMENTS = frozenset({"meta", "rect", "line", "polyline", "circle"})
MOST_CHARACTERS = 4000  # of one text


class Markup(str):
    """HTML; any other string is a text."""

    __slots__ = ()

    def __new__(cls, content: str = "") -> Self:
        """Takes a string as HTML, without escaping it."""
        return super().__new__(cls, content)


def element(name: str, /, *children: str, **attributes: str) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: texts, which are escaped, and markup.
        attributes: by name; a trailing `_` is dropped, any other one becomes `-`. Values are escaped.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value, len(value))}"' for key, value in attributes.items()
    )
    if name in EMPTY_ELEMENTS:
        return Markup(f"<{name}{written}>" if name == "meta" else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Markup:
    """Texts and markup one after the other.

    Args:
        children: texts, which are escaped, and markup.
    """
    return Markup("".join(str(one) if isinstance(one, Markup) else _escaped(one) for one in children))


def prose(text: str) -> Markup:
    """A text of this software, in which backticks set commands and keys apart.

    Args:
        text: with an even number of backticks.
    """
    pieces = text.split("`")
    return joined(element("code", one) if place % 2 else one for place, one in enumerate(pieces))


def _escaped(text: str, most_characters: int = MOST_CHARACTERS) -> str:
    """A text of anybody; what cannot be printed could turn the direction of the text around it."""
    return html.escape(printable(text, most_characters))

"""Lists as text, in the notations of JSON, Python and NumPy; nothing of them is ever executed."""

from __future__ import annotations

import re
from decimal import Decimal

from party.configuration.canonical_text import canonical_text

MAXIMUM_CHARACTERS = 1 << 20  # of a cell: beyond, it counts as no list
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_TOKEN = re.compile(r"""\s*(?:('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([^\s,'"()\[\]{}:]+)|(,))\s*""", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_WORDS = {"true": "true", "True": "true", "false": "false", "False": "false"}
_NOTHING = ("null", "None", "nan", "NaN")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_PLAIN = ("'", '"', "\\", "/")
_LARGEST_EXACT = 2**53


def is_list(text: str) -> bool:
    """Whether a text is a list as `read_list` reads it."""
    return text.lstrip()[:1] in _BRACKETS and read_list(text) is not None


def read_list(text: str) -> list[str] | None:
    """Reads a list of texts and numbers.

    Args:
        text: such as `["a", "b"]`, `['a', 2]`, `('a',)`, `{'a', 'b'}` or, as NumPy prints arrays, `['a' 'b']`.

    Returns:
        The elements as text: whole numbers without a point, `true` and `false`; null, None and nan are left out. None
        for any other text, for nested lists, and for words without quotes.
    """
    stripped = text.strip()
    if len(stripped) > MAXIMUM_CHARACTERS or _BRACKETS.get(stripped[:1]) != stripped[-1:]:
        return None
    tokens = _tokens(stripped[1:-1])
    return None if tokens is None else _elements(tokens)


def _tokens(inner: str) -> list[re.Match[str]] | None:
    tokens: list[re.Match[str]] = []
    place = 0
    if not inner.strip():
        return tokens
    while place < len(inner):
        token = _TOKEN.match(inner, place)
        if token is None:
            return None
        tokens.append(token)
        place = token.end()
    return tokens


def _elements(tokens: list[re.Match[str]]) -> list[str] | None:
    """Elements stand between commas, of which one may follow the last; or, without any comma, between blanks."""
    has_commas = any(token[3] for token in tokens)
    if has_commas:
        if any(bool(token[3]) != bool(number % 2) for number, token in enumerate(tokens)):
            return None
    elif any(not before[0][-1].isspace() for before in tokens[:-1]):  # each has the blanks that follow it
        return None
    found: list[str] = []
    for token in tokens:
        if token[3]:
            continue
        element = _unescaped(token[1][1:-1]) if token[1] else _plain(token[2])
        if element is None:
            return None
        found.extend(element)
    return found


def _plain(word: str) -> tuple[str, ...] | None:
    """An element without quotes; empty for one that says there is none."""
    if word in _NOTHING:
        return ()
    if word in _WORDS:
        return (_WORDS[word],)
    if _NUMBER.fullmatch(word) is None:
        return None
    if word.lstrip("+-").isdigit():
        return (word.removeprefix("+"),)
    number, written = float(word), Decimal(word)
    text = str(int(number)) if number.is_integer() and abs(number) < _LARGEST_EXACT else repr(number)
    # A float may have lost digits, as of an id with a point behind it.
    return (text if Decimal(text) == written else canonical_text(str(written)),)


def _unescaped(quoted: str) -> tuple[str] | None:
    if "\\" not in quoted:
        return (quoted,)

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code is not None:
            return chr(int(code, 16))
        return _LETTERS.get(match[4], match[4] if match[4] in _PLAIN else match[0])

    try:
        # JSON writes what lies beyond 16 bits as two halves.
        return (_ESCAPE.sub(character, quoted).encode("utf-16", "surrogatepass").decode("utf-16"),)
    except (ValueError, OverflowError):
        return None

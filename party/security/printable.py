"""Makes text from other machines safe for an error message and a log."""

from __future__ import annotations

SHOWN_CHARACTERS = 64


def printable(text: str, maximum_characters: int = SHOWN_CHARACTERS) -> str:
    """Shortens a text and removes what cannot be printed on one line.

    Args:
        text: text of a peer or a coordinator.
        maximum_characters: length of the result.

    Returns:
        The beginning of the text, with `?` in place of what cannot be printed.
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text[:maximum_characters])

"""Text that came from elsewhere, made fit for an error message and a log."""

from __future__ import annotations

SHOWN_CHARACTERS = 64


def printable(text: str, maximum_characters: int = SHOWN_CHARACTERS) -> str:
    """Text that stays on its line and within bounds.

    Args:
        text: of a peer or a coordinator.
        maximum_characters: of the result.

    Returns:
        The beginning of the text, `?` in the place of what cannot be printed.
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text[:maximum_characters])

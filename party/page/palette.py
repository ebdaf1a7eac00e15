"""The colours of all pages, on light and on dark ground; tests compute their contrasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """A colour of the style sheet.

    Attributes:
        light: on light ground, `#rrggbb`.
        dark: on dark ground.
    """

    light: str
    dark: str


GROUNDS: Mapping[str, Colour] = {
    "ground": Colour("#ffffff", "#14181d"),
    "panel": Colour("#f3f5f8", "#1d232a"),
}
INKS: Mapping[str, Colour] = {
    "ink": Colour("#1b1f24", "#e8ebef"),
    "muted": Colour("#4b535d", "#aeb7c2"),
    "link": Colour("#0b57a4", "#86bbf5"),
    "series-1": Colour("#1f5fa8", "#7db4f0"),
    "series-2": Colour("#a8430a", "#f0a36b"),
    "series-3": Colour("#1d7148", "#6fce9d"),
    "series-4": Colour("#7a3fa3", "#c79bec"),
    "series-5": Colour("#9b1c4a", "#f08fb0"),
    "series-6": Colour("#5a5a00", "#cbd06a"),
}
RULES: Mapping[str, Colour] = {
    "rule": Colour("#cbd2da", "#3b454f"),
    "track": Colour("#e3e7ec", "#2b333c"),
}
FILLS: Mapping[str, tuple[Colour, Colour]] = {  # a fill and the text on it
    "red": (Colour("#fbdcd9", "#4a1512"), Colour("#7a1610", "#ffb4ab")),
    "orange": (Colour("#fde7d3", "#4a2a0c"), Colour("#7a3a06", "#ffc899")),
    "yellow": (Colour("#fdf4cf", "#403506"), Colour("#5e4b04", "#f2dd8a")),
    "green": (Colour("#dcf2e1", "#12361d"), Colour("#1d5429", "#9fe0b3")),
    "purple": (Colour("#eedcf7", "#3b1a50"), Colour("#551f75", "#e2bdf7")),
}
SERIES = tuple(name for name in INKS if name.startswith("series-"))


def variables(*, dark: bool) -> str:
    """The colours as custom properties of CSS.

    Args:
        dark: whether those on dark ground.
    """
    named = {**GROUNDS, **INKS, **RULES}
    for name, (fill, text) in FILLS.items():
        named |= {f"{name}-fill": fill, f"{name}-text": text}
    return " ".join(f"--{name}: {colour.dark if dark else colour.light};" for name, colour in named.items())

"""What else an invitation changed in a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from party.security.printable import printable

SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class ChangedSetting:
    """A key of a configuration with a new value.

    Attributes:
        key: with the names of its sections, such as `training.dataset`.
        value: in words.
        was: what stood there; None for nothing.
    """

    key: str
    value: str
    was: str | None

    @property
    def words(self) -> str:
        """The same in a sentence."""
        return f"set {self.key} to {self.value}" + ("" if self.was is None else f", was {self.was}")


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterator[ChangedSetting]:
    """Compares two states of a configuration, for its owner: datasets of a partner also choose what a run trains on.

    Args:
        before: content of the file.
        after: the same later.
        prefix: sections that both are in, each with a point.

    Yields:
        Every key whose value is another.
    """
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, dict):
            yield from changed_settings(known if isinstance(known, dict) else {}, value, f"{prefix}{key}.")
        elif value != known:
            yield ChangedSetting(f"{prefix}{key}", _shown(value), _shown(known) if known else None)


def _shown(value: Any) -> str:
    return printable(", ".join(map(str, value)) if isinstance(value, list) else str(value), SHOWN_CHARACTERS)

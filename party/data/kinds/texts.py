"""The vocabulary of an encoder: the distinct texts that its indices stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

MISSING = 0
UNKNOWN = 1
FIRST = 2


def _check_distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(texts)) != len(texts):
        raise ValueError("texts must differ")
    return texts


Texts = Annotated[tuple[str, ...], AfterValidator(_check_distinct), Field(repr=False)]


def vocabulary_size(texts: Texts) -> int:
    """Embedding rows of a vocabulary: one for missing cells, one for unknown texts, one for each text."""
    return FIRST + len(texts)


def index_by_text(texts: Texts) -> Mapping[str, int]:
    """Embedding row of each text; 0 is missing, 1 is unknown."""
    return {text: FIRST + position for position, text in enumerate(texts)}


def utf8_sorted(texts: Iterable[str]) -> Texts:
    """Sorts texts by their UTF-8 bytes: an order that no locale and no library changes."""
    return tuple(sorted(texts, key=str.encode))

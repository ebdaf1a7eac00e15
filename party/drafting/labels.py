"""What a model is trained to predict, from a column or a rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from party.configuration.canonical_text import canonical_text
from party.configuration.rules import rule_parts
from party.drafting.column import Column
from party.drafting.numbers import is_plain_number
from party.drafting.samples import Sample
from party.errors import ConfigurationError, DataError

LABEL_WORDS = frozenset(
    (
        *("label", "target", "y", "outcome", "response"),
        *("click", "clicked", "rating", "liked", "watched", "buy", "bought", "purchase", "purchased"),
        *("converted", "conversion", "churn", "churned", "default", "fraud"),
    )
)
POSITIVE = ("1", "true", "yes", "y", "t", "positive", "pos")
MOST_CLASSES = 100
BOTH = 2
_NO_WORD = re.compile(r"[^a-z0-9]+")
_NEEDS_QUOTES = re.compile(r"[<>=!]")
MAXIMUM_NAME = 63


@dataclass(frozen=True)
class DraftedLabel:
    """One label.

    Attributes:
        name: of the label.
        column: that it is read from.
        keys: its keys, in the order to be written.
        why: what it is, for a comment.
    """

    name: str
    column: str
    keys: Mapping[str, object] = field(repr=False)
    why: str


def draft_label(given: str, sample: Sample) -> DraftedLabel:
    """Makes a label of what the owner gave.

    Args:
        given: a column, or a rule such as `Rating > 3`.
        sample: the dataset to train on.

    Returns:
        The label.

    Raises:
        ConfigurationError: it is neither.
        DataError: the column has no label that a model could learn.
    """
    if given in sample.columns:
        return _of_column(sample.column(given))
    try:
        parts = rule_parts(given)
    except ValueError:
        raise ConfigurationError(
            "is neither a column nor a rule", where="--label", expected="a column, or a rule such as Rating > 3"
        ) from None
    if parts.column not in sample.columns:
        raise sample.lacks(parts.column, "--label")
    return DraftedLabel(_name_of(parts.column), parts.column, {"rule": given}, "true is the positive class")


def label_candidates(sample: Sample, taken: Sequence[str]) -> list[str]:
    """The columns that might be labels: by their names, or by two values.

    Args:
        sample: the dataset to train on.
        taken: columns that are something else.
    """
    columns = [sample.column(name) for name in sample.columns if name not in taken]
    named = [one.name for one in columns if not one.words.isdisjoint(LABEL_WORDS)]
    two = [one.name for one in columns if len(one.given) == BOTH and one.name not in named]
    return [*named, *two]


def lacks_labels(label: DraftedLabel, sample: Sample) -> bool:
    """Whether some rows of a dataset have no label.

    Args:
        label: a label.
        sample: a dataset with its column.
    """
    column = sample.column(label.column)
    return column.given_rows < column.rows


def _of_column(column: Column) -> DraftedLabel:
    name, texts = _name_of(column.name), {canonical_text(text) for text in column.given}
    if len(texts) < BOTH:
        raise DataError(
            "has fewer than two different labels", where=f"column {column.name}", fix="name another column, or a rule"
        )
    if len(texts) == BOTH:
        positive = _positive(column, texts)
        rule = f"{_quoted(column.name)} == {_operand(positive)}"
        return DraftedLabel(name, column.name, {"rule": rule}, "true is the positive class")
    if all(map(is_plain_number, column.given)):
        why = "a number to be predicted; for a class, write a rule such as rule: COLUMN > 3"
        return DraftedLabel(name, column.name, {"kind": "regression", "column": column.name}, why)
    if len(texts) > MOST_CLASSES:
        raise DataError(
            "has too many different labels",
            where=f"column {column.name}",
            expected=f"two values, at most {MOST_CLASSES} classes, or numbers",
            fix="give a rule, such as --label 'COLUMN == VALUE'",
        )
    keys = {"kind": "multi_class", "column": column.name, "classes": sorted(texts)}
    return DraftedLabel(name, column.name, keys, f"one of {len(texts)} classes")


def _positive(column: Column, texts: set[str]) -> str:
    """The value that means yes; else the rarer one."""
    meant = [text for text in texts if text.lower() in POSITIVE]
    if len(meant) == 1:
        return meant[0]
    counts = {text: sum(count for one, count in column.given.items() if canonical_text(one) == text) for text in texts}
    return min(sorted(texts), key=lambda text: counts[text])


def _quoted(name: str) -> str:
    return f"`{name}`" if _NEEDS_QUOTES.search(name) else name


def _operand(text: str) -> str:
    return text if is_plain_number(text) else f'"{text}"' if '"' not in text else f"'{text}'"


def _name_of(column: str) -> str:
    name = _NO_WORD.sub("_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).lower()).strip("_")
    name = name if name[:1].isalpha() else f"label_{name}".strip("_")
    return name[:MAXIMUM_NAME]

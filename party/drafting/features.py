"""A guess for each column, tried on the very rows before it is proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from party.configuration.canonical_text import VALUE_SEPARATOR
from party.configuration.features import AnyFeature
from party.data.encoders import fit_encoders
from party.data.text_columns import TextColumns, canonical_column_of
from party.drafting.categories import guess_category
from party.drafting.column import Column
from party.drafting.dates import guess_date
from party.drafting.guess import Guess, LeftOut
from party.drafting.numbers import CODE_WORDS, guess_number, has_decimal_comma
from party.drafting.samples import Sample
from party.drafting.several import guess_several
from party.errors import DataError

FEWEST_ROWS = 20
_ANY_FEATURE: TypeAdapter[AnyFeature] = TypeAdapter(AnyFeature)


def guess_features(samples: Sequence[Sample], taken: Mapping[str, str]) -> dict[str, Guess | LeftOut]:
    """Guesses the feature of each column of the first dataset.

    Args:
        samples: all datasets, the one to train on first; a feature must be readable in each.
        taken: what other columns are for, by name.

    Returns:
        What each column is, in the file's order.
    """
    first, *others = samples
    found: dict[str, Guess | LeftOut] = {name: LeftOut(why) for name, why in first.unreadable.items()}
    columns = {name: first.column(name) for name in first.columns}
    decimal_comma = any(has_decimal_comma(column) for column in columns.values())
    for name, column in columns.items():
        lacking = [one.dataset for one in others if name not in one.columns]
        if name in taken:
            found[name] = LeftOut(taken[name])
        elif lacking:
            found[name] = LeftOut(f"{', '.join(lacking)} lacks it")
        else:
            found[name] = _guess(column, samples, decimal_comma=decimal_comma)
    return {name: found[name] for name in dict.fromkeys([*first.names, *found]) if name in found}


def _guess(column: Column, samples: Sequence[Sample], *, decimal_comma: bool) -> Guess | LeftOut:
    nothing = _nothing_to_learn(column)
    if nothing is not None:
        return nothing
    several = guess_several(column)
    has_separator = several is not None and "separator" in several.keys
    first, last = (None, several) if has_separator else (several, None)
    for guess in (first, guess_date(column), guess_number(column, decimal_comma=decimal_comma), last):
        if guess is not None and _is_readable(guess, column.name, samples):
            return guess
    if any(VALUE_SEPARATOR in text for text in column.given):
        return LeftOut("holds lists that are too long to be read")
    category = guess_category(column)
    if isinstance(category, Guess) and not _is_readable(category, column.name, samples):
        return LeftOut("holds values that no kind reads")
    return category


def _nothing_to_learn(column: Column) -> LeftOut | None:
    if not column.given:
        return LeftOut("is empty")
    if len(column.given) == 1 and column.given_rows == column.rows:
        return LeftOut("has one value in all rows: nothing to learn from")
    if column.is_unique and column.rows >= FEWEST_ROWS and not column.words.isdisjoint(CODE_WORDS):
        return LeftOut("another value in every row, and a name as ids have: nothing to learn from")
    return None


def _is_readable(guess: Guess, name: str, samples: Sequence[Sample]) -> bool:
    """Whether the feature can be fitted to the rows to train on, and all rows be encoded by it."""
    try:
        feature = _ANY_FEATURE.validate_python(guess.section(name))
        fitted = fit_encoders("", (feature,), _as_read(samples[0], feature), "")
        for sample in samples:
            fitted.encode(_as_read(sample, feature), "")
    except (DataError, ValidationError):
        return False
    return True


def _as_read(sample: Sample, feature: AnyFeature) -> TextColumns:
    columns = {name: sample.columns[name] for name in feature.source_columns}
    if not feature.keeps_notation:
        columns = {name: canonical_column_of(column) for name, column in columns.items()}
    return TextColumns(columns, sample.rows)

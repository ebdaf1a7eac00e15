"""What the protection of a party's columns means, in words for its owner."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from party.configuration.party import PartyConfiguration
from party.configuration.privacy import AnyDomain, PrivateColumnsSection, RangeDomain
from party.privacy.levels import Levels
from party.privacy.replacement import change_probability

READABLE_EPSILON = 2.0  # of all columns of an entity: a question of two equal answers is then answered right at 88 %
DISCLOSED = "disclosed in every mode: the ids in common, which rows belong to one entity, and how many rows it has"
HINDRANCE = (
    "a hindrance, not a protection: it has no epsilon, it makes inference harder for a label party that trains"
    " honestly, and it does not stop a label party that sends gradients of its own choice"
)


@dataclass(frozen=True)
class ColumnWords:
    """What epsilon means for one private column.

    Attributes:
        name: name of the column.
        kind: what its cells may be.
        symbols: number of symbols that can be drawn.
        stays: probability that the true symbol is drawn; the best guess of somebody who sees the drawn one and holds
            all symbols for equally likely is right as often.
    """

    name: str
    kind: str
    symbols: int
    stays: float

    @property
    def blind(self) -> float:
        """How often a guess is right that sees nothing and holds all symbols for equally likely."""
        return 1.0 / self.symbols


def column_words(section: PrivateColumnsSection) -> list[ColumnWords]:
    """What epsilon means for every private column.

    Args:
        section: the party's private columns.

    Returns:
        One entry for each, in the order of the configuration.
    """
    return [_words(name, domain, section.share) for name, domain in section.columns.items()]


def privacy_lines(configuration: PartyConfiguration) -> Iterator[str]:
    """What a feature party's protection holds and does not.

    Args:
        configuration: the party's configuration.

    Yields:
        Sentences, each on a line of its own.
    """
    if configuration.holds_labels:
        return
    section, penalty = configuration.privacy.columns, configuration.privacy.decorrelate
    if section is None:
        yield "columns: no epsilon bounds what others can infer of them"
    else:
        yield from _private_lines(section, configuration)
    if penalty is not None:
        yield f"privacy.decorrelate {', '.join(penalty.columns)}: {HINDRANCE}"
    yield DISCLOSED if section is None else f"{DISCLOSED}; public columns: {', '.join(section.public) or 'none'}"


def _private_lines(section: PrivateColumnsSection, configuration: PartyConfiguration) -> Iterator[str]:
    count, entity = len(section.columns), section.entity or configuration.data.id_name
    odds = math.exp(section.epsilon)
    yield (
        f"private columns: epsilon {section.epsilon:g} for all of one entity, {section.share:g} for each of {count};"
        f" drawn once for each {entity}, in all datasets, epochs and runs"
    )
    yield (
        "whoever holds all that this party sends can raise the odds between any two guesses about one entity at most"
        f" {odds:.3g} times: a question with two equally likely answers is answered right in at most"
        f" {_percent(odds / (odds + 1))}"
    )
    if section.epsilon >= READABLE_EPSILON:
        yield (
            f"warning: privacy.columns.epsilon of {READABLE_EPSILON:g} and above is readable: somebody who knows how"
            " columns go together can guess most of them right"
        )
    read = configuration.data.feature_columns
    unused = [name for name in section.columns if name not in read]
    if unused:
        yield f"warning: no feature reads {', '.join(unused)}, whose share of epsilon is given away for nothing"


def _words(name: str, domain: AnyDomain, share: float) -> ColumnWords:
    if isinstance(domain, RangeDomain):
        levels = Levels(domain.minimum, domain.maximum, share).count
        kind, symbols = f"number, {levels} levels", levels + bool(domain.missing)
    else:
        kind, symbols = "text", len(domain.symbols)
    return ColumnWords(name, kind, symbols, 1.0 - change_probability(share, symbols))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"

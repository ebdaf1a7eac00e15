"""Protections in words for everybody: what each one means, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from party.page.document import Section
from party.page.markup import Markup, element, joined
from party.page.tables import bullets, chip, table

State = Literal["on", "off", "none", "unknown"]


@dataclass(frozen=True)
class Wording:
    """What is always true of a protection.

    Attributes:
        name: name of the protection.
        meaning: what it does, in one sentence.
        limit: what it does not do.
    """

    name: str
    meaning: str
    limit: str


@dataclass(frozen=True)
class RunProtection:
    """A protection of a run.

    Attributes:
        wording: what is always true of it.
        state: whether it was on; `none` for what protects nothing, `unknown` to whom the page is made for.
        detail: how it was set.
    """

    wording: Wording
    state: State
    detail: str


SEALED = Wording(
    "Sealed messages",
    "Every message between parties is encrypted and authenticated with keys that only they have; the coordinator relays"
    " it unread.",
    "Sizes and times of messages stay visible, and the party that a message is for reads what it holds.",
)
TLS = Wording(
    "Mutual TLS",
    "Every connection proves both names by certificates of the organisations' own authorities.",
    "Whoever holds the key of an organisation's authority can act in its name.",
)
ROUNDED = Wording(
    "Rounded metrics",
    "Figures for the coordinator come after whole passes, and are rounded so that one row hardly changes them.",
    "Each figure still tells a little about the labels; repeated evaluations add up, and owners limit their number.",
)
PRIVATE_LABELS = Wording(
    "Private labels",
    "Labels are replaced at random once, before anything is computed from them; epsilon bounds how well anybody can"
    " guess one, over all epochs and runs.",
    "At an epsilon of 2 and above, a party whose own columns say something reads most labels. A person with several"
    " rows loses several times the epsilon.",
)
PRIVATE_COLUMNS = Wording(
    "Private columns",
    "Declared columns are replaced at random once for each entity; epsilon bounds what anybody learns of them.",
    "Ids in common, rows of an entity and columns that are not declared stay visible. Useful models need an epsilon of"
    " about 8, which hides little.",
)
DECORRELATION = Wording(
    "Decorrelation",
    "A penalty in training makes chosen columns harder to read from what a party sends.",
    "It is a hindrance without a bound, and does not stop a label party that sends gradients of its choice.",
)
MASKED_SUMS = Wording(
    "Masked sums",
    "The label party gets only the sum of what the feature parties send, so that it cannot tell who contributed what.",
    "The sum reveals attributes as well as its parts do, labels leak as before, and parties that collude undo it.",
)
CODECS = Wording(
    "Codecs",
    "Shorter encodings of numbers save bytes on the network.",
    "They are no protection: what they drop is small, and the rest is as telling as before.",
)
NOISE = Wording(
    "Clipping and noise on messages",
    "This software does not offer them.",
    "Noise that is drawn anew for each message averages out over the epochs, so no bound on it holds.",
)
BUDGETS = Wording(
    "Policies and budgets",
    "Each owner's rules say who may ask for what and how often; a refusal comes before the first message.",
    "They limit how much is released, and not what each release tells. They count from the beginning of the ledger.",
)
NOT_PROTECTED = (
    "Split learning keeps raw columns and labels at home. It does not hide what crosses the cut, which is computed from"
    " them.",
    "The label party can read much of a feature party's columns from its hiddens, row by row and in every epoch.",
    "Without private labels, every feature party can read the training labels from its gradients.",
    "An alignment tells the parties which ids they have in common. Rows of one person can be linked in every mode.",
    "Whoever sends wrong numbers can spoil the model, and nobody can prove who it was.",
    "Parties that collude know what each of them knows, and more.",
    "Nothing here protects against somebody with full rights on a party's own machine.",
)
STATES: dict[State, str] = {"on": "on", "off": "off", "none": "no protection", "unknown": "not known here"}


def protection_sections(protections: Iterable[RunProtection], *after: Markup) -> tuple[Section, Section]:
    """The protections of a run, and what nothing protects.

    Args:
        protections: in the order of the rows.
        after: what stands below their table.
    """
    return (
        Section("protections", "Which protections were on", (protections_table(protections), *after)),
        Section("unprotected", "What split learning does not protect", (bullets(NOT_PROTECTED),)),
    )


def protections_table(protections: Iterable[RunProtection]) -> Markup:
    """A table of protections.

    Args:
        protections: in the order of the rows.
    """
    body = [
        (
            one.wording.name,
            joined([chip(STATES[one.state], one.state), element("small", one.detail)]),
            one.wording.meaning,
            one.wording.limit,
        )
        for one in protections
    ]
    return table("Protections of this run", ("protection", "in this run", "what it means", "where it ends"), body)

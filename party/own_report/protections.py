"""Which protections this party has, and whether the run had them."""

from __future__ import annotations

from collections.abc import Iterator

from party.configuration.budgets import SecretName
from party.ledger.account import Account, charges_by_session
from party.own_report.own_run import OwnRun
from party.page.document import Section
from party.page.markup import element
from party.page.protections import (
    BUDGETS,
    CODECS,
    DECORRELATION,
    MASKED_SUMS,
    NOISE,
    PRIVATE_COLUMNS,
    PRIVATE_LABELS,
    SEALED,
    TLS,
    RunProtection,
    State,
    protection_sections,
)
from party.page.tables import bullets
from party.policy.budget_uses import budget_use
from party.privacy.column_words import privacy_lines
from party.privacy.label_words import label_privacy_lines

NOW = "as this party's file says now"


def own_protections(run: OwnRun) -> tuple[Section, Section]:
    """The protections, and what nothing protects.

    Args:
        run: the run.
    """
    configuration = run.configuration
    words = [*label_privacy_lines(configuration.data.labels), *privacy_lines(configuration)]
    more = [element("h3", f"What they mean for this party, {NOW}"), bullets(words)] if words else []
    return protection_sections(_protections(run), *more)


def _protections(run: OwnRun) -> Iterator[RunProtection]:
    configuration = run.configuration
    yield RunProtection(SEALED, "on", "always")
    yield RunProtection(TLS, "off" if configuration.insecure else "on", NOW)
    wording = PRIVATE_LABELS if configuration.holds_labels else PRIVATE_COLUMNS
    yield RunProtection(wording, *_of_the_ledger(run))
    if not configuration.holds_labels:
        penalty = configuration.privacy.decorrelate
        detail = NOW if penalty is None else f"weight {penalty.weight:g}, {NOW}"
        yield RunProtection(DECORRELATION, "off" if penalty is None else "on", detail)
        summed = run.record.base is not None and run.record.base.summed
        yield RunProtection(MASKED_SUMS, "on" if summed else "off", "as the run's record says")
    use = budget_use(configuration, run.entries)
    budget = (
        "limits alone, no budget" if use.budget is None else f"a budget of epsilon {use.budget:g}, {use.left:g} left"
    )
    yield RunProtection(BUDGETS, "on", budget)
    codecs = {kind for one in run.lines for kind in one.codecs.values()}
    yield RunProtection(CODECS, "none", ", ".join(sorted(codecs)) or "no training was agreed")
    yield RunProtection(NOISE, "off", "in every run")


def _of_the_ledger(run: OwnRun) -> tuple[State, str]:
    """Whether a mechanism stood between this party's secret and what the run released, as its charges say."""
    secret: SecretName = "labels" if run.configuration.holds_labels else "columns"
    charges = charges_by_session(run.lines, run.configuration.label_party)
    account = Account(one for made in charges.values() for one in made)
    if secret not in account.secrets:
        return "unknown", "the run released nothing of them"
    if account.is_exact(secret):
        return "off", f"{secret} were used as they are: no epsilon bounds what was released"
    return "on", f"epsilon {float(account.of_mechanisms(secret)):g} in this run"

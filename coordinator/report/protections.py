"""Which protections were on, as far as the run configuration and the parties' statements tell."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.report.about import codec_text
from coordinator.report.released import metrics_are_rounded
from coordinator.report.stored_run import StoredRun
from party.page.document import Section
from party.page.markup import element, prose
from party.page.metric_words import is_standard_error
from party.page.protections import (
    BUDGETS,
    CODECS,
    DECORRELATION,
    MASKED_SUMS,
    NOISE,
    PRIVATE_COLUMNS,
    PRIVATE_LABELS,
    ROUNDED,
    SEALED,
    TLS,
    RunProtection,
    protection_sections,
)

OWNERS_ALONE = "its owner's own file says; a coordinator is not told"
NOT_KNOWN = (
    "“Not known here” means that the coordinator cannot see it. Ask the party's owner for `party report`, or for an"
    " audit, which measures what a run gave away."
)


def run_protections(stored: StoredRun) -> tuple[Section, Section]:
    """The protections, and what nothing protects.

    Args:
        stored: the run.
    """
    return protection_sections(_protections(stored), element("p", prose(NOT_KNOWN), class_="muted"))


def _protections(stored: StoredRun) -> Iterator[RunProtection]:
    training = stored.run.training
    yield RunProtection(SEALED, "on", "always")
    yield _tls(stored)
    yield _rounded(stored)
    masked = stored.run.masked_parties
    if masked:
        yield RunProtection(MASKED_SUMS, "on", f"of {len(masked)} feature parties")
    else:
        yield RunProtection(MASKED_SUMS, "off", "the label party gets each party's own hiddens")
    yield _private_labels(stored)
    yield RunProtection(PRIVATE_COLUMNS, "unknown", OWNERS_ALONE)
    yield RunProtection(DECORRELATION, "unknown", OWNERS_ALONE)
    yield RunProtection(BUDGETS, "unknown", OWNERS_ALONE)
    kinds = (training.codecs.hidden, training.codecs.gradient)
    detail = f"hiddens {codec_text(kinds[0])}; gradients {codec_text(kinds[1])}"
    yield RunProtection(CODECS, "none", detail)
    yield RunProtection(NOISE, "off", "in every run")


def _tls(stored: StoredRun) -> RunProtection:
    if not stored.statements:
        return RunProtection(TLS, "unknown", "statements of the parties are not stored")
    without = [name for name, stated in stored.statements.items() if stated.insecure]
    if without:
        return RunProtection(TLS, "off", f"turned off at {', '.join(without)}: allowed on one machine alone")
    return RunProtection(TLS, "on", "at all parties")


def _rounded(stored: StoredRun) -> RunProtection:
    rounded = metrics_are_rounded(stored)
    if rounded is None:
        return RunProtection(ROUNDED, "unknown", "no figure was released")
    if rounded:
        return RunProtection(ROUNDED, "on", "no figure has more than three digits that count")
    return RunProtection(ROUNDED, "off", "the label party's owner released exact figures")


def _private_labels(stored: StoredRun) -> RunProtection:
    names = [] if stored.history is None else list(stored.history.history)
    if any(is_standard_error(name, names) for name in names):
        return RunProtection(
            PRIVATE_LABELS, "on", "released figures state standard errors, as those of drawn labels do"
        )
    return RunProtection(PRIVATE_LABELS, "unknown", OWNERS_ALONE)

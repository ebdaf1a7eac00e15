"""What the figures of an attack mean: the verdict."""

from __future__ import annotations

import math

from party.audit.report.audit_row import AuditRow, AuditVerdict, Figure

OPEN = 0.9
READABLE = 0.75
IN_PART = 0.6
ERRORS = 3.0  # standard errors that a difference must exceed
READABLE_EPSILON = 2.0  # from here on, what epsilon allows is readable once an attacker adds own columns
CHANCE = 0.5
MOST_MARGIN = IN_PART - CHANCE  # a larger uncertainty would hide what is read in part


def judge(
    all_epochs: Figure,
    standard_error: float | None,
    *,
    without_run: Figure = None,
    ceiling: float | None = None,
) -> AuditVerdict:
    """The verdict on an attack.

    Args:
        all_epochs: with everything that left; the side that it takes does not matter.
        standard_error: of `all_epochs`.
        without_run: with the same knowledge and no run.
        ceiling: the most that the epsilon of the secret allows; None without one.

    Returns:
        `not measured` without a figure, and `above` a ceiling by more than ERRORS standard errors. With an epsilon
        below READABLE_EPSILON `within` it, unless the figure is above READABLE by as many. Else by the figure: `open`
        from OPEN on, `readable` from READABLE, `in part` from IN_PART, `nothing found` below, and where a figure is not
        above the one without a run by more than ERRORS standard errors. `too few rows` in place of `within` and
        `nothing found` where ERRORS standard errors are more than MOST_MARGIN: then such a verdict would say nothing.
    """
    if not isinstance(all_epochs, float):
        return "not measured"
    figure = max(all_epochs, 1.0 - all_epochs)
    margin = ERRORS * (standard_error or 0.0)
    if ceiling is not None and figure > ceiling + margin:
        return "above"
    bounds = ceiling is not None and ceiling < epsilon_ceiling(READABLE_EPSILON)
    if bounds and figure <= READABLE + margin:
        return "within" if margin <= MOST_MARGIN else "too few rows"
    known = without_run if isinstance(without_run, float) else CHANCE
    if figure < IN_PART or figure - max(known, 1.0 - known) <= margin:
        return "nothing found" if margin <= MOST_MARGIN else "too few rows"
    return "open" if figure >= OPEN else "readable" if figure >= READABLE else "in part"


def judged(row: AuditRow) -> AuditRow:
    """The row with the verdict that follows from its figures, whatever verdict came with it."""
    verdict = judge(row.all_epochs, row.standard_error, without_run=row.without_run, ceiling=row.ceiling)
    return row.model_copy(update={"verdict": verdict})


def epsilon_ceiling(epsilon: float) -> float:
    """The largest area under the ROC curve that epsilon allows between two values of a secret.

    Args:
        epsilon: above 0.

    Returns:
        1 / (1 + e^-epsilon).

    Reference:
        Kairouz, Oh and Viswanath, "The Composition Theorem for Differential Privacy", ICML 2015: the area under the
        boundary of the region of an epsilon-private test.
    """
    return 1.0 / (1.0 + math.exp(-epsilon))

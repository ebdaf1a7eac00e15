"""How serious a reading is."""

from __future__ import annotations

from party.audit.meters.agreement import SignAgreement
from party.audit.meters.reading import Level
from party.audit.meters.separation import CHANCE

LABEL_WARNING = 0.6
LABEL_RED = 0.9
COLUMN_WARNING = 0.8
ERRORS_ABOVE_CHANCE = 4.0  # few rows reach any threshold now and then


def label_level(accumulated: float, error: float) -> Level:
    """The level of an accumulated reading, where labels are not private.

    Args:
        accumulated: area under the ROC curve of the summed scores.
        error: its standard error if there were nothing to tell.
    """
    if accumulated - CHANCE <= ERRORS_ABOVE_CHANCE * error or accumulated < LABEL_WARNING:
        return Level.QUIET
    return Level.RED if accumulated >= LABEL_RED else Level.WARNING


def private_label_level(agreement: SignAgreement, ceiling: float) -> Level:
    """The level where labels are private: what their epsilon allows is no news, and more of it a defect.

    Args:
        agreement: how often the sign of a row's score is its true class.
        ceiling: what the epsilon allows.
    """
    return Level.RED if agreement.exceeds(ceiling) else Level.QUIET


def column_level(reading: float, error: float) -> Level:
    """The level of what the hiddens tell of a column.

    Args:
        reading: area under the ROC curve of the probe.
        error: its standard error if there were nothing to tell.
    """
    is_above = reading >= COLUMN_WARNING and reading - CHANCE > ERRORS_ABOVE_CHANCE * error
    return Level.WARNING if is_above else Level.QUIET

"""Figures of an audit as text."""

from __future__ import annotations

from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_row import UNKNOWN, AuditRow, Figure
from party.audit.report.spending import SpentSecret

NONE = "–"
SHOWN_METRIC = "auc"


def figure_text(figure: Figure) -> str:
    """A figure in two digits, or in three from 0.99 on.

    Args:
        figure: as a row has it.
    """
    if figure is None:
        return NONE
    if not isinstance(figure, float):
        return UNKNOWN
    return f"{figure:.3f}"


def every_epoch_text(row: AuditRow) -> str:
    """The figure of all epochs with its standard error."""
    text = figure_text(row.all_epochs)
    if row.standard_error is None or not isinstance(row.all_epochs, float):
        return text
    return f"{text} ± {row.standard_error:.3f}"


def test_metric_texts(part: AuditPart) -> list[str]:
    """The metrics of the label party's evaluation, those of its AUC first."""
    if part.evaluation is None:
        return []
    metrics = part.evaluation.metrics
    ordered = sorted(metrics, key=lambda name: (not name.endswith(SHOWN_METRIC), name))
    return [f"{name} {metrics[name]:.4f}" if metrics[name] is not None else f"{name} {NONE}" for name in ordered]


def spent_text(spent: SpentSecret) -> str:
    """What was spent of a secret, in words."""
    parts = [f"epsilon {spent.epsilon:g}"] if spent.epsilon else []
    parts += ["exact releases, which no epsilon bounds"] if spent.is_exact else []
    return f"{spent.secret}: {' and '.join(parts) or 'nothing'}, to {', '.join(spent.receivers) or 'nobody'}"

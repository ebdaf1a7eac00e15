"""A session's reports to the coordinator, during the session and at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from party.metrics.pass_metrics import PassMetrics
from party.metrics.sampled_negatives import SampledNegatives
from party.metrics.step_losses import StepLoss
from party.policy.metric_rules import MetricRules
from party.protocol.epoch_books import EpochMetrics
from party.protocol.label_exchanges import LabelExchanges
from party.runtime.codec_costs import MeasuredCodec


@dataclass(frozen=True, kw_only=True)
class ReleasedFigures:
    """The metrics that the label party's owner releases.

    Attributes:
        allows_running: whether metrics are released while a pass is under way.
        running: metrics of the training pass under way.
        steps: losses of the steps after those that the coordinator already has.
        epochs: metrics of the training epochs.
        best_epoch: the best epoch of early stopping, at the end.
        evaluation: metrics of an evaluation, at its end.
        negatives: how many negatives were sampled for each positive row of what the metrics are over.
    """

    allows_running: bool
    running: PassMetrics | None
    steps: Sequence[StepLoss]
    epochs: Sequence[EpochMetrics]
    best_epoch: int | None
    evaluation: PassMetrics | None
    negatives: SampledNegatives

    def within(self, rules: MetricRules) -> ReleasedFigures:
        """Without running figures where other rules, which came into force since, do not release them.

        Args:
            rules: rules of the owner, as they are now.
        """
        if rules.running or not self.allows_running:
            return self
        return replace(self, allows_running=False, running=None, steps=())


@dataclass(frozen=True, kw_only=True)
class SessionReport:
    """One report.

    Attributes:
        timings: seconds and number of measurements by activity.
        codec_costs: codec costs as measured in this session.
        figures: released metrics; None at a feature party and in a session without metrics.
    """

    timings: Mapping[str, tuple[float, int]]
    codec_costs: Sequence[MeasuredCodec] = ()
    figures: ReleasedFigures | None = None

    def within(self, rules: MetricRules) -> SessionReport:
        """As far as other rules, which came into force since, release it too.

        Args:
            rules: rules of the owner, as they are now.
        """
        return self if self.figures is None else replace(self, figures=self.figures.within(rules))


def no_evaluation() -> PassMetrics | None:
    """Returns no metrics, for a session that evaluates nothing."""
    return None


def label_report(
    label: LabelExchanges,
    timings: Mapping[str, tuple[float, int]],
    rules: MetricRules,
    *,
    steps_seen: int,
    negatives: SampledNegatives,
    evaluation: Callable[[], PassMetrics | None] = no_evaluation,
) -> SessionReport:
    """Makes the label party's report of what its owner releases.

    Args:
        label: the label party's side of the session.
        timings: seconds and number of measurements by activity.
        rules: the owner's rules.
        steps_seen: number of released step losses that the coordinator already has.
        negatives: how many negatives were sampled for each positive row.
        evaluation: returns the metrics of an evaluation, once available.

    Returns:
        The report; at the end of the session it waits for the last update.
    """
    if label.finished:
        label.wait_for_update()
    evaluated = evaluation()
    # A step has too few rows for its rounded loss to be of any use.
    shows_steps = rules.running and rules.exact
    figures = ReleasedFigures(
        allows_running=rules.running,
        running=label.running() if rules.running else None,
        steps=label.step_losses.since(steps_seen) if shows_steps else (),
        epochs=list(label.epochs),
        best_epoch=label.best_epoch if label.finished else None,
        evaluation=evaluated,
        negatives=negatives,
    )
    return SessionReport(timings=timings, figures=figures)

"""Recommends a schedule and codecs: the smallest loss of accuracy for nearly the highest speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.planning.prediction import Prediction
from party.configuration.run import CodecSection, CodecsSection, ScheduleSection

NEARLY = 0.9  # share of the highest speed that is fast enough


@dataclass(frozen=True)
class Recommendation:
    """The recommended schedule and codecs.

    Attributes:
        prediction: for the recommended schedule and codecs.
        reasons: texts that explain the choice.
    """

    prediction: Prediction
    reasons: tuple[str, ...]


def recommend(predictions: Sequence[Prediction]) -> Recommendation:
    """Returns the least lossy codecs, and with them the schedule of least stale weights, that are nearly the fastest.

    Args:
        predictions: at least one; less lossy codecs come first.

    Returns:
        The recommendation.
    """
    fastest = max(predictions, key=lambda one: one.samples_per_second)
    nearly = [one for one in predictions if one.samples_per_second >= NEARLY * fastest.samples_per_second]
    order = list(dict.fromkeys(one.codecs for one in predictions))
    taken = min(nearly, key=lambda one: (order.index(one.codecs), one.schedule.batches_under_way))
    return Recommendation(taken, tuple(_reasons(taken, fastest, predictions)))


def schedule_text(schedule: ScheduleSection) -> str:
    """Formats a schedule."""
    depth = schedule.batches_under_way
    return "synchronous" if schedule.kind == "synchronous" else f"pipelined, depth {depth}"


def codecs_text(codecs: CodecsSection) -> str:
    """Formats a pair of codecs."""
    hidden, gradient = codec_text(codecs.hidden), codec_text(codecs.gradient)
    return hidden if hidden == gradient else f"{hidden} / {gradient}"


def codec_text(codec: CodecSection) -> str:
    """Formats a codec."""
    if codec.fraction is None:
        return codec.kind
    return f"{codec.kind} {codec.fraction:g} {codec.values}"


def _reasons(taken: Prediction, fastest: Prediction, predictions: Sequence[Prediction]) -> list[str]:
    reasons = []
    if taken is fastest:
        reasons.append("nothing in the table is faster")
    else:
        reasons.append(
            f"within {1 - NEARLY:.0%} of the fastest, {schedule_text(fastest.schedule)} with"
            f" {codecs_text(fastest.codecs)} at {fastest.samples_per_second:,.0f} samples/s"
        )
    less_old = [
        one
        for one in predictions
        if one.codecs == taken.codecs and one.schedule.batches_under_way < taken.schedule.batches_under_way
    ]
    if less_old:
        best = max(less_old, key=lambda one: one.samples_per_second)
        reasons.append(
            f"fewer batches under way give at most {best.samples_per_second:,.0f} samples/s, limited by {best.limit}"
        )
    order = list(dict.fromkeys(one.codecs for one in predictions))
    less_lossy = [one for one in predictions if order.index(one.codecs) < order.index(taken.codecs)]
    if less_lossy:
        best = max(less_lossy, key=lambda one: one.samples_per_second)
        reasons.append(
            f"codecs that lose less give at most {best.samples_per_second:,.0f} samples/s, limited by {best.limit}"
        )
    reasons.append(f"bottleneck: {taken.limit}")
    return reasons

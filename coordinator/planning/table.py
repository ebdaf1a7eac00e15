"""Formats a plan as lines of text."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.planning.measurements import Measurements
from coordinator.planning.planner import Plan
from coordinator.planning.prediction import Prediction
from coordinator.planning.recommendation import Recommendation, codecs_text, schedule_text
from party.security.printable import printable

TOO_FAST_BYTES_PER_SECOND = 1e9 / 8  # above it, the measurement reflects the processors rather than the network
BITS = 8


def plan_lines(plan: Plan) -> list[str]:
    """Formats the measurements, the table of predictions, and the recommendation."""
    taken = plan.recommendation.prediction
    rows = [_row(one, one is taken) for one in plan.predictions]
    return [
        *_measured_lines(plan.measured),
        "",
        f"  {'schedule':<20} {'codecs':<16} {'bytes/sample':>12} {'samples/s':>10}  limited by",
        *rows,
        "",
        *recommendation_lines(plan.recommendation),
    ]


def recommendation_lines(recommendation: Recommendation) -> list[str]:
    """Formats the recommendation and its reasons."""
    taken = recommendation.prediction
    return [
        f"recommended: {schedule_text(taken.schedule)}, with codecs {codecs_text(taken.codecs)}:"
        f" {taken.samples_per_second:,.0f} samples/s, {taken.bytes_per_sample:,.0f} bytes per sample",
        f"reason: {'; '.join(recommendation.reasons)}",
    ]


def _measured_lines(measured: Measurements) -> list[str]:
    lines = []
    for name, link in measured.links.items():
        lines.append(
            f"{name}: round trip {link.round_trip_seconds * 1000:.1f} ms,"
            f" upload {_bandwidth(link.to_party_bytes_per_second)},"
            f" download {_bandwidth(link.from_party_bytes_per_second)}"
        )
        lines.append(f"  computes per batch {_activities(measured.synchronous.activity_seconds[name])}")
    for times in (measured.synchronous, measured.two_under_way, measured.full_pipe):
        lines.append(
            f"a step takes {times.step_seconds * 1000:.1f} ms with {times.depth} under way"
            f" and codecs {codecs_text(times.codecs)}"
        )
    return lines


def _bandwidth(bytes_per_second: float) -> str:
    if bytes_per_second > TOO_FAST_BYTES_PER_SECOND:
        return "more than 1,000 Mbit/s"
    return f"{bytes_per_second * BITS / 1e6:,.1f} Mbit/s"


def _activities(seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    parts = ", ".join(f"{printable(activity)} {each * 1000:.1f}" for activity, each in sorted(seconds.items()))
    return f"{total * 1000:.1f} ms: {parts}"


def _row(prediction: Prediction, taken: bool) -> str:
    mark = "*" if taken else " "
    schedule, codecs = schedule_text(prediction.schedule), codecs_text(prediction.codecs)
    return (
        f"{mark} {schedule:<20} {codecs:<16} {prediction.bytes_per_sample:>12,.0f}"
        f" {prediction.samples_per_second:>10,.0f}  {prediction.limit}"
    )

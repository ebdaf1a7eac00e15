"""What `coordinator plan` tells: measurements, predictions and the recommendation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coordinator.planning.measurements import Measurements
from coordinator.planning.planner import Plan
from coordinator.planning.prediction import Prediction
from coordinator.planning.recommendation import Recommendation, codecs_text, schedule_text
from party.output.tables import PrintedTable, numbered, worded
from party.security.printable import printable

TOO_FAST_BYTES_PER_SECOND = 1e9 / 8  # above it, the measurement reflects the processors rather than the network
BITS = 8
_COLUMNS = (*worded("schedule", "codecs"), *numbered("bytes/sample", "samples/s"), *worded("limited by"))


@dataclass(frozen=True, kw_only=True)
class MeasuredParty:
    """The way to a party, and how long it computes.

    Attributes:
        party: its name.
        round_trip_seconds: of a short message and its reply.
        upload_bytes_per_second: bandwidth towards the party.
        download_bytes_per_second: bandwidth towards the coordinator.
        batch_seconds: time that it computes for one batch, by activity.
    """

    party: str
    round_trip_seconds: float
    upload_bytes_per_second: float
    download_bytes_per_second: float
    batch_seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class MeasuredStep:
    """How long a step takes.

    Attributes:
        batches_under_way: number of batches under way.
        codecs: of hiddens and gradients.
        seconds: time from one step to the next.
    """

    batches_under_way: int
    codecs: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PredictedRun:
    """Speed and traffic of a run.

    Attributes:
        schedule: in words, such as `pipelined, depth 4`.
        batches_under_way: number of batches under way.
        codecs: of hiddens and gradients.
        bytes_per_sample: size of all messages between parties per training row.
        samples_per_second: training rows divided by the duration of the run.
        limited_by: the bottleneck.
    """

    schedule: str
    batches_under_way: int
    codecs: str
    bytes_per_sample: float
    samples_per_second: float
    limited_by: str


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """What `coordinator plan` tells.

    Attributes:
        parties: what was measured of each.
        steps: how long steps take.
        predictions: of every schedule with every usable pair of codecs.
        recommended: one of them.
        reasons: for it.
    """

    parties: tuple[MeasuredParty, ...]
    steps: tuple[MeasuredStep, ...]
    predictions: tuple[PredictedRun, ...]
    recommended: PredictedRun
    reasons: tuple[str, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the measurements, the table of predictions, and the recommendation.

        Args:
            columns: of the terminal; None for a pipe.
        """
        yield from _measured_lines(self)
        yield ""
        rows = tuple(_row(one, one == self.recommended) for one in self.predictions)
        yield from PrintedTable(columns=_COLUMNS, rows=rows).lines(columns)
        yield ""
        yield from _recommendation_lines(self.recommended, self.reasons)


def plan_result(plan: Plan) -> PlanResult:
    """Returns what is to be told of a plan.

    Args:
        plan: with its measurements.
    """
    measured, recommendation = plan.measured, plan.recommendation
    times = (measured.synchronous, measured.two_under_way, measured.full_pipe)
    return PlanResult(
        parties=tuple(_measured_parties(measured)),
        steps=tuple(
            MeasuredStep(batches_under_way=one.depth, codecs=codecs_text(one.codecs), seconds=one.step_seconds)
            for one in times
        ),
        predictions=tuple(map(_predicted, plan.predictions)),
        recommended=_predicted(recommendation.prediction),
        reasons=recommendation.reasons,
    )


def recommendation_lines(recommendation: Recommendation) -> Iterator[str]:
    """Formats the recommendation and its reasons."""
    return _recommendation_lines(_predicted(recommendation.prediction), recommendation.reasons)


def _recommendation_lines(taken: PredictedRun, reasons: tuple[str, ...]) -> Iterator[str]:
    yield (
        f"recommended: {taken.schedule}, with codecs {taken.codecs}:"
        f" {taken.samples_per_second:,.0f} samples/s, {taken.bytes_per_sample:,.0f} bytes per sample"
    )
    yield f"reason: {'; '.join(reasons)}"


def _measured_parties(measured: Measurements) -> Iterator[MeasuredParty]:
    for name, link in measured.links.items():
        activities = measured.synchronous.activity_seconds[name]
        yield MeasuredParty(
            party=name,
            round_trip_seconds=link.round_trip_seconds,
            upload_bytes_per_second=link.to_party_bytes_per_second,
            download_bytes_per_second=link.from_party_bytes_per_second,
            batch_seconds={printable(activity): seconds for activity, seconds in sorted(activities.items())},
        )


def _predicted(one: Prediction) -> PredictedRun:
    return PredictedRun(
        schedule=schedule_text(one.schedule),
        batches_under_way=one.schedule.batches_under_way,
        codecs=codecs_text(one.codecs),
        bytes_per_sample=one.bytes_per_sample,
        samples_per_second=one.samples_per_second,
        limited_by=one.limit,
    )


def _measured_lines(result: PlanResult) -> Iterator[str]:
    for one in result.parties:
        yield (
            f"{one.party}: round trip {one.round_trip_seconds * 1000:.1f} ms,"
            f" upload {_bandwidth(one.upload_bytes_per_second)},"
            f" download {_bandwidth(one.download_bytes_per_second)}"
        )
        yield f"  computes per batch {_activities(one.batch_seconds)}"
    for step in result.steps:
        yield (
            f"a step takes {step.seconds * 1000:.1f} ms with {step.batches_under_way} under way"
            f" and codecs {step.codecs}"
        )


def _bandwidth(bytes_per_second: float) -> str:
    if bytes_per_second > TOO_FAST_BYTES_PER_SECOND:
        return "more than 1,000 Mbit/s"
    return f"{bytes_per_second * BITS / 1e6:,.1f} Mbit/s"


def _activities(seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    parts = ", ".join(f"{activity} {each * 1000:.1f}" for activity, each in seconds.items())
    return f"{total * 1000:.1f} ms: {parts}"


def _row(one: PredictedRun, is_taken: bool) -> tuple[str, ...]:
    return (
        f"{one.schedule} *" if is_taken else one.schedule,
        one.codecs,
        f"{one.bytes_per_sample:,.0f}",
        f"{one.samples_per_second:,.0f}",
        one.limited_by,
    )

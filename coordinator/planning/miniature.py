"""Trains a miniature, a short run, and measures its times."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from coordinator.exchanges import run_exchanges
from coordinator.planning.measurements import CodecMeasurement, PassTimes
from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic
from party.configuration.run import CodecSection
from party.configuration.strict import validate
from party.errors import SessionError
from party.pb import party_pb2 as pb

WAITING_ACTIVITY = "wait for own update"  # computes nothing
STEP_ACTIVITY = "open"
STRETCH_STEPS = 2  # short, so that a pause affects only one stretch of many


@dataclass(frozen=True)
class Miniature:
    """The measurements of a miniature.

    Attributes:
        times: of its second epoch, and the extra time of the first.
        costs: of codecs, by party.
        step_bytes: size of the messages of one step.
        held_out_bytes: size of the messages of the held-out batches after an epoch.
    """

    times: PassTimes
    costs: Mapping[str, Mapping[CodecSection, CodecMeasurement]]
    step_bytes: float
    held_out_bytes: float


class Stopwatch:
    """Records when every batch was done, and the parties' activities in the steps of the second epoch.

    Args:
        session: of the miniature, before its first batch.
        monotonic: returns seconds of a monotonic clock.
    """

    def __init__(self, session: CoordinatedSession, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._monotonic = monotonic
        self._epoch_exchanges = session.exchanges // 2
        self._epoch_steps = session.steps // 2
        self._done: list[tuple[float, Traffic]] = []
        self._before: dict[str, pb.ReportReply] = {}
        self._after: dict[str, pb.ReportReply] = {}
        self._started = self._second_started = self._trained = monotonic()

    def __call__(self, traffic: Traffic) -> None:
        """Records that a batch is done; with several under way, that its hiddens were sent to the label party."""
        self._done.append((self._monotonic(), replace(traffic)))
        if len(self._done) == self._epoch_exchanges:
            self._before = self._reports()
            self._second_started = self._monotonic()
        if len(self._done) == self._epoch_exchanges + self._epoch_steps:
            self._after = self._reports()
            self._trained = self._monotonic()

    def result(self) -> Miniature:
        """Returns the measurements of a completed miniature.

        Raises:
            SessionError: the parties did not train two epochs.
        """
        session = self._session
        if not self._epoch_steps or len(self._done) != 2 * self._epoch_exchanges:
            raise SessionError("the parties did not train two short epochs", where="measuring session")
        first, second = self._done[: self._epoch_exchanges], self._done[self._epoch_exchanges :]
        steps, rest = second[: self._epoch_steps], [seconds for seconds, _ in second[self._epoch_steps :]]
        held_out_batches = len(rest) - len(session.decisions) // 2
        second_seconds = steps[-1][0] - self._second_started
        held_out_seconds = rest[-1] - self._trained if rest else 0.0
        first_seconds = first[-1][0] - self._started - second_seconds - held_out_seconds
        depth = session.run.training.schedule.batches_under_way
        times = PassTimes(
            depth=depth,
            codecs=session.run.training.codecs,
            step_seconds=_step_seconds(
                [self._started, *(seconds for seconds, _ in first[: self._epoch_steps])],
                [self._second_started, *(seconds for seconds, _ in steps)],
                depth,
            ),
            held_out_seconds=held_out_seconds,
            held_out_batches=held_out_batches,
            held_out_batch_seconds=_held_out_batch_seconds([self._trained, *rest[:held_out_batches]]),
            first_seconds=max(0.0, first_seconds),
            activity_seconds={name: self._activities(name) for name in session.clients},
        )
        return Miniature(
            times,
            {name: _codec_costs(reply, name) for name, reply in self._after.items()},
            float(steps[0][1].message_bytes - first[-1][1].message_bytes),
            float(second[-1][1].hidden_bytes - steps[-1][1].hidden_bytes),
        )

    def _reports(self) -> dict[str, pb.ReportReply]:
        reference = self._session.reference
        return self._session.at_all(lambda party: party.report(reference))

    def _activities(self, name: str) -> dict[str, float]:
        """Returns seconds per step by activity; steps are counted by the activity `open`, once per step and party."""
        before = {one.activity: one for one in self._before[name].timings}
        after = {one.activity: one for one in self._after[name].timings}
        steps = max(1, _count(after) - _count(before))
        return {
            activity: (one.seconds - (before[activity].seconds if activity in before else 0.0)) / steps
            for activity, one in after.items()
            if activity != WAITING_ACTIVITY
        }


def run_miniature(session: CoordinatedSession) -> Miniature:
    """Trains a miniature.

    Args:
        session: opened for measuring.

    Returns:
        Its measurements.
    """
    watch = Stopwatch(session)
    run_exchanges(session, watch)
    return watch.result()


def _step_seconds(first: list[float], second: list[float], depth: int) -> float:
    """Returns the time from one step to the next, the median over stretches, as a shared machine is slow at times.

    The first steps fill the pipeline, and in the first epoch they compile; the last one may be smaller.

    Args:
        first: time in seconds of the start of the first epoch, and of the end of each of its steps.
        second: the same for the second epoch.
        depth: number of batches under way.
    """
    filled = min(depth, (len(second) - 1) // 2)
    stretches = _stretches(first[len(first) // 2 : -1], depth) + _stretches(second[filled:-1], depth)
    return statistics.median(stretches or [(second[-1] - second[0]) / (len(second) - 1)])


def _stretches(times: list[float], depth: int) -> list[float]:
    """Returns seconds per step of each stretch of a few steps; bursts of batches under way are counted whole."""
    bursts = -(-STRETCH_STEPS // depth)
    steps = min(bursts * depth, (len(times) - 1) // depth * depth) or len(times) - 1
    if steps < 1:
        return []
    return [(times[end] - times[end - steps]) / steps for end in range(steps, len(times), steps)]


def _held_out_batch_seconds(times: list[float]) -> float:
    """Returns the time of a held-out batch that follows another: of the second, as the last one may be smaller.

    Args:
        times: time in seconds of the end of the last step, and of each held-out batch.
    """
    if len(times) == 1:
        return 0.0
    return times[2] - times[1] if len(times) > 2 else times[1] - times[0]  # noqa: PLR2004


def _count(timings: Mapping[str, pb.Timing]) -> int:
    return timings[STEP_ACTIVITY].count if STEP_ACTIVITY in timings else 0


def _codec_costs(reply: pb.ReportReply, party: str) -> dict[CodecSection, CodecMeasurement]:
    return {
        _codec(one.codec, party): CodecMeasurement(float(one.bytes), one.encode_seconds, one.decode_seconds)
        for one in reply.codecs
    }


def _codec(text: str, party: str) -> CodecSection:
    where = f"{party}: measured codec"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise SessionError("is no JSON", where=where) from None
    return validate(CodecSection, content, where)

"""Predicts speed and traffic of a schedule and codecs: a pure function of the measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass

from coordinator.planning.measurements import Measurements
from coordinator.training import REPORT_SECONDS
from party.configuration.run import CodecSection, CodecsSection, ScheduleSection

WAITING = "round trips"
SENDING = "sending"
COMPUTING = "computation"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Speed and traffic of a run with a schedule and codecs.

    Attributes:
        schedule: of the run.
        codecs: of the run.
        bytes_per_sample: size of the messages between parties, including those of held-out rows, per training row.
        samples_per_second: training rows divided by the duration of the run.
        limit: the bottleneck.
    """

    schedule: ScheduleSection
    codecs: CodecsSection
    bytes_per_sample: float
    samples_per_second: float
    limit: str


def predict(measured: Measurements, schedule: ScheduleSection, codecs: CodecsSection) -> Prediction:
    """Predicts a run.

    Args:
        measured: all measurements.
        schedule: to predict; not `auto`.
        codecs: to predict; usable at every party.

    Returns:
        The prediction.
    """
    size, depth = measured.size, schedule.batches_under_way
    first_seconds = (measured.synchronous if depth == 1 else measured.full_pipe).first_seconds
    steps = [min(size.epoch_steps, size.steps - epoch * size.epoch_steps) for epoch in range(size.epochs)]
    training_seconds = sum(pass_seconds(measured, depth, codecs, count) for count in steps)
    seconds = first_seconds + (training_seconds + size.epochs * held_out_seconds(measured)) * reporting_factor(measured)
    step_bytes = sum(message_bytes(measured, measured.label_party, one) for one in (codecs.hidden, codecs.gradient))
    all_bytes = size.steps * (step_bytes + measured.overhead_bytes)
    all_bytes += size.epochs * size.held_out_rows * measured.held_out_row_bytes
    samples = max(size.samples, 1)
    return Prediction(
        schedule=schedule,
        codecs=codecs,
        bytes_per_sample=all_bytes / samples,
        samples_per_second=samples / seconds,
        limit=_limit(measured, depth, codecs),
    )


def reporting_factor(measured: Measurements) -> float:
    """Returns the factor by which requests for metrics lengthen training, as batches wait for them."""
    return 1 + measured.links[measured.label_party].round_trip_seconds / REPORT_SECONDS


def pass_seconds(measured: Measurements, depth: int, codecs: CodecsSection, steps: int) -> float:
    """Returns the duration in seconds of a pass over training rows.

    Synchronous steps follow one another. In a pipelined pass, the first step takes its full latency, and the others
    complete at intervals after it.

    Args:
        measured: all measurements.
        depth: number of batches under way.
        codecs: of the batches.
        steps: number of steps of the pass, at least one.
    """
    if depth == 1:
        return steps * synchronous_seconds(measured, codecs)
    latency, bottleneck = latency_seconds(measured, codecs), bottleneck_seconds(measured, codecs)
    return latency + (steps - 1) * (bottleneck if steps <= depth else interval_seconds(latency, bottleneck, depth))


def interval_seconds(latency: float, bottleneck: float, depth: int) -> float:
    """Returns the time from one step to the next in seconds, with batches under way that queue at the bottleneck.

    Never less than the service time of the bottleneck, and never less than the latency divided by the depth. If both
    are similar it is more than either: times vary, and late batches leave the bottleneck idle. Mean value analysis of a
    closed network with one queue gives the amount, for exponential times.

    Args:
        latency: seconds from the hidden of a batch to its update with no other batch under way; at least `bottleneck`.
        bottleneck: service time in seconds of the slowest party or link.
        depth: number of batches under way.

    References:
        Reiser and Lavenberg, Mean-value analysis of closed multichain queuing networks (Journal of the ACM, 1980).
    """
    queued, cycle = 0.0, latency
    for under_way in range(1, depth + 1):
        response = bottleneck * (1 + queued)
        cycle = latency - bottleneck + response
        queued = under_way * response / cycle
    return cycle / depth


def bottleneck_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the time from one step to the next with enough batches under way: that of the slowest party or link."""
    return max(parties_bottleneck_seconds(measured, codecs), slowest_link(measured, codecs)[1])


def synchronous_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the duration of a synchronous step: the measured one, corrected for the size of the messages."""
    known = measured.synchronous
    more = _loop_seconds(measured, codecs) - _loop_seconds(measured, known.codecs)
    return max(known.step_seconds + more, least_loop_seconds(measured, codecs))


def latency_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the latency of a batch, from its hidden to its update, with no other batch under way.

    It follows from the miniature with two batches under way: its `interval_seconds` with a depth of 2 is the measured
    interval.
    """
    known = measured.two_under_way
    interval, bottleneck = known.step_seconds, bottleneck_seconds(measured, known.codecs)
    latency = interval + math.sqrt(max(0.0, interval**2 - bottleneck**2))
    more = _loop_seconds(measured, codecs) - _loop_seconds(measured, known.codecs)
    return max(latency + more, least_loop_seconds(measured, codecs), bottleneck_seconds(measured, codecs))


def least_loop_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the network's share of a step: two calls one after the other, and their messages."""
    return round_trip_seconds(measured) + wire_seconds(measured, codecs)


def round_trip_seconds(measured: Measurements) -> float:
    """Returns the round trips of a call to the most distant feature party and of one to the label party, added."""
    farthest = max(measured.links[name].round_trip_seconds for name in measured.feature_parties)
    return farthest + measured.links[measured.label_party].round_trip_seconds


def parties_bottleneck_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the time from one step to the next that the parties sustain, on machines that they may share."""
    known = measured.full_pipe
    more = busiest_codec_seconds(measured, codecs) - busiest_codec_seconds(measured, known.codecs)
    return max(known.step_seconds + more, busiest_codec_seconds(measured, codecs))


def slowest_link(measured: Measurements, codecs: CodecsSection) -> tuple[str, float]:
    """Returns the party with the slowest link, and its seconds for the messages of a step in the slower direction."""
    seconds = {}
    for name, link in measured.links.items():
        hidden, gradient = (message_bytes(measured, name, one) for one in (codecs.hidden, codecs.gradient))
        towards, back = (hidden, gradient) if name == measured.label_party else (gradient, hidden)
        seconds[name] = max(towards / link.to_party_bytes_per_second, back / link.from_party_bytes_per_second)
    slowest = max(seconds, key=lambda name: seconds[name])
    return slowest, seconds[slowest]


def wire_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the transfer time of a batch's messages, one after the other: to the coordinator, from it, and back."""
    links, label = measured.links, measured.links[measured.label_party]
    up = max(
        message_bytes(measured, name, codecs.hidden) / links[name].from_party_bytes_per_second
        for name in measured.feature_parties
    )
    down = max(
        message_bytes(measured, name, codecs.gradient) / links[name].to_party_bytes_per_second
        for name in measured.feature_parties
    )
    to_label = message_bytes(measured, measured.label_party, codecs.hidden) / label.to_party_bytes_per_second
    from_label = message_bytes(measured, measured.label_party, codecs.gradient) / label.from_party_bytes_per_second
    return up + to_label + from_label + down


def codec_loop_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the time of encoding and decoding in a synchronous step."""
    features = max(_codec_seconds(measured, name, codecs) for name in measured.feature_parties)
    return features + _codec_seconds(measured, measured.label_party, codecs)


def busiest_codec_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the time of encoding and decoding in a step, at the party where it is longest."""
    return max(_codec_seconds(measured, name, codecs) for name in measured.links)


def message_bytes(measured: Measurements, party: str, codec: CodecSection) -> float:
    """Returns the size of a batch's messages in one direction; at the label party, of those of all feature parties."""
    return measured.costs[party][codec].message_bytes


def held_out_seconds(measured: Measurements) -> float:
    """Returns the duration of the held-out batches after an epoch: the measured ones, and the rest in proportion."""
    known = measured.synchronous
    more = max(0, measured.size.held_out_batches - known.held_out_batches)
    return known.held_out_seconds + more * known.held_out_batch_seconds


def _loop_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Returns the messages' share of a batch's latency."""
    return wire_seconds(measured, codecs) + codec_loop_seconds(measured, codecs)


def _codec_seconds(measured: Measurements, party: str, codecs: CodecsSection) -> float:
    costs = measured.costs[party]
    sent, received = (
        (codecs.gradient, codecs.hidden) if party == measured.label_party else (codecs.hidden, codecs.gradient)
    )
    return costs[sent].encode_seconds + costs[received].decode_seconds


def _limit(measured: Measurements, depth: int, codecs: CodecsSection) -> str:
    """Returns the name of the bottleneck."""
    latency, bottleneck = latency_seconds(measured, codecs), bottleneck_seconds(measured, codecs)
    if depth == 1 or latency > depth * bottleneck:
        loop = synchronous_seconds(measured, codecs) if depth == 1 else latency
        parts = {
            WAITING: round_trip_seconds(measured),
            SENDING: wire_seconds(measured, codecs),
            COMPUTING: loop - least_loop_seconds(measured, codecs),
        }
        return max(parts, key=lambda name: parts[name])
    slowest, link_seconds = slowest_link(measured, codecs)
    return f"bandwidth of {slowest}" if link_seconds == bottleneck else COMPUTING

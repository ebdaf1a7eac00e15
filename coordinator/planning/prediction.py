"""What a schedule and codecs would bring: a pure function of what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from coordinator.planning.measurements import Measurements
from coordinator.training import REPORT_SECONDS
from party.configuration.run import CodecSection, CodecsSection, ScheduleSection

WAITING = "round trips"
SENDING = "sending"
COMPUTING = "computing"


@dataclass(frozen=True)
class Prediction:
    """What a run would come to.

    Attributes:
        schedule: of the run.
        codecs: of the run.
        bytes_per_sample: of the messages between parties, held-out rows included, per training row.
        samples_per_second: training rows over all seconds of the run.
        limit: what bounds the speed.
    """

    schedule: ScheduleSection
    codecs: CodecsSection
    bytes_per_sample: float
    samples_per_second: float
    limit: str


def predict(measured: Measurements, schedule: ScheduleSection, codecs: CodecsSection) -> Prediction:
    """Predicts a run.

    Args:
        measured: everything that was measured.
        schedule: to predict, a decided one.
        codecs: to predict, usable ones.

    Returns:
        The prediction.
    """
    size, depth = measured.size, schedule.batches_under_way
    first_seconds = (measured.synchronous if depth == 1 else measured.full_pipe).first_seconds
    steps = [min(size.epoch_steps, size.steps - epoch * size.epoch_steps) for epoch in range(size.epochs)]
    training_seconds = sum(pass_seconds(measured, depth, codecs, count) for count in steps)
    seconds = first_seconds + (training_seconds + size.epochs * held_out_seconds(measured)) * watching_factor(measured)
    step_bytes = sum(message_bytes(measured, measured.label_party, one) for one in (codecs.hidden, codecs.gradient))
    all_bytes = size.steps * (step_bytes + measured.overhead_bytes)
    all_bytes += size.epochs * size.held_out_rows * measured.held_out_row_bytes
    samples = max(size.samples, 1)
    return Prediction(schedule, codecs, all_bytes / samples, samples / seconds, _limit(measured, depth, codecs))


def watching_factor(measured: Measurements) -> float:
    """How much longer training takes as the label party is asked for metrics now and then: batches wait meanwhile."""
    return 1 + measured.links[measured.label_party].round_trip_seconds / REPORT_SECONDS


def pass_seconds(measured: Measurements, depth: int, codecs: CodecsSection, steps: int) -> float:
    """Time of a pass over training rows.

    Synchronous steps follow one another. Pipelined, the first one goes all the way, and the others come out behind it.

    Args:
        measured: everything that was measured.
        depth: batches under way.
        codecs: of the batches.
        steps: of the pass, at least one.
    """
    if depth == 1:
        return steps * synchronous_seconds(measured, codecs)
    way, pace = way_seconds(measured, codecs), pace_seconds(measured, codecs)
    return way + (steps - 1) * (pace if steps <= depth else interval_seconds(way, pace, depth))


def interval_seconds(way: float, pace: float, depth: int) -> float:
    """From one step to the next with some under way, which queue at the slowest party or link.

    Never less than the pace, and never less than a whole way divided by the batches under way. Where both are about
    the same it is more than either: times vary, and what comes late leaves the slowest idle. Mean value analysis of a
    closed network with one queue says how much, for exponential times.

    Args:
        way: seconds of a batch that meets no other, at least the pace.
        pace: seconds of the slowest.
        depth: batches under way.

    References:
        Reiser and Lavenberg, Mean-value analysis of closed multichain queuing networks (Journal of the ACM, 1980).
    """
    queued, cycle = 0.0, way
    for under_way in range(1, depth + 1):
        response = pace * (1 + queued)
        cycle = way - pace + response
        queued = under_way * response / cycle
    return cycle / depth


def pace_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """From one step to the next where enough are under way: that of the slowest party or link."""
    return max(stage_seconds(measured, codecs), slowest_link(measured, codecs)[1])


def synchronous_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Time of a synchronous step: as it was measured, with shorter or longer messages."""
    known = measured.synchronous
    more = _loop_seconds(measured, codecs) - _loop_seconds(measured, known.codecs)
    return max(known.step_seconds + more, least_loop_seconds(measured, codecs))


def way_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Time of a batch's whole way, from its hidden to its update, where it meets no other batch.

    It is what two under way tell of it: `interval_seconds` of it with a depth of 2 is what was measured.
    """
    known = measured.two_under_way
    interval, pace = known.step_seconds, pace_seconds(measured, known.codecs)
    way = interval + math.sqrt(max(0.0, interval**2 - pace**2))
    more = _loop_seconds(measured, codecs) - _loop_seconds(measured, known.codecs)
    return max(way + more, least_loop_seconds(measured, codecs), pace_seconds(measured, codecs))


def least_loop_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """What the network alone takes of a step: two calls one after the other, and their messages."""
    return round_trip_seconds(measured) + wire_seconds(measured, codecs)


def round_trip_seconds(measured: Measurements) -> float:
    """Of a call to the feature party farthest away, and of one to the label party."""
    farthest = max(measured.links[name].round_trip_seconds for name in measured.feature_parties)
    return farthest + measured.links[measured.label_party].round_trip_seconds


def stage_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """Shortest time from step to step that the parties, as they share their machines, were seen to keep up."""
    known = measured.full_pipe
    more = busiest_codec_seconds(measured, codecs) - busiest_codec_seconds(measured, known.codecs)
    return max(known.step_seconds + more, busiest_codec_seconds(measured, codecs))


def slowest_link(measured: Measurements, codecs: CodecsSection) -> tuple[str, float]:
    """The party, and the seconds, of the link that takes longest for the messages of a step in one direction."""
    seconds = {}
    for name, link in measured.links.items():
        hidden, gradient = (message_bytes(measured, name, one) for one in (codecs.hidden, codecs.gradient))
        towards, back = (hidden, gradient) if name == measured.label_party else (gradient, hidden)
        seconds[name] = max(towards / link.to_party_bytes_per_second, back / link.from_party_bytes_per_second)
    slowest = max(seconds, key=lambda name: seconds[name])
    return slowest, seconds[slowest]


def wire_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """What a batch's messages take of the bandwidths, one after the other: to the coordinator, from it, and back."""
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
    """What encoding and decoding add to a synchronous step."""
    features = max(_codec_seconds(measured, name, codecs) for name in measured.feature_parties)
    return features + _codec_seconds(measured, measured.label_party, codecs)


def busiest_codec_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """What encoding and decoding take of a step at the party that they take longest at."""
    return max(_codec_seconds(measured, name, codecs) for name in measured.links)


def message_bytes(measured: Measurements, party: str, codec: CodecSection) -> float:
    """Of a batch's messages in one direction; at the label party, of all feature parties."""
    return measured.costs[party][codec].message_bytes


def held_out_seconds(measured: Measurements) -> float:
    """Time of the held-out batches after an epoch: as they were measured, and as many more as there are."""
    known = measured.synchronous
    more = max(0, measured.size.held_out_batches - known.held_out_batches)
    return known.held_out_seconds + more * known.held_out_batch_seconds


def _loop_seconds(measured: Measurements, codecs: CodecsSection) -> float:
    """What messages take of a batch's whole way."""
    return wire_seconds(measured, codecs) + codec_loop_seconds(measured, codecs)


def _codec_seconds(measured: Measurements, party: str, codecs: CodecsSection) -> float:
    costs = measured.costs[party]
    sent, received = (
        (codecs.gradient, codecs.hidden) if party == measured.label_party else (codecs.hidden, codecs.gradient)
    )
    return costs[sent].encode_seconds + costs[received].decode_seconds


def _limit(measured: Measurements, depth: int, codecs: CodecsSection) -> str:
    """What takes longest of what decides."""
    way, pace = way_seconds(measured, codecs), pace_seconds(measured, codecs)
    if depth == 1 or way > depth * pace:
        loop = synchronous_seconds(measured, codecs) if depth == 1 else way
        parts = {
            WAITING: round_trip_seconds(measured),
            SENDING: wire_seconds(measured, codecs),
            COMPUTING: loop - least_loop_seconds(measured, codecs),
        }
        return max(parts, key=lambda name: parts[name])
    slowest, link_seconds = slowest_link(measured, codecs)
    return f"bandwidth of {slowest}" if link_seconds == pace else COMPUTING

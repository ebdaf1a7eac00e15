"""The network between the coordinator and one party, measured by messages of some sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from coordinator.connection import PartyConnection
from party.pb import party_pb2 as pb

ROUND_TRIPS = 9
FIRST_PROBE_BYTES = 64 << 10
LONGEST_PROBE_BYTES = 2 << 20  # a party takes up to 4 MiB, and sends as much
REPETITIONS = 3
CLEAR_ROUND_TRIPS = 2.0  # a transfer that takes so many of them shows the bandwidth
CLEAR_SECONDS = 0.05
SHORTEST_TRANSFER_SECONDS = 1e-6


@dataclass(frozen=True)
class Link:
    """What the network between the coordinator and a party is like.

    Attributes:
        round_trip_seconds: of a message of a few bytes and its answer.
        to_party_bytes_per_second: bandwidth towards the party.
        from_party_bytes_per_second: bandwidth towards the coordinator.
    """

    round_trip_seconds: float
    to_party_bytes_per_second: float
    from_party_bytes_per_second: float


def measure_link(party: PartyConnection, monotonic: Callable[[], float] = time.monotonic) -> Link:
    """Measures round trip and bandwidth over the connection that training uses.

    Args:
        party: to measure.
        monotonic: seconds of a monotonic clock.

    Returns:
        The link.

    Raises:
        SplitError: what the party answered, or what the connection did.
    """

    def seconds(payload_bytes: int, reply_bytes: int) -> float:
        request = pb.ProbeRequest(payload=bytes(payload_bytes), reply_bytes=reply_bytes)
        started = monotonic()
        party.call(party.stub.Probe, request)
        return monotonic() - started

    seconds(0, 0)  # the first call on a connection may also make it
    round_trip_seconds = statistics.median(seconds(0, 0) for _ in range(ROUND_TRIPS))
    return Link(
        round_trip_seconds,
        _bandwidth(lambda size: seconds(size, 0), round_trip_seconds),
        _bandwidth(lambda size: seconds(0, size), round_trip_seconds),
    )


def _bandwidth(seconds: Callable[[int], float], round_trip_seconds: float) -> float:
    """Bytes per second of one direction.

    Payloads grow until they take clearly longer than a round trip. What grows on the way warms the windows of TCP and
    HTTP/2 up, as the messages of training do.
    """
    clear_seconds = max(CLEAR_ROUND_TRIPS * round_trip_seconds, CLEAR_SECONDS)
    size = FIRST_PROBE_BYTES
    while size < LONGEST_PROBE_BYTES and seconds(size) - round_trip_seconds < clear_seconds:
        size *= 2
    least_seconds = min(seconds(size) for _ in range(REPETITIONS))
    return size / max(least_seconds - round_trip_seconds, SHORTEST_TRANSFER_SECONDS)

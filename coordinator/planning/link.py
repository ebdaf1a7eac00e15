"""Measures the network between the coordinator and one party with messages of several sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from coordinator.party_client import PartyClient

ROUND_TRIPS = 9
FIRST_PROBE_BYTES = 64 << 10
LONGEST_PROBE_BYTES = 2 << 20  # a party accepts up to 4 MiB, and sends as much
REPETITIONS = 3
CLEAR_ROUND_TRIPS = 2.0  # a transfer that takes at least this many round trips shows the bandwidth
CLEAR_SECONDS = 0.05
SHORTEST_TRANSFER_SECONDS = 1e-6


@dataclass(frozen=True)
class Link:
    """The network between the coordinator and a party.

    Attributes:
        round_trip_seconds: time of a message of a few bytes and its reply.
        to_party_bytes_per_second: bandwidth towards the party.
        from_party_bytes_per_second: bandwidth towards the coordinator.
    """

    round_trip_seconds: float
    to_party_bytes_per_second: float
    from_party_bytes_per_second: float


def measure_link(party: PartyClient, monotonic: Callable[[], float] = time.monotonic) -> Link:
    """Measures round trip and bandwidth over the connection that training uses.

    Args:
        party: client of the party.
        monotonic: returns seconds of a monotonic clock.

    Returns:
        The link.

    Raises:
        SplitError: the party answers with an error, or the connection is lost.
    """

    def seconds(payload_bytes: int, reply_bytes: int) -> float:
        payload = bytes(payload_bytes)
        started = monotonic()
        party.probe(payload, reply_bytes)
        return monotonic() - started

    seconds(0, 0)  # the first call may also open the connection
    round_trip_seconds = statistics.median(seconds(0, 0) for _ in range(ROUND_TRIPS))
    return Link(
        round_trip_seconds,
        _bandwidth(lambda size: seconds(size, 0), round_trip_seconds),
        _bandwidth(lambda size: seconds(0, size), round_trip_seconds),
    )


def _bandwidth(seconds: Callable[[int], float], round_trip_seconds: float) -> float:
    """Measures the bytes per second of one direction.

    Payloads grow until they take clearly longer than a round trip. The growing payloads also open the windows of TCP
    and HTTP/2, as the messages of training do.
    """
    clear_seconds = max(CLEAR_ROUND_TRIPS * round_trip_seconds, CLEAR_SECONDS)
    size = FIRST_PROBE_BYTES
    while size < LONGEST_PROBE_BYTES and seconds(size) - round_trip_seconds < clear_seconds:
        size *= 2
    least_seconds = min(seconds(size) for _ in range(REPETITIONS))
    return size / max(least_seconds - round_trip_seconds, SHORTEST_TRANSFER_SECONDS)

"""gRPC channels of a coordinator, for calls that its own code would not make."""

import queue
import threading
from datetime import UTC, datetime

import grpc

from party.security.certificates import Usage, own_identity
from party.security.tls import channel_credentials, channel_options
from party.security.trust import load_authorities
from tests.support.organisations import COORDINATOR

TIMEOUT_SECONDS = 60

CONNECTION_OF_ITS_OWN = ("grpc.use_local_subchannel_pool", 1)
TAKES_NOTHING = (("grpc.http2.lookahead_bytes", 5), ("grpc.http2.bdp_probe", 0))  # unless it is read


def channel_to(organisations, party, coordinator=COORDINATOR, options=()):
    """Opens a connection of a coordinator to a party, without the limits of its own code."""
    own = organisations.certificates(coordinator)
    certificate, key = own / f"{coordinator}.pem", own / f"{coordinator}-key.pem"
    identity = own_identity(coordinator, certificate, key, usage=Usage.COORDINATOR, now=datetime.now(UTC))
    credentials = channel_credentials(identity, load_authorities(organisations.certificates(party) / f"{party}-ca.pem"))
    address = f"127.0.0.1:{organisations.ports[party]}"
    options = [*channel_options(party), CONNECTION_OF_ITS_OWN, *options]
    return grpc.secure_channel(address, credentials, options=options)


class Silent:
    """Calls whose message does not come before `end`.

    Args:
        method: of a channel, as `stream_unary` returns it.
        count: number of calls.
        options: of each call.
    """

    def __init__(self, method, count, **options):
        self._send = threading.Event()
        self._ended = queue.SimpleQueue()
        self.calls = [method.future(self.message(), **options) for _ in range(count)]
        for call in self.calls:
            call.add_done_callback(self._ended.put)

    def message(self):
        """Yields the message of a call, once it may."""
        self._send.wait()
        yield b""

    def wait_for_refusals(self, count):
        """Waits until so many calls have ended; returns their details. The other calls are held from then on."""
        return [self._ended.get(timeout=TIMEOUT_SECONDS).details() for _ in range(count)]

    def end(self):
        """Sends the messages."""
        self._send.set()

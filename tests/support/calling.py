"""gRPC channels of a coordinator, for calls that its own code would not make."""

from datetime import UTC, datetime

import grpc

from party.security.certificates import Usage, own_identity
from party.security.tls import channel_credentials, channel_options
from party.security.trust import load_authorities
from tests.support.organisations import COORDINATOR


def channel_to(organisations, party):
    """Opens a channel of the coordinator to a party, without the limits of its own code."""
    own = organisations.certificates(COORDINATOR)
    certificate, key = own / f"{COORDINATOR}.pem", own / f"{COORDINATOR}-key.pem"
    identity = own_identity(COORDINATOR, certificate, key, usage=Usage.COORDINATOR, now=datetime.now(UTC))
    credentials = channel_credentials(identity, load_authorities(own / f"{party}-ca.pem"))
    address = f"127.0.0.1:{organisations.ports[party]}"
    return grpc.secure_channel(address, credentials, options=channel_options(party))

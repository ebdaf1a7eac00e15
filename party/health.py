"""`party health`: checks from the same machine, without a caller's certificate, that this party answers on its port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from party.configuration.party import PartyConfiguration, load_party_configuration
from party.errors import ConfigurationError, IdentityError
from party.security.certificates import Usage, load_chain
from party.security.clock import utc_now
from party.security.leaf import check_leaf
from party.security.served_certificate import Address, served_certificate

ANSWER_SECONDS = 20.0
# Where to reach a server that listens on every address; a machine without IPv6 has no ::1.
LOOPBACK_HOSTS = {4: "127.0.0.1", 6: "localhost"}


@dataclass(frozen=True, kw_only=True)
class HealthyPort:
    """The party answers on its port.

    Attributes:
        party: name of the party.
        address: host and port that were asked.
        certificate_expires: end of the validity of the certificate that it answers with.
    """

    party: str
    address: str
    certificate_expires: datetime

    @property
    def words(self) -> str:
        """Who answers where."""
        return f"party {self.party} answers on {self.address}"

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields one line."""
        yield self.words


def healthy_port(path: Path, answer_seconds: float = ANSWER_SECONDS) -> HealthyPort:
    """Asks the port of `listen` for its certificate, and compares that with the party's own.

    Args:
        path: the party's YAML file.
        answer_seconds: longest wait for the answer.

    Returns:
        Who answers where.

    Raises:
        ConfigurationError: there is nothing to check: `listen` has port 0, or the party has no TLS.
        ConnectionLostError: nothing answers with TLS.
        IdentityError: the certificate has expired, or another process answers.
    """
    configuration = load_party_configuration(path)
    host, port = own_address(configuration)
    where = f"party {configuration.party} at {host}:{port}"
    served = served_certificate((host, port), where, answer_seconds)
    file = configuration.path(configuration.tls.certificate)
    own = load_chain(file)[0]
    if served != own.public_bytes(Encoding.DER):
        raise IdentityError(
            "answers with another certificate than the configured one",
            where=where,
            expected=f"the first certificate of {file}",
            fix="another process holds the port, or the party could not read a replaced certificate: see its log",
        )
    check_leaf(own, configuration.party, Usage.PARTY, now=utc_now(), where=file)
    expires = own.not_valid_after_utc
    return HealthyPort(party=configuration.party, address=f"{host}:{port}", certificate_expires=expires)


def own_address(configuration: PartyConfiguration) -> Address:
    """Host and port to reach this party at from its own machine.

    Args:
        configuration: the party's configuration.

    Raises:
        ConfigurationError: `listen` has port 0, or the party has no TLS.
    """
    listened, _, port = configuration.listen.rpartition(":")
    host = listened.strip("[]")
    if configuration.insecure:
        raise ConfigurationError("cannot check an insecure party: it has no certificate", where=configuration.party)
    if int(port) == 0:
        raise ConfigurationError("listen has port 0", where=configuration.party, fix="set a fixed port")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host, int(port)
    return (LOOPBACK_HOSTS[address.version] if address.is_unspecified else host), int(port)

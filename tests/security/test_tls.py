import socket
import ssl
from concurrent import futures
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc
import pytest
from cryptography import x509

from party.errors import IdentityError
from party.security.certificates import Identity, Usage, own_identity, spki_sha256
from party.security.issuing import write_organisation
from party.security.tls import (
    CACHED_CALLERS,
    CallerNames,
    channel_credentials,
    channel_options,
    server_credentials,
    server_options,
)
from party.security.trust import TrustedName
from tests.support import issuing
from tests.support.issuing import COORDINATOR, DAY, NOW, PARTY

SHOP = issuing.authority("shop authority")
DRIVER = issuing.authority("driver authority", path_length=1)
OTHER = issuing.authority("other authority")
TIMEOUT_SECONDS = 20
COORDINATORS = {
    "driver": TrustedName("driver", (DRIVER.certificate,)),
    "other": TrustedName("other", (OTHER.certificate,)),
}


def clock():
    return datetime.now(UTC)


class WhoAmI(grpc.GenericRpcHandler):
    """Answers every call with the caller's name, as the party's service will find it."""

    def __init__(self, coordinators):
        self._callers = CallerNames(coordinators)

    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request, context):
        try:
            return self._callers.caller_name(context.auth_context(), clock()).encode()
        except IdentityError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))


@contextmanager
def serving(credentials, coordinators=COORDINATORS, options=None):
    options = server_options() if options is None else options
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[WhoAmI(coordinators)], options=options)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def shop_credentials(folder, coordinators=COORDINATORS):
    certificate, key = issuing.leaf(SHOP).write(folder, "shop")
    return server_credentials("shop", certificate, key, coordinators=lambda: coordinators, clock=clock)


def identity(issued, *others, name="driver"):
    return Identity(name, tuple(one.certificate for one in (issued, *others)), issued.key)


def ask(port, caller, *, authority=SHOP, party="shop", request=b"", options=None, compression=None):
    credentials = channel_credentials(caller, (authority.certificate,))
    options = channel_options(party) if options is None else options
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options, compression) as channel:
        return channel.unary_unary("/test/WhoAmI")(request, timeout=TIMEOUT_SECONDS)


def refusal(*arguments, **keywords):
    with pytest.raises(grpc.RpcError) as caught:
        ask(*arguments, **keywords)
    return caught.value.code(), caught.value.details()


def coordinator_leaf(issuer=DRIVER, names=("driver",), usages=COORDINATOR, **changes):
    return issuing.leaf(issuer, names, usages, common_name="driver", **changes)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with serving(shop_credentials(tmp_path_factory.mktemp("shop"))) as port:
        yield port


def test_callers_are_told_apart_by_certificate(port):
    assert ask(port, identity(coordinator_leaf())) == b"driver"
    assert ask(port, identity(coordinator_leaf(OTHER, ("other",)))) == b"other"
    intermediate = issuing.authority("middle", issuer=DRIVER)
    assert ask(port, identity(coordinator_leaf(intermediate), intermediate)) == b"driver"


OUTSIDER = issuing.authority("outsider authority")
BELOW_OTHER = issuing.authority("middle", issuer=OTHER)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        pytest.param([coordinator_leaf(OTHER)], "authority configured for driver", id="minted by other"),
        pytest.param([coordinator_leaf(usages=None)], "extended key usage.*received none", id="usage absent"),
        pytest.param([coordinator_leaf(usages=COORDINATOR + PARTY)], "clientAuth alone", id="both usages"),
        pytest.param([coordinator_leaf(names=None)], "no DNS name", id="common name only"),
        pytest.param([coordinator_leaf(names=("driver", "other"))], "2 of kind DNSName", id="two names"),
        pytest.param([coordinator_leaf(names=("stranger",))], "expected one of driver, other", id="unknown name"),
        pytest.param([coordinator_leaf(names=("Driver",))], "expected one of driver, other", id="other case"),
        pytest.param([coordinator_leaf(BELOW_OTHER, ("other",)), BELOW_OTHER], "path length", id="path length"),
    ],
)
def test_certificate_that_tls_lets_in_is_refused_at_the_call(port, chain, message):
    code, details = refusal(port, identity(*chain))
    assert code is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(IdentityError, match=message):
        raise IdentityError(details)


@pytest.mark.parametrize(
    "caller",
    [
        pytest.param(coordinator_leaf(usages=PARTY), id="party as client"),
        pytest.param(coordinator_leaf(OUTSIDER), id="unknown authority"),
        pytest.param(coordinator_leaf(end=-DAY / 24), id="expired"),
        pytest.param(coordinator_leaf(start=DAY, end=2 * DAY), id="not yet valid"),
    ],
)
def test_certificate_that_tls_refuses(port, caller):
    code, _ = refusal(port, identity(caller))
    assert code is grpc.StatusCode.UNAVAILABLE


def test_caller_without_a_certificate_is_refused(port):
    credentials = grpc.ssl_channel_credentials(SHOP.pem)
    with (
        grpc.secure_channel(f"127.0.0.1:{port}", credentials, channel_options("shop")) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary("/test/WhoAmI")(b"", timeout=TIMEOUT_SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(IdentityError, match="call: came without a certificate"):
        CallerNames(COORDINATORS).caller_name({}, NOW)


@pytest.mark.parametrize(
    ("party", "message"),
    [
        pytest.param(issuing.leaf(SHOP, ("bank",), common_name="shop"), "Hostname Verification", id="wrong name"),
        pytest.param(issuing.leaf(SHOP, end=-DAY / 24), "CERTIFICATE_VERIFY_FAILED", id="expired"),
        pytest.param(issuing.leaf(OTHER), "CERTIFICATE_VERIFY_FAILED", id="other authority"),
        pytest.param(issuing.leaf(SHOP, usages=COORDINATOR), "CERTIFICATE_VERIFY_FAILED", id="coordinator as party"),
    ],
)
def test_coordinator_refuses_a_wrong_party(party, message):
    credentials = grpc.ssl_server_credentials([(party.key_pem, party.pem)], DRIVER.pem, require_client_auth=True)
    with serving(credentials) as port:
        code, details = refusal(port, identity(coordinator_leaf()))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert message in details


def test_server_does_not_start_with_an_unfit_certificate(tmp_path):
    certificate, key = issuing.leaf(SHOP, end=-DAY / 24).write(tmp_path, "shop")
    with pytest.raises(IdentityError, match=f"^{certificate}: expired on"):
        server_credentials("shop", certificate, key, coordinators=lambda: COORDINATORS, clock=clock)


def test_second_bind_of_one_port_fails(port, tmp_path):
    second = grpc.server(futures.ThreadPoolExecutor(1), options=server_options())
    with pytest.raises(RuntimeError, match="bind"):
        second.add_secure_port(f"127.0.0.1:{port}", shop_credentials(tmp_path))


def test_messages_are_bounded_and_never_compressed(port, tmp_path):
    caller = identity(coordinator_leaf())
    code, details = refusal(port, caller, request=bytes(1001), options=channel_options("shop", 1000))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "Sent message larger than max" in details
    with serving(shop_credentials(tmp_path), options=server_options(1000)) as bounded:
        assert ask(bounded, caller, request=bytes(1000)) == b"driver"
        code, _ = refusal(bounded, caller, request=bytes(1001))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        compressing = [("grpc.ssl_target_name_override", "shop")]
        code, details = refusal(
            bounded, caller, request=bytes(1000), options=compressing, compression=grpc.Compression.Gzip
        )
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "gzip" in details


def replace(issued, folder, *, key=True):
    """Renames new files over the old ones, as a careful operator does."""
    fresh = folder / "fresh"
    fresh.mkdir(exist_ok=True)
    new_certificate, new_key = issued.write(fresh, "shop")
    new_certificate.rename(folder / "shop.pem")
    if key:
        new_key.rename(folder / "shop-key.pem")


def seen_certificate(port, folder):
    """What a new connection is shown, found without gRPC."""
    certificate, key = coordinator_leaf().write(folder, "driver")
    context = ssl.create_default_context(cadata=SHOP.pem.decode())
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="shop") as wrapped,
    ):
        return x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True))


def test_new_connections_see_a_replaced_certificate(tmp_path, caplog):
    credentials = shop_credentials(tmp_path)
    first = x509.load_pem_x509_certificate((tmp_path / "shop.pem").read_bytes())
    caller = identity(coordinator_leaf())
    with serving(credentials) as port:
        assert seen_certificate(port, tmp_path) == first
        second, third = issuing.leaf(SHOP), issuing.leaf(SHOP)
        replace(second, tmp_path)
        assert seen_certificate(port, tmp_path) == second.certificate
        replace(third, tmp_path, key=False)
        assert seen_certificate(port, tmp_path) == second.certificate
        assert "does not belong to the first certificate" in caplog.text
        (tmp_path / "shop-key.pem").unlink()
        assert seen_certificate(port, tmp_path) == second.certificate
        replace(third, tmp_path)
        assert seen_certificate(port, tmp_path) == third.certificate
        assert ask(port, caller) == b"driver"


def context_of(*chain):
    return {"x509_pem_cert": [chain[0].pem], "x509_pem_cert_chain": [b"".join(one.pem for one in chain)]}


def test_a_verified_caller_is_forgotten_when_any_certificate_of_the_chain_expires():
    callers = CallerNames(COORDINATORS)
    intermediate = issuing.authority("middle", issuer=DRIVER, end=DAY)
    context = context_of(coordinator_leaf(intermediate, end=9 * DAY), intermediate)
    assert [callers.caller_name(context, NOW) for _ in range(2)] == ["driver", "driver"]
    with pytest.raises(IdentityError, match="certificate of driver: does not chain"):
        callers.caller_name(context, NOW + 2 * DAY)
    context = context_of(coordinator_leaf(end=DAY))
    assert callers.caller_name(context, NOW) == "driver"
    with pytest.raises(IdentityError, match="certificate of driver: expired on"):
        callers.caller_name(context, NOW + 2 * DAY)


def test_more_callers_than_are_remembered_are_still_told_apart():
    callers = CallerNames(COORDINATORS)
    key = issuing.p256()
    contexts = {
        name: [context_of(coordinator_leaf(issuer, (name,), key=key)) for _ in range(CACHED_CALLERS)]
        for name, issuer in (("driver", DRIVER), ("other", OTHER))
    }
    for name, own in contexts.items():
        assert {callers.caller_name(context, NOW) for context in own} == {name}
    assert {callers.caller_name(context, NOW) for context in contexts["driver"]} == {"driver"}


def test_certificates_of_the_command_line_helper_work_for_both_sides(tmp_path):
    shop = write_organisation("shop", Usage.PARTY, tmp_path / "shop", now=NOW)
    driver = write_organisation("driver", Usage.COORDINATOR, tmp_path / "driver", now=NOW)
    chain = x509.load_pem_x509_certificates(driver.certificate.read_bytes())
    authority = x509.load_pem_x509_certificate(driver.authority.read_bytes())
    coordinators = {"driver": TrustedName("driver", (authority,), spki_sha256(chain[0]))}
    credentials = server_credentials("shop", shop.certificate, shop.key, coordinators=lambda: coordinators, clock=clock)
    caller = own_identity("driver", driver.certificate, driver.key, usage=Usage.COORDINATOR, now=NOW)
    shop_authority = issuing.Issued(x509.load_pem_x509_certificate(shop.authority.read_bytes()), None)
    with serving(credentials, coordinators) as port:
        assert ask(port, caller, authority=shop_authority) == b"driver"

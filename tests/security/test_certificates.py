import hashlib
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from party.configuration.sections import KnownName
from party.errors import IdentityError
from party.security.certificates import (
    Usage,
    load_chain,
    load_private_key,
    own_identity,
    sign,
    spki_sha256,
    verify_leaf,
    verify_signature,
)
from party.security.trust import load_authorities, load_trusted
from tests.support import issuing
from tests.support.issuing import COORDINATOR, DAY, NOW, PARTY

ROOT = issuing.authority("shop authority")
OTHER = issuing.authority("shop authority")
OLD_ROOT = issuing.authority("shop authority", start=-9 * DAY, end=-DAY)
DEEP_ROOT = issuing.authority("shop authority", path_length=1)
ANY_USAGE = (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)


def verify(issued, *intermediates, ca=ROOT, usage=Usage.PARTY, name="shop", pin=None, now=NOW):
    chain = [one.certificate for one in intermediates]
    return verify_leaf(
        issued.certificate, chain, name=name, ca=(ca.certificate,), usage=usage, spki_sha256=pin, now=now
    )


@pytest.mark.parametrize(("usage", "oids"), [(Usage.PARTY, PARTY), (Usage.COORDINATOR, COORDINATOR)])
@pytest.mark.parametrize("key", [issuing.p256(), ec.generate_private_key(ec.SECP384R1())], ids=["p256", "p384"])
def test_right_certificate_is_accepted_until_the_chain_expires(usage, oids, key):
    issued = issuing.leaf(ROOT, usages=oids, key=key)
    assert verify(issued, usage=usage, pin=spki_sha256(issued.certificate)) == NOW + DAY
    short = issuing.authority("shop authority", end=timedelta(hours=1))
    assert verify(issuing.leaf(short, usages=oids), ca=short, usage=usage) == NOW + timedelta(hours=1)


def test_rsa_is_accepted():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert verify(issuing.leaf(ROOT, key=key)) == NOW + DAY


def test_intermediate_is_accepted_where_the_path_length_allows_one():
    intermediate = issuing.authority("middle", issuer=DEEP_ROOT)
    issued = issuing.leaf(intermediate)
    assert verify(issued, intermediate, ca=DEEP_ROOT) == NOW + DAY
    with pytest.raises(IdentityError, match="does not chain to the authority configured for shop"):
        verify(issued, ca=DEEP_ROOT)


def wrong_leaves():
    uri = x509.UniformResourceIdentifier("spiffe://shop")
    for usage, right, wrong in ((Usage.PARTY, PARTY, COORDINATOR), (Usage.COORDINATOR, COORDINATOR, PARTY)):
        usage_cases = {
            "wrong usage": (wrong, f"expected {usage.value} alone.*received {'|'.join(u.value for u in Usage)}"),
            "two usages": (right + wrong, "received (clientAuth, serverAuth|serverAuth, clientAuth)"),
            "any usage": (ANY_USAGE, "received 2.5.29.37.0"),
            "no usage": (None, "wrong extended key usage.*received none"),
        }
        for label, (usages, message) in usage_cases.items():
            yield f"{usage.name} {label}", usage, {"usages": usages}, message
        common = {
            "common name only": ({"names": None}, "received none; the common name does not count"),
            "two names": ({"names": ("shop", "bank")}, "exactly one .* DNS name shop; received 2 of kind DNSName"),
            "same name twice": ({"names": ("shop", "shop")}, "received 2 of kind DNSName"),
            "URI besides": ({"names": ("shop", uri)}, "received 2 of kind DNSName, UniformResourceIdentifier"),
            "URI alone": ({"names": (uri,)}, "received 1 of kind UniformResourceIdentifier"),
            "other name": ({"names": ("bank",)}, "DNS name shop; received DNS name 'bank'"),
            "wildcard": ({"names": ("*",)}, "DNS name shop; received DNS name '\\*'"),
            "other case": ({"names": ("Shop",)}, "DNS name shop; received DNS name 'Shop'"),
            "expired": ({"end": -timedelta(minutes=1)}, f"expired on {NOW - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC"),
            "not yet valid": ({"start": DAY, "end": 2 * DAY}, f"not valid before {NOW + DAY:%Y-%m-%d %H:%M} UTC"),
            "Ed25519": ({"key": ed25519.Ed25519PrivateKey.generate()}, "Ed25519, with which gRPC handshakes fail"),
            "P-521": ({"key": ec.generate_private_key(ec.SECP521R1())}, "expected P-256, P-384 or RSA.*secp521r1"),
        }
        for label, (changes, message) in common.items():
            yield f"{usage.name} {label}", usage, {"usages": right, **changes}, message


@pytest.mark.parametrize(
    ("usage", "changes", "message"), [pytest.param(*case[1:], id=case[0]) for case in wrong_leaves()]
)
def test_wrong_leaf_is_refused_by_what_is_wrong(usage, changes, message):
    with pytest.raises(IdentityError, match=f"^certificate of shop: .*{message}"):
        verify(issuing.leaf(ROOT, **changes), usage=usage)


@pytest.mark.parametrize("usage", Usage)
def test_chain_that_the_authority_did_not_allow_is_refused(usage):
    oids = (usage.oid,)
    with pytest.raises(IdentityError, match=r"certificate of shop: does not chain .* configured for shop"):
        verify(issuing.leaf(OTHER, usages=oids), usage=usage)
    intermediate = issuing.authority("middle", issuer=ROOT)
    with pytest.raises(IdentityError, match=r"certificate of shop: does not chain .*path length"):
        verify(issuing.leaf(intermediate, usages=oids), intermediate, usage=usage)
    with pytest.raises(IdentityError, match=f"authority of shop: expired on {NOW - DAY:%Y-%m-%d}"):
        verify(issuing.leaf(OLD_ROOT, usages=oids), ca=OLD_ROOT, usage=usage)
    no_authority = issuing.leaf(ROOT, usages=oids)
    with pytest.raises(IdentityError, match="certificate of shop: does not chain"):
        verify(issuing.leaf(no_authority, usages=oids, common_name="below"), no_authority, usage=usage)


@pytest.mark.parametrize("usage", Usage)
def test_an_authority_is_no_leaf_even_with_the_right_name(usage):
    extra = (x509.SubjectAlternativeName([x509.DNSName("shop")]), x509.ExtendedKeyUsage([usage.oid]))
    itself = issuing.authority("shop", extra=extra)
    below = issuing.authority("shop", issuer=DEEP_ROOT, extra=extra)
    for issued, root in ((itself, itself), (below, DEEP_ROOT)):
        with pytest.raises(IdentityError, match="is an authority's certificate"):
            verify(issued, ca=root, usage=usage)


def test_pin():
    issued, pinned = issuing.leaf(ROOT), issuing.leaf(ROOT)
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    pin = hashlib.sha256(pinned.key.public_key().public_bytes(encoding, form)).hexdigest()
    assert verify(pinned, pin=pin) == NOW + DAY
    with pytest.raises(
        IdentityError, match=f"another public key than the pinned one; expected {pin}; received [0-9a-f]+"
    ):
        verify(issued, pin=pin)


def test_small_rsa_key_is_refused():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(IdentityError, match="RSA of 1024 bits"):
        verify(issuing.leaf(ROOT, key=weak))


def test_altered_certificate_is_refused():
    der = bytearray(issuing.leaf(ROOT).certificate.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    altered = issuing.Issued(x509.load_der_x509_certificate(bytes(der)), None)
    with pytest.raises(IdentityError, match="certificate of shop: "):
        verify(altered)


@pytest.mark.parametrize(
    "key",
    [
        issuing.p256(),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
    ids=["p256", "p384", "rsa"],
)
def test_signature(key):
    certificate = issuing.leaf(ROOT, key=key).certificate
    signature = sign(key, b"transcript")
    verify_signature(certificate, signature, b"transcript")
    for wrong_signature, message in ((signature, b"other"), (b"", b"transcript"), (signature[:-1], b"transcript")):
        with pytest.raises(IdentityError, match="signature does not verify"):
            verify_signature(certificate, wrong_signature, message)
    with pytest.raises(IdentityError, match="signature does not verify"):
        verify_signature(issuing.leaf(ROOT, key=type_alike(key)).certificate, signature, b"transcript")


def type_alike(key):
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(key.curve)


def test_own_identity(tmp_path):
    intermediate = issuing.authority("middle", issuer=DEEP_ROOT)
    issued = issuing.leaf(intermediate)
    certificate, key = issued.write(tmp_path, "shop", intermediate)
    identity = own_identity("shop", certificate, key, usage=Usage.PARTY, now=NOW)
    assert identity.name == "shop"
    assert identity.chain == (issued.certificate, intermediate.certificate)
    verify_signature(issued.certificate, sign(identity.key, b"message"), b"message")
    assert "key" not in repr(identity)
    with pytest.raises(IdentityError, match=f"^{certificate}: has the wrong name; expected .* bank"):
        own_identity("bank", certificate, key, usage=Usage.PARTY, now=NOW)
    with pytest.raises(IdentityError, match=f"^{certificate}: has the wrong extended key usage"):
        own_identity("shop", certificate, key, usage=Usage.COORDINATOR, now=NOW)
    with pytest.raises(IdentityError, match=f"^{certificate}: expired on"):
        own_identity("shop", certificate, key, usage=Usage.PARTY, now=NOW + 2 * DAY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_that_others_may_read_is_refused_with_the_command_to_run(tmp_path, mode):
    issued = issuing.leaf(ROOT)
    _, key = issued.write(tmp_path, "shop")
    key.chmod(mode)
    with pytest.raises(IdentityError, match=f"received mode {mode:04o}; run chmod 600 {key}"):
        load_private_key(key, [issued.certificate])
    key.chmod(0o400)
    assert load_private_key(key, [issued.certificate]).private_numbers() == issued.key.private_numbers()


def test_key_of_another_certificate_or_kind_is_refused(tmp_path):
    issued = issuing.leaf(ROOT)
    _, key = issued.write(tmp_path, "shop")
    with pytest.raises(IdentityError, match="does not belong to the first certificate"):
        load_private_key(key, [issuing.leaf(ROOT).certificate])
    edwards = issuing.leaf(ROOT, key=ed25519.Ed25519PrivateKey.generate())
    _, key = edwards.write(tmp_path, "edwards")
    with pytest.raises(IdentityError, match=f"^{key}: .*Ed25519, with which gRPC handshakes fail"):
        load_private_key(key, [edwards.certificate])
    encryption = serialization.BestAvailableEncryption(b"password")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(issued.key.private_bytes(encoding, form, encryption))
    with pytest.raises(IdentityError, match="has a password"):
        load_private_key(key, [issued.certificate])
    key.write_bytes(b"no key")
    with pytest.raises(IdentityError, match="holds no valid private key"):
        load_private_key(key, [issued.certificate])
    with pytest.raises(IdentityError, match=r"cannot be read \(FileNotFoundError\)"):
        load_private_key(tmp_path / "absent", [issued.certificate])


def test_files_that_hold_no_certificate_or_no_authority_are_refused(tmp_path):
    path = tmp_path / "file.pem"
    with pytest.raises(IdentityError, match=f"^{path}: cannot be read"):
        load_chain(path)
    path.write_bytes(b"nothing")
    with pytest.raises(IdentityError, match="holds no valid certificate"):
        load_chain(path)
    path.write_bytes(ROOT.pem + issuing.leaf(ROOT).pem)
    assert len(load_chain(path)) == 2
    with pytest.raises(IdentityError, match="holds a certificate that is no authority's"):
        load_authorities(path)


def test_an_authority_that_every_user_may_change_is_refused(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(ROOT.pem)
    path.chmod(0o644)
    assert load_authorities(path) == (ROOT.certificate,)
    path.chmod(0o666)
    with pytest.raises(IdentityError, match=f"^{path}: can be changed by every user; received mode 0666; run"):
        load_authorities(path)


def test_trusted_names_verify_only_against_their_own_authority(tmp_path):
    (tmp_path / "a.pem").write_bytes(ROOT.pem)
    (tmp_path / "b.pem").write_bytes(OTHER.pem)
    issued = issuing.leaf(ROOT)
    pin = spki_sha256(issued.certificate)
    known = [KnownName(name="shop", ca="a.pem", spki_sha256=pin), KnownName(name="bank", ca="b.pem")]
    trusted = load_trusted(known, tmp_path)
    assert trusted["shop"].verify(issued.certificate, [], Usage.PARTY, NOW) == NOW + DAY
    with pytest.raises(IdentityError, match="than the pinned one"):
        trusted["shop"].verify(issuing.leaf(ROOT).certificate, [], Usage.PARTY, NOW)
    with pytest.raises(IdentityError, match="configured for bank"):
        trusted["bank"].verify(issuing.leaf(ROOT, names=("bank",)).certificate, [], Usage.PARTY, NOW)

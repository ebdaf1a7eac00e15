"""What an authority needs: the check of a file says the same as the verification of what it issued, and as TLS."""

import itertools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from party.errors import IdentityError
from party.security.authority import check_in_force
from party.security.certificates import Usage, own_identity, verify_leaf
from party.security.trust import load_authorities
from tests.support import issuing
from tests.support.issuing import COORDINATOR, DAY, NOW, PARTY, Issued, key_usage

CA = (x509.BasicConstraints(ca=True, path_length=None), True)
SIGNS = (key_usage(key_cert_sign=True, crl_sign=True), True)
USAGES = {Usage.PARTY: PARTY, Usage.COORDINATOR: COORDINATOR}
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")

GOOD = {
    "all": [CA, SIGNS],
    "openssl req -x509": [CA],
    "not critical": [(CA[0], False)],
    "key usage not critical": [CA, (SIGNS[0], False)],
    "any extended usage": [CA, SIGNS, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)],
    "both extended usages": [CA, (x509.ExtendedKeyUsage([*PARTY, *COORDINATOR]), False)],
    "an alternative name": [CA, SIGNS, (x509.SubjectAlternativeName([x509.DNSName("ca.example")]), False)],
    "an unknown extension": [CA, SIGNS, (UNKNOWN, False)],
    "names": [CA, SIGNS, (x509.NameConstraints([x509.DNSName("shop")], None), True)],
}
BAD = {
    "no constraints": ([SIGNS], "is no authority's; expected basic constraints with CA:true"),
    "nothing": ([], "is no authority's"),
    "no authority": ([(x509.BasicConstraints(ca=False, path_length=None), True), SIGNS], "is no authority's"),
    "may not sign": ([CA, (key_usage(digital_signature=True), True)], "keyCertSign among its key usage"),
    "critical and unknown": ([CA, SIGNS, (UNKNOWN, True)], "a critical extension that is not known: 1.2.3.4"),
}
KEYS = {
    "P-384": (ec.generate_private_key(ec.SECP384R1()), True),
    "P-521": (ec.generate_private_key(ec.SECP521R1()), True),
    "RSA 2048": (rsa.generate_private_key(65537, 2048), True),
    "RSA 1024": (rsa.generate_private_key(65537, 1024), False),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate(), False),
}


def issued(extensions, key=None, **times) -> Issued:
    return issuing.issue("shop authority", None, key or issuing.p256(), extensions=extensions, **times)


def checked(root, usage, folder):
    """The refusal of `party check`, or None."""
    path = folder / "shop-ca.pem"
    path.write_bytes(root.pem)
    try:
        check_in_force(load_authorities(path), usage, NOW, path)
    except IdentityError as error:
        return str(error)
    return None


def verified(root, usage):
    """The refusal of a handshake, or None."""
    one = issuing.leaf(root, usages=USAGES[usage])
    try:
        verify_leaf(one.certificate, [], name="shop", ca=(root.certificate,), usage=usage, spki_sha256=None, now=NOW)
    except IdentityError as error:
        return str(error)
    return None


@pytest.mark.parametrize("usage", Usage)
@pytest.mark.parametrize("extensions", GOOD)
def test_what_the_check_accepts_verifies(usage, extensions, tmp_path):
    root = issued(GOOD[extensions])
    assert checked(root, usage, tmp_path) is None
    assert verified(root, usage) is None


@pytest.mark.parametrize("usage", Usage)
@pytest.mark.parametrize("extensions", BAD)
def test_what_cannot_verify_is_refused_by_the_check_in_words(usage, extensions, tmp_path):
    root = issued(BAD[extensions][0])
    assert verified(root, usage) is not None
    refusal = checked(root, usage, tmp_path)
    assert BAD[extensions][1] in refusal
    assert "2.5.29" not in refusal


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_authorities(kind, tmp_path):
    key, accepted = KEYS[kind]
    root = issued([CA, SIGNS], key)
    assert (checked(root, Usage.PARTY, tmp_path) is None) is accepted
    assert (verified(root, Usage.PARTY) is None) is accepted


@pytest.mark.parametrize(("usage", "other"), list(itertools.permutations(Usage)))
def test_an_authority_for_the_other_role_is_refused(usage, other, tmp_path):
    root = issued([CA, SIGNS, (x509.ExtendedKeyUsage(USAGES[other]), False)])
    assert verified(root, usage) is not None
    assert f"may not vouch for a {usage.name.lower()}" in checked(root, usage, tmp_path)
    assert checked(root, other, tmp_path) is None


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [(-9 * DAY, -DAY, "expired on"), (DAY, 9 * DAY, "is not valid before")],
    ids=["old", "new"],
)
def test_an_authority_out_of_its_time_is_refused_unless_another_one_stands_beside_it(start, end, said, tmp_path):
    root = issued([CA, SIGNS], start=start, end=end)
    assert verified(root, Usage.PARTY) is not None
    assert said in checked(root, Usage.PARTY, tmp_path)
    path = tmp_path / "shop-ca.pem"
    path.write_bytes(root.pem + issued([CA]).pem)
    check_in_force(load_authorities(path), Usage.PARTY, NOW, path)


LEAVES = {
    "none": ([], None),
    "signs": ([(key_usage(digital_signature=True), True)], None),
    "no authority": ([(x509.BasicConstraints(ca=False, path_length=None), False)], None),
    "an authority": ([CA], "is an authority's certificate"),
    "signs certificates": ([(key_usage(digital_signature=True, key_cert_sign=True), True)], "has the wrong key usage"),
    "enciphers alone": (
        [(key_usage(key_encipherment=True), True)],
        "has the wrong key usage; expected digitalSignature",
    ),
    "critical and unknown": ([(UNKNOWN, True)], "a critical extension that is not known: 1.2.3.4"),
}


@pytest.mark.parametrize("kind", LEAVES)
def test_a_party_is_told_at_its_own_check_what_its_peers_would_refuse(kind, tmp_path):
    further, said = LEAVES[kind]
    root = issued([CA])
    names = (x509.SubjectAlternativeName([x509.DNSName("shop")]), False)
    one = issuing.issue(
        "shop", root, issuing.p256(), extensions=[names, (x509.ExtendedKeyUsage(PARTY), False), *further]
    )
    certificate, key = one.write(tmp_path, "shop")
    if said is None:
        own_identity("shop", certificate, key, usage=Usage.PARTY, now=NOW)
        return
    with pytest.raises(IdentityError, match=said):
        own_identity("shop", certificate, key, usage=Usage.PARTY, now=NOW)


VOUCHING = {
    "no key usage": [(x509.BasicConstraints(ca=False, path_length=None), True)],
    "neither": [],
    "a key usage that signs": [(x509.BasicConstraints(ca=False, path_length=None), True), SIGNS],
}


@pytest.mark.parametrize("usage", USAGES)
@pytest.mark.parametrize("extensions", VOUCHING.values(), ids=VOUCHING)
def test_whoever_has_a_certificate_of_a_companys_authority_vouches_for_nobody(usage, extensions):
    """An authority needs no key usage. So a certificate without one must not pass for an authority between."""
    root = issuing.authority("company", path_length=None)
    own = [
        (x509.ExtendedKeyUsage(USAGES[usage]), False),
        (x509.SubjectAlternativeName([x509.DNSName("printer")]), False),
    ]
    printer = issuing.issue("printer", root, issuing.p256(), extensions=[*extensions, *own])
    forged = issuing.leaf(printer, usages=USAGES[usage])
    arguments = {"name": "shop", "ca": (root.certificate,), "usage": usage, "spki_sha256": None, "now": NOW}
    assert verify_leaf(issuing.leaf(root, usages=USAGES[usage]).certificate, [], **arguments)
    with pytest.raises(IdentityError, match="does not chain"):
        verify_leaf(forged.certificate, [printer.certificate], **arguments)

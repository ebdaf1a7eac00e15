"""Chains made to take a verifier's time are refused by their length, wherever one arrives."""

import pytest

from party.errors import IdentityError
from party.security.certificates import Usage, certificates_from_der, load_chain, verify_leaf
from party.security.chains import MAXIMUM_CERTIFICATE_BYTES, MAXIMUM_CERTIFICATES, MAXIMUM_PEM_BYTES
from party.security.tls import CallerNames
from party.security.trust import TrustedName, load_authorities
from tests.support import issuing
from tests.support.issuing import NOW

ROOT = issuing.authority(path_length=None)
LEAF = issuing.leaf(ROOT)
TOO_MANY = f"has too many certificates; expected at most {MAXIMUM_CERTIFICATES}; received {MAXIMUM_CERTIFICATES + 1}"


def crafted(count):
    """Authorities of one name that all sign each other's name: a verifier may try every order of them."""
    made = [issuing.authority("authority", issuer=ROOT, path_length=None)]
    while len(made) < count:
        made.append(issuing.authority("authority", issuer=made[-1], path_length=None))
    return made


INTERMEDIATES = crafted(MAXIMUM_CERTIFICATES)


def verify(intermediates):
    certificates = [one.certificate for one in intermediates]
    arguments = {"name": "shop", "ca": (ROOT.certificate,), "usage": Usage.PARTY, "spki_sha256": None, "now": NOW}
    return verify_leaf(LEAF.certificate, certificates, **arguments)


def test_a_crafted_chain_is_refused_before_it_is_verified(monkeypatch):
    built = []
    monkeypatch.setattr("party.security.certificates.PolicyBuilder", lambda: built.append(1))
    with pytest.raises(IdentityError, match=TOO_MANY):
        verify(INTERMEDIATES)
    assert built == []


def test_a_chain_of_the_longest_length_is_verified():
    assert verify(INTERMEDIATES[:-1])


def der(issued):
    return issued.certificate.public_bytes(issuing.serialization.Encoding.DER)


def test_a_crafted_chain_of_a_message_is_refused():
    chain = [der(one) for one in (LEAF, *INTERMEDIATES)]
    assert len(certificates_from_der(chain[:-1], "x")) == MAXIMUM_CERTIFICATES
    with pytest.raises(IdentityError, match=TOO_MANY):
        certificates_from_der(chain, "x")
    with pytest.raises(IdentityError, match="holds too long a certificate"):
        certificates_from_der([bytes(MAXIMUM_CERTIFICATE_BYTES + 1)], "x")


def test_a_crafted_chain_of_a_caller_is_refused():
    caller = issuing.leaf(ROOT, names=("driver",), usages=issuing.COORDINATOR)
    callers = CallerNames({"driver": TrustedName("driver", (ROOT.certificate,))})
    chain = b"".join(one.pem for one in (caller, *INTERMEDIATES))
    with pytest.raises(IdentityError, match=TOO_MANY):
        callers.caller_name({"x509_pem_cert": [caller.pem], "x509_pem_cert_chain": [chain]}, NOW)
    assert callers.caller_name({"x509_pem_cert": [caller.pem], "x509_pem_cert_chain": [caller.pem]}, NOW) == "driver"


@pytest.mark.parametrize("load", [load_chain, load_authorities])
def test_a_crafted_file_is_refused(tmp_path, load):
    path = tmp_path / "chain.pem"
    path.write_bytes(b"".join(one.pem for one in (ROOT, *INTERMEDIATES)))
    with pytest.raises(IdentityError, match=TOO_MANY):
        load(path)
    path.write_bytes(b"#" * MAXIMUM_PEM_BYTES + ROOT.pem)
    with pytest.raises(IdentityError, match="is too long"):
        load(path)
    path.write_bytes(ROOT.pem)
    assert len(load(path)) == 1

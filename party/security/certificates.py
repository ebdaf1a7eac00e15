"""Certificates: which ones a process trusts for which name, and how it signs with its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from party.errors import IdentityError
from party.ownership import OTHERS, looseness
from party.security.chains import (
    MAXIMUM_CERTIFICATES,
    MAXIMUM_PEM_BYTES,
    certificates_from_der,
    certificates_from_pem,
    check_count,
)
from party.security.leaf import (
    ACCEPTED_KEYS,
    CURVE_HASHES,
    PARSE_ERRORS,
    Usage,
    check_key,
    check_leaf,
    check_validity,
)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Authorities = tuple[x509.Certificate, ...]

SHOWN_REASON_CHARACTERS = 300
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH)

__all__ = [
    "PARSE_ERRORS",
    "Authorities",
    "Identity",
    "PrivateKey",
    "Usage",
    "certificates_from_der",
    "load_chain",
    "load_private_key",
    "own_identity",
    "sign",
    "spki_sha256",
    "verify_leaf",
    "verify_signature",
]


@dataclass(frozen=True)
class Identity:
    """This party's certificate, checked, with its private key.

    Attributes:
        name: the only DNS name of the certificate.
        chain: certificates, leaf first.
        key: private key of the leaf.
    """

    name: str
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)


def unreadable(path: Path, error: OSError) -> IdentityError:
    """The error of a file with a certificate or a key that cannot be read.

    Args:
        path: of the file.
        error: of the system.
    """
    return IdentityError(
        f"cannot be read ({error.__class__.__name__})",
        where=path,
        fix="check the paths under tls and ca; `party certificate` and `coordinator certificate` make these files",
    )


def load_chain(path: Path) -> tuple[x509.Certificate, ...]:
    """Reads a certificate chain.

    Args:
        path: PEM file, leaf first.

    Returns:
        At least one certificate, in the order of the file.

    Raises:
        IdentityError: the file is missing, unreadable, too long, or holds no certificate or too many.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_PEM_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    return certificates_from_pem(data, path)


def load_private_key(path: Path, chain: Sequence[x509.Certificate]) -> PrivateKey:
    """Reads the private key of a chain's leaf.

    Args:
        path: PEM file without a password that only its owner may read.
        chain: certificates, leaf first.

    Returns:
        The key: P-256, P-384 or RSA.

    Raises:
        IdentityError: the file is missing, readable by others, no usable key, or another certificate's key.
    """
    where = path
    try:
        with path.open("rb") as file:
            received = looseness(os.fstat(file.fileno()), OTHERS)
            data = file.read()
    except OSError as error:
        raise IdentityError(f"cannot be read ({error.__class__.__name__})", where=where) from error
    if received is not None:
        raise IdentityError(
            "private key is open to others",
            where=where,
            expected="mode 0600, owned by the user of this process or by root",
            received=received,
            fix=f"run chmod 600 {path}, and chown it if it is another user's",
        )
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError:
        raise IdentityError("private key has a password", where=where, expected="a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise IdentityError("holds no valid private key", where=where, expected="a PEM file") from None
    check_key(key.public_key(), where)
    if not isinstance(key, PrivateKey) or key.public_key() != chain[0].public_key():
        raise IdentityError("private key does not belong to the first certificate of the chain", where=where)
    return key


def own_identity(name: str, certificate: Path, key: Path, *, usage: Usage, now: datetime) -> Identity:
    """Reads and checks the certificate and key of this process.

    Args:
        name: name of this process, from the configuration.
        certificate: PEM file with the chain, leaf first.
        key: PEM file with the leaf's private key.
        usage: role of this process.
        now: the current time, with a time zone.

    Returns:
        An identity that a peer with the right authority will accept.

    Raises:
        IdentityError: a file or the certificate in it is unfit; names the file.
    """
    chain = load_chain(certificate)
    check_leaf(chain[0], name, usage, now=now, where=certificate)
    return Identity(name, chain, load_private_key(key, chain))


def verify_leaf(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    *,
    name: str,
    ca: Authorities,
    usage: Usage,
    spki_sha256: str | None,
    now: datetime,
) -> datetime:
    """Verifies a certificate for one name against the only authority that may vouch for that name.

    Args:
        leaf: the certificate.
        intermediates: further certificates that its owner sent.
        name: the name that it must carry, as its only DNS name.
        ca: that name's authority, never anybody else's.
        usage: the role that it must have, and no other.
        spki_sha256: hexadecimal digest of its public key; None if it is not pinned.
        now: the current time, with a time zone.

    Returns:
        When the first certificate of the verified chain expires.

    Raises:
        IdentityError: names the expected name and what is wrong.
    """
    where = f"certificate of {name}"
    check_count(1 + len(intermediates), where)
    check_leaf(leaf, name, usage, now=now, where=where)
    try:
        builder = _policy_builder(ca, now)
        if usage is Usage.PARTY:
            chain = builder.build_server_verifier(x509.DNSName(name)).verify(leaf, list(intermediates))
        else:
            chain = builder.build_client_verifier().verify(leaf, list(intermediates)).chain
    except (VerificationError, *PARSE_ERRORS) as error:
        for authority in ca:
            check_validity(authority, now, f"authority of {name}")
        reason = repr(str(error))[1:-1][:SHOWN_REASON_CHARACTERS]
        raise IdentityError(
            f"does not chain to the authority configured for {name} ({reason})",
            where=where,
            fix=f"compare the ca file of {name} with the one that organisation uses",
        ) from error
    _check_pin(leaf, spki_sha256, where)
    return min(certificate.not_valid_after_utc for certificate in chain)


def spki_sha256(certificate: x509.Certificate) -> str:
    """The digest that pins a certificate's public key: SHA-256 of its SubjectPublicKeyInfo, hexadecimal."""
    return hashlib.sha256(_spki(certificate)).hexdigest()


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Signs with ECDSA over SHA-256 (P-256) or SHA-384 (P-384), or RSA-PSS over SHA-256.

    Args:
        key: private key of this process.
        message: what to sign, whole; the caller separates it from anything else that the key signs.

    Returns:
        The signature.
    """
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, PSS, hashes.SHA256())
    return key.sign(message, ec.ECDSA(CURVE_HASHES[key.curve.name]))


def verify_signature(certificate: x509.Certificate, signature: bytes, message: bytes) -> None:
    """Verifies a signature that `sign` made.

    Args:
        certificate: the signer's certificate, already verified by `verify_leaf`.
        signature: the signature as received.
        message: what the signer must have signed, from the verifier's own view.

    Raises:
        IdentityError: the signature is not the certificate's over this message.
    """
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, PSS, hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVE_HASHES:
            key.verify(signature, message, ec.ECDSA(CURVE_HASHES[key.curve.name]))
        else:
            raise IdentityError("key cannot be used", where="certificate", expected=ACCEPTED_KEYS)
    except InvalidSignature:
        raise IdentityError("signature does not verify with the certificate's key") from None


def _policy_builder(ca: Authorities, now: datetime) -> PolicyBuilder:
    """The rules of a chain; `check_leaf` checks the leaf's name and usage, more strictly than the defaults do."""
    # Most tutorials on openssl make authorities without key usage, which RFC 5280 allows and TLS accepts.
    ca_policy = (
        ExtensionPolicy.webpki_defaults_ca()
        .may_be_present(x509.AuthorityKeyIdentifier, Criticality.NON_CRITICAL, None)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign_certificates)
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    )
    ee_policy = (
        ExtensionPolicy.webpki_defaults_ee()
        .may_be_present(x509.AuthorityKeyIdentifier, Criticality.NON_CRITICAL, None)
        .require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
        .require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
    )
    builder = PolicyBuilder().store(Store(list(ca))).time(now).max_chain_depth(MAXIMUM_CERTIFICATES)
    return builder.extension_policies(ca_policy=ca_policy, ee_policy=ee_policy)


def _may_sign_certificates(policy: object, certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    """Refuses an authority whose key usage, if it has one, does not allow it to sign certificates."""
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("key usage of an authority lacks keyCertSign")


def _check_pin(leaf: x509.Certificate, pin: str | None, where: str) -> None:
    received = spki_sha256(leaf)
    if pin is not None and received != pin:
        raise IdentityError("has another public key than the pinned one", where=where, expected=pin, received=received)


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )

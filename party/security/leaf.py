"""The checks of a leaf certificate that do not depend on its issuer."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from party.errors import IdentityError

MINIMUM_RSA_BITS = 2048
CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}
ACCEPTED_KEYS = f"P-256, P-384 or RSA of at least {MINIMUM_RSA_BITS} bits"
SHOWN_NAME_CHARACTERS = 80
RENEW = "renew it: where it was made here, `party certificate NAME --renew`, or `coordinator certificate`"
KNOWN_CRITICAL = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)

# What parsing a certificate, or an extension of it, raises: certificates are parsed lazily.
PARSE_ERRORS = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class Usage(Enum):
    """The use of a certificate: exactly one of these, so that no key can take the other role."""

    PARTY = "serverAuth"
    COORDINATOR = "clientAuth"

    @property
    def oid(self) -> x509.ObjectIdentifier:
        """The extended key usage."""
        return ExtendedKeyUsageOID.SERVER_AUTH if self is Usage.PARTY else ExtendedKeyUsageOID.CLIENT_AUTH


def check_leaf(leaf: x509.Certificate, name: str, usage: Usage, *, now: datetime, where: object) -> None:
    """Checks everything about a leaf that does not need its authority.

    Args:
        leaf: the certificate.
        name: its only DNS name, compared exactly.
        usage: its only extended key usage.
        now: the current time, with a time zone.
        where: file or name, for errors.

    Raises:
        IdentityError: something is wrong with it; the message says what.
    """
    try:
        check_validity(leaf, now, where)
        _check_name(leaf, name, where)
        _check_usage(leaf, usage, where)
        _check_signs_itself(leaf, where)
        check_key(leaf.public_key(), where)
    except PARSE_ERRORS as error:
        raise IdentityError("cannot be parsed", where=where, expected="an X.509 certificate") from error


def check_validity(certificate: x509.Certificate, now: datetime, where: object) -> None:
    """Refuses a certificate outside of its period of validity.

    Args:
        certificate: the certificate.
        now: the current time, with a time zone.
        where: file or name, for errors.

    Raises:
        IdentityError: it has expired or is not valid yet; the message has the date.
    """
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise IdentityError(f"expired on {end:%Y-%m-%d %H:%M} UTC", where=where, fix=RENEW)
    if now < start:
        fix = "compare the clocks of both machines"
        raise IdentityError(f"is not valid before {start:%Y-%m-%d %H:%M} UTC", where=where, fix=fix)


def _check_name(leaf: x509.Certificate, name: str, where: object) -> None:
    expected = f"exactly one subject alternative name, the DNS name {name}"
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        received = "none; the common name does not count"
        raise IdentityError("has the wrong name", where=where, expected=expected, received=received) from None
    only = names[0].value if len(names) == 1 and isinstance(names[0], x509.DNSName) else None
    if only != name:
        kinds = ", ".join(sorted({type(one).__name__ for one in names}))
        received = f"{len(names)} of kind {kinds}" if only is None else f"DNS name {only[:SHOWN_NAME_CHARACTERS]!r}"
        raise IdentityError("has the wrong name", where=where, expected=expected, received=received)


def _check_usage(leaf: x509.Certificate, usage: Usage, where: object) -> None:
    known = {one.oid: one.value for one in Usage}
    try:
        usages = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = []
    if usages != [usage.oid]:
        received = ", ".join(known.get(oid, oid.dotted_string) for oid in usages) or "none"
        role = usage.name.lower()
        expected = f"{usage.value} alone, for a {role}"
        raise IdentityError("has the wrong extended key usage", where=where, expected=expected, received=received)


def _check_signs_itself(leaf: x509.Certificate, where: object) -> None:
    """Refuses a leaf that may sign certificates, or may not sign a handshake."""
    with suppress(x509.ExtensionNotFound):
        if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise IdentityError(
                "is an authority's certificate",
                where=where,
                expected="basic constraints with CA:false, or none",
                fix="have the authority issue a certificate, and name that one",
            )
    with suppress(x509.ExtensionNotFound):
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        if usage.key_cert_sign or not usage.digital_signature:
            raise IdentityError(
                "has the wrong key usage",
                where=where,
                expected="digitalSignature and no keyCertSign, or no key usage",
                fix="issue it again with keyUsage=critical,digitalSignature",
            )
    unknown = unknown_critical(leaf)
    if unknown:
        raise IdentityError(f"has a critical extension that is not known: {unknown}", where=where)
    if not list(leaf.subject) and not leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical:
        raise IdentityError(
            "has neither a subject nor a critical subject alternative name",
            where=where,
            fix="issue it again with a subject such as CN=NAME",
        )


def unknown_critical(certificate: x509.Certificate) -> str:
    """A critical extension that verifiers here do not know, and so refuse.

    Args:
        certificate: a leaf or an authority.

    Returns:
        Its object identifier; empty if there is none.
    """
    unknown = [
        one.oid.dotted_string for one in certificate.extensions if one.critical and one.oid not in KNOWN_CRITICAL
    ]
    return unknown[0] if unknown else ""


def check_key(key: object, where: object) -> None:
    """Refuses a public key of a kind that gRPC, TLS and the handshake do not all support.

    Args:
        key: the public key.
        where: file or name, for errors.

    Raises:
        IdentityError: it is not one of ACCEPTED_KEYS.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        accepted, received = key.curve.name in CURVE_HASHES, key.curve.name
    elif isinstance(key, rsa.RSAPublicKey):
        accepted, received = key.key_size >= MINIMUM_RSA_BITS, f"RSA of {key.key_size} bits"
    else:
        accepted = False
        received = f"{type(key).__name__.removesuffix('PublicKey')}, with which gRPC handshakes fail"
    if not accepted:
        raise IdentityError(
            "has a kind of key that is not accepted", where=where, expected=ACCEPTED_KEYS, received=received
        )

"""What a certificate needs to be an authority, checked before anything depends on it.

RFC 5280, section 6.1.4, allows an authority without key usage, and refuses one whose key usage lacks keyCertSign.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from party.errors import IdentityError
from party.security.leaf import MINIMUM_RSA_BITS, PARSE_ERRORS, Usage, check_validity, unknown_critical

AUTHORITY_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
ACCEPTED_AUTHORITY_KEYS = f"P-256, P-384, P-521 or RSA of at least {MINIMUM_RSA_BITS} bits"
REISSUE = "ask that organisation for its NAME-ca.pem; one made with openssl needs -addext"


def check_authority(certificate: x509.Certificate, where: object) -> None:
    """Refuses a certificate whose signatures no verifier would accept, whoever they name.

    Args:
        certificate: of an authority.
        where: file, for errors.

    Raises:
        IdentityError: it says what is missing, and the option of openssl that adds it.
    """
    try:
        _check_constraints(certificate, where)
        _check_key_usage(certificate, where)
        _check_key(certificate, where)
        unknown = unknown_critical(certificate)
        if unknown:
            raise IdentityError(f"has a critical extension that is not known: {unknown}", where=where)
        if not list(certificate.subject):
            raise IdentityError("has no subject", where=where, expected="a subject such as CN=NAME authority")
    except PARSE_ERRORS as error:
        raise IdentityError("cannot be parsed", where=where, expected="an X.509 certificate") from error


def check_in_force(authorities: Sequence[x509.Certificate], usage: Usage, now: datetime, where: object) -> None:
    """Refuses authorities of which none can vouch at present.

    Args:
        authorities: of one name; several while one replaces another.
        usage: the role of the name.
        now: the current time, with a time zone.
        where: file, for errors.

    Raises:
        IdentityError: none is valid now, or none may vouch for this role.
    """
    refusals = []
    for certificate in authorities:
        try:
            check_validity(certificate, now, where)
            _check_extended_usage(certificate, usage, where)
        except IdentityError as error:
            refusals.append(error)
        else:
            return
    raise refusals[-1]


def _check_constraints(certificate: x509.Certificate, where: object) -> None:
    constraints = None
    with suppress(x509.ExtensionNotFound):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if constraints is None or not constraints.ca:
        raise IdentityError(
            "holds a certificate that is no authority's",
            where=where,
            expected="basic constraints with CA:true",
            fix=f"{REISSUE} 'basicConstraints=critical,CA:TRUE'",
        )


def _check_key_usage(certificate: x509.Certificate, where: object) -> None:
    with suppress(x509.ExtensionNotFound):
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.key_cert_sign:
            raise IdentityError(
                "holds an authority whose key usage forbids to sign certificates",
                where=where,
                expected="keyCertSign among its key usage, or no key usage",
                fix=f"{REISSUE} 'keyUsage=critical,keyCertSign,cRLSign'",
            )


def _check_key(certificate: x509.Certificate, where: object) -> None:
    key = certificate.public_key()
    is_accepted = (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in AUTHORITY_CURVES) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= MINIMUM_RSA_BITS
    )
    if not is_accepted:
        size = f" of {key.key_size} bits" if isinstance(key, rsa.RSAPublicKey) else ""
        raise IdentityError(
            "holds an authority with a kind of key that is not accepted",
            where=where,
            expected=ACCEPTED_AUTHORITY_KEYS,
            received=f"{type(key).__name__.removesuffix('PublicKey')}{size}",
        )


def _check_extended_usage(certificate: x509.Certificate, usage: Usage, where: object) -> None:
    with suppress(x509.ExtensionNotFound):
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if usage.oid not in usages and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in usages:
            raise IdentityError(
                f"holds an authority that may not vouch for a {usage.name.lower()}",
                where=where,
                expected=f"{usage.value} among its extended key usage, or no extended key usage",
            )

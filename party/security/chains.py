"""Certificate chains from files and messages: their size is checked before anything is parsed."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from party.errors import IdentityError
from party.security.leaf import PARSE_ERRORS

MAXIMUM_CERTIFICATES = 8  # of a chain, the leaf included
MAXIMUM_CERTIFICATE_BYTES = 16 * 1024  # of one certificate as DER
MAXIMUM_PEM_BYTES = 256 * 1024  # of a file: MAXIMUM_CERTIFICATES as base64, and room for comments
PEM_BEGIN = b"-----BEGIN"


def certificates_from_pem(data: bytes, where: object) -> tuple[x509.Certificate, ...]:
    """Parses a chain or a list of authorities.

    Args:
        data: PEM; text between certificates is ignored.
        where: file or message that it comes from, for errors.

    Returns:
        At least one certificate, in the order of the data.

    Raises:
        IdentityError: there are too many, they are too long, or there is none that can be parsed.
    """
    if len(data) > MAXIMUM_PEM_BYTES:
        raise IdentityError("is too long", where=where, expected=f"at most {MAXIMUM_PEM_BYTES} bytes")
    check_count(data.count(PEM_BEGIN), where)
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except PARSE_ERRORS:
        raise IdentityError("holds no valid certificate", where=where, expected="a PEM file") from None


def certificates_from_der(chain: Sequence[bytes], where: object) -> tuple[x509.Certificate, ...]:
    """Parses a chain from a message.

    Args:
        chain: certificates as DER, leaf first.
        where: message that they come from, for errors.

    Returns:
        As many certificates, possibly none.

    Raises:
        IdentityError: there are too many, or one is too long or cannot be parsed.
    """
    check_count(len(chain), where)
    if any(len(data) > MAXIMUM_CERTIFICATE_BYTES for data in chain):
        expected = f"at most {MAXIMUM_CERTIFICATE_BYTES} bytes"
        raise IdentityError("certificate_chain holds too long a certificate", where=where, expected=expected)
    try:
        return tuple(x509.load_der_x509_certificate(data) for data in chain)
    except PARSE_ERRORS:
        raise IdentityError("certificate_chain cannot be parsed", where=where) from None


def check_count(certificates: int, where: object) -> None:
    """Refuses a chain of too many certificates: a verifier may try all paths through them.

    Args:
        certificates: number of certificates.
        where: file or message that they come from, for errors.

    Raises:
        IdentityError: there are too many.
    """
    if certificates > MAXIMUM_CERTIFICATES:
        raise IdentityError(
            "has too many certificates",
            where=where,
            expected=f"at most {MAXIMUM_CERTIFICATES}",
            received=str(certificates),
            fix="send the leaf and the intermediates below the authority only",
        )

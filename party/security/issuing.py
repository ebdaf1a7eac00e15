"""An organisation's authority and its one certificate: made, written, renewed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from party.configuration.patterns import NAME_PATTERN
from party.errors import IdentityError, StorageError
from party.security.certificates import Identity, PrivateKey, Usage, load_private_key
from party.security.files import private_folder, write_atomically
from party.security.trust import load_authorities

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
# The machines of two organisations never show quite the same time.
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """An organisation's own authority.

    Attributes:
        certificate: self-signed, path length 0.
        key: its private key; never leaves the organisation.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)


@dataclass(frozen=True)
class OrganisationFiles:
    """Where the four files of an organisation are.

    Attributes:
        name: certificate name.
        folder: the folder that holds the files.
    """

    name: str
    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate, the only file to hand over."""
        return self.folder / f"{self.name}-ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's private key."""
        return self.folder / f"{self.name}-ca-key.pem"

    @property
    def certificate(self) -> Path:
        """The certificate chain, leaf first."""
        return self.folder / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        """The leaf's private key."""
        return self.folder / f"{self.name}-key.pem"


def make_authority(name: str, *, now: datetime, days: int = AUTHORITY_DAYS) -> Authority:
    """Makes an authority that can issue certificates, but no further authorities.

    Args:
        name: name of the organisation's certificate.
        now: the current time, with a time zone.
        days: how long it is valid.

    Returns:
        A self-signed P-256 authority.

    Raises:
        IdentityError: the name cannot be a certificate name.
    """
    check_certificate_name(name)
    key = ec.generate_private_key(ec.SECP256R1())
    # Two attributes: name and word together can exceed the 64 characters of one.
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name), x509.NameAttribute(NameOID.COMMON_NAME, "authority")]
    )
    builder = _builder(subject, subject, key.public_key(), now=now, until=now + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(issues_certificates=True), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def make_leaf(authority: Authority, name: str, usage: Usage, *, now: datetime, days: int = LEAF_DAYS) -> Identity:
    """Makes a certificate with one DNS name and one extended key usage.

    Args:
        authority: the organisation's.
        name: certificate name, lower-case letters, digits and hyphens.
        usage: party or coordinator.
        now: the current time, with a time zone.
        days: how long it is valid, but no longer than the authority.

    Returns:
        The certificate with a new P-256 key.

    Raises:
        IdentityError: the name cannot be a certificate name, or the authority expired.
    """
    check_certificate_name(name)
    end = authority.certificate.not_valid_after_utc
    if now >= end:
        fix = "make a new authority in another folder and hand over its certificate"
        raise IdentityError(f"expired on {end:%Y-%m-%d}", where=f"authority of {name}", fix=fix)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = min(now + timedelta(days=days), end)
    builder = _builder(subject, authority.certificate.subject, key.public_key(), now=now, until=until)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(issues_certificates=False), True),
        (x509.ExtendedKeyUsage([usage.oid]), False),
        (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False),
    ]
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Identity(name, (builder.sign(authority.key, hashes.SHA256()),), key)


def write_organisation(
    name: str, usage: Usage, folder: Path, *, now: datetime, days: int = LEAF_DAYS, renew: bool = False
) -> OrganisationFiles:
    """Writes an organisation's authority, certificate and keys.

    Args:
        name: certificate name.
        usage: party or coordinator.
        folder: for the four files; made with mode 0700.
        now: the current time, with a time zone.
        days: how long the certificate is valid.
        renew: keep the authority, and replace certificate and key.

    Returns:
        Where the files are.

    Raises:
        IdentityError: the name is unfit, files would be overwritten, or there is no authority to keep.
        StorageError: a file cannot be written, or the folder is open to others.
    """
    files = OrganisationFiles(name, folder)
    if not renew:
        _refuse_existing(files)
    authority = _load_authority(files) if renew else make_authority(name, now=now)
    leaf = make_leaf(authority, name, usage, now=now, days=days)
    contents = {files.key: _key_pem(leaf.key), files.certificate: _pem(leaf.chain[0])}
    if not renew:
        contents = {
            files.authority_key: _key_pem(authority.key),
            files.authority: _pem(authority.certificate),
        } | contents
    private_folder(folder)
    try:
        for file, content in contents.items():
            write_atomically(file, content)
    except StorageError:
        if not renew:  # half an organisation would stand in the way of the next attempt
            for file in contents:
                file.unlink(missing_ok=True)
        raise
    return files


def check_certificate_name(name: str) -> None:
    """Raises an error if a certificate cannot have a name.

    Args:
        name: of an organisation.

    Raises:
        IdentityError: it is no text, or does not match NAME_PATTERN.
    """
    if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name) or name.endswith("-"):
        expected = "a letter, then at most 62 lower-case letters, digits and hyphens, no hyphen at the end"
        raise IdentityError("cannot be a certificate name", where=repr(name), expected=expected)


def _refuse_existing(files: OrganisationFiles) -> None:
    existing = [file for file in (files.authority, files.authority_key, files.certificate, files.key) if file.exists()]
    if not existing:
        return
    listed = ", ".join(file.name for file in existing)
    fix = "add --renew to replace the certificate"
    if not files.certificate.exists():  # the last of the files
        fix = f"delete {listed}: a command that made them was interrupted"
    raise IdentityError(f"already holds {listed}", where=files.folder, fix=fix)


def _load_authority(files: OrganisationFiles) -> Authority:
    certificates = load_authorities(files.authority)
    return Authority(certificates[0], load_private_key(files.authority_key, certificates))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer_name=issuer, subject_name=subject, public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - CLOCK_SKEW).not_valid_after(until)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _key_usage(*, issues_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues_certificates,
        key_cert_sign=issues_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

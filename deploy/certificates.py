"""Makes an organisation's authority and its one certificate.

Run `python -m deploy.certificates NAME --usage party` at each organisation; only NAME-ca.pem is handed over.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from party.configuration.strict import NAME_PATTERN
from party.errors import IdentityError, SplitError
from party.security.certificates import Identity, PrivateKey, Usage, load_private_key, spki_sha256
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
        folder: that holds the files.
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
        name: of the organisation's certificate.
        now: with a time zone.
        days: how long it is valid.

    Returns:
        A self-signed P-256 authority.

    Raises:
        IdentityError: the name cannot be a certificate name.
    """
    _check_name(name)
    key = ec.generate_private_key(ec.SECP256R1())
    # Two attributes: name and word together can exceed the 64 characters of one.
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name), x509.NameAttribute(NameOID.COMMON_NAME, "authority")]
    )
    builder = _builder(subject, subject, key.public_key(), now, now + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(issues_certificates=True), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def make_leaf(authority: Authority, name: str, usage: Usage, *, now: datetime, days: int = LEAF_DAYS) -> Identity:
    """Makes a certificate with one DNS name and one extended key usage.

    Args:
        authority: the organisation's.
        name: certificate name, lower-case letters, digits and hyphens.
        usage: party or coordinator.
        now: with a time zone.
        days: how long it is valid, but no longer than the authority.

    Returns:
        The certificate with a new P-256 key.

    Raises:
        IdentityError: the name cannot be a certificate name, or the authority expired.
    """
    _check_name(name)
    end = authority.certificate.not_valid_after_utc
    if now >= end:
        fix = "make a new authority in another folder and hand over its certificate"
        raise IdentityError(f"expired on {end:%Y-%m-%d}", where=f"authority of {name}", fix=fix)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = min(now + timedelta(days=days), end)
    builder = _builder(subject, authority.certificate.subject, key.public_key(), now, until)
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
        now: with a time zone.
        days: how long the certificate is valid.
        renew: keep the authority, and replace certificate and key.

    Returns:
        Where the files are.

    Raises:
        IdentityError: the name is unfit, files would be overwritten, or there is no authority to keep.
        StorageError: a file cannot be written, or the folder is open to others.
    """
    files = OrganisationFiles(name, folder)
    existing = [file for file in (files.authority, files.authority_key, files.certificate, files.key) if file.exists()]
    if existing and not renew:
        listed = ", ".join(file.name for file in existing)
        raise IdentityError(f"already holds {listed}", where=str(folder), fix="add --renew to replace the certificate")
    authority = _load_authority(files) if renew else make_authority(name, now=now)
    leaf = make_leaf(authority, name, usage, now=now, days=days)
    private_folder(folder)
    if not renew:
        write_atomically(files.authority_key, _key_pem(authority.key))
        write_atomically(files.authority, _pem(authority.certificate))
    write_atomically(files.key, _key_pem(leaf.key))
    write_atomically(files.certificate, _pem(leaf.chain[0]))
    return files


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name) or name.endswith("-"):
        expected = "a letter, then at most 62 lower-case letters, digits and hyphens, no hyphen at the end"
        raise IdentityError("cannot be a certificate name", where=repr(name), expected=expected)


def _load_authority(files: OrganisationFiles) -> Authority:
    certificates = load_authorities(files.authority)
    return Authority(certificates[0], load_private_key(files.authority_key, certificates))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
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


def _hand_over_text(files: OrganisationFiles, usage: Usage, pin: str, renew: bool) -> str:
    section = "peers" if usage is Usage.PARTY else "coordinators"
    lines = [
        f"Keep {files.certificate} and {files.key} beside this {usage.name.lower()}'s configuration.",
        f"Never hand over {files.key.name} or {files.authority_key.name}; keep the latter off this machine if you can.",
    ]
    if renew:
        lines.append("The authority is unchanged: only partners that pin spki_sha256 need the new value below.")
    else:
        lines.append(f"Hand {files.authority.name} to each partner, over a channel that you trust.")
    lines += [
        "They add to their configuration (the last line is optional, and changes with every --renew):",
        "",
        f"{section}:",
        f"  - name: {files.name}",
        f"    ca: certs/{files.authority.name}",
        f"    spki_sha256: {pin}",
    ]
    return "\n".join(lines)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name")
@click.option("--usage", required=True, type=click.Choice([one.name.lower() for one in Usage]), help="Role of NAME.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="For the files.  [default: certs/NAME]"
)
@click.option("--days", type=click.IntRange(min=1), default=LEAF_DAYS, show_default=True, help="Validity.")
@click.option("--renew", is_flag=True, help="Keep the authority; replace certificate and key.")
def main(name: str, usage: str, folder: Path | None, days: int, renew: bool) -> None:
    """Make the authority and certificate of the organisation NAME."""
    role = Usage[usage.upper()]
    try:
        files = write_organisation(
            name, role, folder or Path("certs") / name, now=datetime.now(UTC), days=days, renew=renew
        )
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(_hand_over_text(files, role, spki_sha256(certificate), renew))


if __name__ == "__main__":
    main()

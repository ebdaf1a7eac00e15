"""Issues certificates that `party.security.issuing` never would."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
PARTY = (ExtendedKeyUsageOID.SERVER_AUTH,)
COORDINATOR = (ExtendedKeyUsageOID.CLIENT_AUTH,)


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: object

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, folder: Path, name: str, *others: "Issued"):
        """Writes chain and key; returns their paths."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
        certificate.write_bytes(self.pem + b"".join(one.pem for one in others))
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return certificate, key


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def authority(name="authority", *, issuer=None, path_length=0, start=-DAY, end=365 * DAY, extra=()):
    """Issues an authority: a root, or an intermediate if `issuer` is given; `extra` extensions are not critical."""
    extensions = [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (key_usage(key_cert_sign=True), True),
        *((extension, False) for extension in extra),
    ]
    return issue(name, issuer, p256(), start=start, end=end, extensions=extensions)


def leaf(issuer, names=("shop",), usages=PARTY, *, common_name="shop", key=None, start=-DAY, end=DAY):
    """Issues a leaf; names are DNS names or any x509.GeneralName; None for `names` or `usages` omits the extension."""
    extensions = [(x509.BasicConstraints(ca=False, path_length=None), True), (key_usage(digital_signature=True), True)]
    if usages is not None:
        extensions.append((x509.ExtendedKeyUsage(usages), False))
    if names is not None:
        general = [x509.DNSName(one) if isinstance(one, str) else one for one in names]
        extensions.append((x509.SubjectAlternativeName(general), False))
    return issue(common_name, issuer, key or p256(), start=start, end=end, extensions=extensions)


def issue(common_name, issuer, key, *, extensions, start=-DAY, end=DAY):
    """Issues what is asked for, with the identifiers of both keys; `extensions` are pairs (extension, critical)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    signer = issuer.key if issuer else key
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer.certificate.subject if issuer else subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=NOW + start,
        not_valid_after=NOW + end,
    )
    extensions = [
        *extensions,
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ]
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, algorithm), key)


def key_usage(**set_bits):
    """A key usage with these bits set."""
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: set_bits.get(name, False) for name in names})

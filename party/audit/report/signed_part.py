"""A part of an audit as its owner hands it over: signed with the key of the party's certificate."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ConfigDict, Field, ValidationError

from party.audit.report.audit_part import AuditPart
from party.configuration.strict import StrictModel
from party.errors import DataError, SplitError, StorageError
from party.security.certificates import Identity, certificates_from_der, sign, spki_sha256, verify_signature
from party.security.leaf import PARSE_ERRORS

LARGEST_FILE_BYTES = 16 << 20
MOST_PARTS = 256
REPORT_BEGINNING = 256  # bytes of a file that tell a report from a part: `format` is among its first keys
REPORT_FORMAT: Literal["audit report 1"] = "audit report 1"
SIGNATURE_PREFIX = b"vsl/1 audit part\0"  # no other signature of the key begins with it
LONGEST_BASE64 = 1 << 16
Base64 = Annotated[str, Field(max_length=LONGEST_BASE64)]


class PartFile(StrictModel):
    """The file.

    Attributes:
        part: the part.
        signature: of its canonical form, Base64.
        certificates: the party's certificate chain, leaf first, each DER in Base64.
    """

    part: AuditPart
    signature: Base64
    certificates: Annotated[tuple[Base64, ...], Field(min_length=1, max_length=8, strict=False)]


class ReportFile(StrictModel):
    """Several parts in one file, each still signed by its own party.

    `coordinator audit --json` writes more into it, which nobody signed: it is not read.

    Attributes:
        format: of the file.
        parts: the parts.
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal["audit report 1"] = REPORT_FORMAT
    parts: Annotated[tuple[PartFile, ...], Field(min_length=1, max_length=MOST_PARTS, strict=False)]


@dataclass(frozen=True)
class SignedPart:
    """A part whose signature was verified with the certificate that stands beside it.

    Attributes:
        file: the part and its signature.
        chain: the certificates, leaf first; whether an authority vouches for them is for the reader to check.
    """

    file: PartFile = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)

    @property
    def part(self) -> AuditPart:
        """The part."""
        return self.file.part

    @property
    def key_sha256(self) -> str:
        """SHA-256 of the public key that it was signed with, hexadecimal."""
        return spki_sha256(self.chain[0])


def part_to_bytes(part: AuditPart, identity: Identity) -> bytes:
    """Signs a part.

    Args:
        part: the part.
        identity: certificate and key of its party.

    Returns:
        The content of the file.
    """
    signature = sign(identity.key, SIGNATURE_PREFIX + part.canonical())
    file = PartFile(
        part=part,
        signature=base64.b64encode(signature).decode(),
        certificates=tuple(base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in identity.chain),
    )
    return json.dumps(file.model_dump(mode="json"), indent=2, sort_keys=True).encode() + b"\n"


def read_parts(path: Path) -> tuple[SignedPart, ...]:
    """Reads the part or the parts of a file and verifies their signatures.

    Args:
        path: the file, as `party audit --part` or `coordinator audit --json` made it.

    Raises:
        DataError: it is no part of an audit, was changed after it was signed, or was signed by another party.
        StorageError: the file cannot be read.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise StorageError(f"cannot be read ({type(error).__name__})", where=path) from error
    if len(content) > LARGEST_FILE_BYTES:
        raise DataError("is too long for a part of an audit", where=path)
    model = ReportFile if b'"audit report ' in content[:REPORT_BEGINNING] else PartFile
    try:
        file = model.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, problem["loc"])) or "the file"
        raise DataError(
            "is no part of an audit that this version can read",
            where=path,
            received=f"{key[:128]}: {problem['msg'][:256]}",
            fix="make it with `party audit --part`, by the same version",
        ) from None
    return tuple(_verified(one, path) for one in (file.parts if isinstance(file, ReportFile) else [file]))


def _verified(file: PartFile, path: Path) -> SignedPart:
    party = file.part.party
    try:
        decoded = [base64.b64decode(one, validate=True) for one in (file.signature, *file.certificates)]
        chain = certificates_from_der(decoded[1:], path)
        verify_signature(chain[0], decoded[0], SIGNATURE_PREFIX + file.part.canonical())
    except (binascii.Error, SplitError):
        raise DataError(
            "the signature does not fit: the part was changed after its party signed it",
            where=path,
            fix="ask its owner for the file that `party audit` wrote",
        ) from None
    names = _names(chain[0])
    if names != [party]:
        raise DataError("was signed with the certificate of another party", where=path, expected=party)
    return SignedPart(file, tuple(chain))


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *PARSE_ERRORS):
        return []
    return names.get_values_for_type(x509.DNSName)

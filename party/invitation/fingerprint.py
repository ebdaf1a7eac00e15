"""The fingerprint of an invitation, which two people read to each other."""

from __future__ import annotations

import hashlib
import re

from party.errors import ConfigurationError

# 128 bits: nobody finds another file with the fingerprint of a given one.
DIGITS = 32
GROUP = 4
_BETWEEN_DIGITS = re.compile(r"[\s:-]+")
_FINGERPRINT = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


def fingerprint(content: bytes) -> str:
    """The first 128 bits of SHA-256, as groups of four hexadecimal digits; `sha256sum` begins with the same digits.

    Args:
        content: the bytes of the whole file.
    """
    digits = hashlib.sha256(content).hexdigest()[:DIGITS]
    return " ".join(digits[start : start + GROUP] for start in range(0, DIGITS, GROUP))


def normalised(text: str) -> str:
    """A fingerprint as somebody typed it, as `fingerprint` writes it.

    Args:
        text: all digits, in upper or lower case, with blanks, colons or hyphens between them.

    Returns:
        The same digits in groups.

    Raises:
        ConfigurationError: it is no fingerprint.
    """
    digits = _BETWEEN_DIGITS.sub("", text).lower()
    if not _FINGERPRINT.fullmatch(digits):
        expected = f"{DIGITS} hexadecimal digits, in groups or not"
        raise ConfigurationError("is no fingerprint", where="--fingerprint", expected=expected)
    return " ".join(digits[start : start + GROUP] for start in range(0, DIGITS, GROUP))

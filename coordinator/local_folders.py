"""The folders of a federation on one machine: one for each organisation, with the files that it would have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from party.errors import ConfigurationError
from party.security.certificates import Usage
from party.security.files import private_folder, write_atomically
from party.security.issuing import OrganisationFiles, write_organisation

COORDINATOR = "coordinator"  # name in its certificate, and name of its folder
CERTIFICATES = "certificates"
Section = dict[str, Any]


class LocalFolders:
    """The folders of a federation, inside one root folder.

    Args:
        root: created with mode 0700 if it does not exist.

    Raises:
        StorageError: the folder cannot be created, or others have access to it.
    """

    def __init__(self, root: Path) -> None:
        self.root = private_folder(root.resolve())

    def folder(self, name: str) -> Path:
        """Returns the folder of an organisation."""
        return self.root / name

    def party_path(self, name: str) -> Path:
        """Returns the configuration file of a party."""
        return self.folder(name) / f"{name}.yaml"

    @property
    def run_path(self) -> Path:
        """The configuration file of the run, in the coordinator's folder."""
        return self.folder(COORDINATOR) / "run.yaml"

    def log_path(self, name: str) -> Path:
        """Returns the log file of a party."""
        return self.folder(name) / f"{name}.log"

    def certificates(self, name: str) -> OrganisationFiles:
        """Returns the paths of an organisation's authority, certificate and keys."""
        return OrganisationFiles(name, self.folder(name) / CERTIFICATES)

    def write_certificates(self, parties: Iterable[str], now: datetime) -> None:
        """Issues an authority and a certificate for every organisation, and copies each authority to the others.

        Existing certificates are left unchanged.

        Args:
            parties: names of the parties; the coordinator is added as one more organisation.
            now: current time, with its zone.

        Raises:
            IdentityError: a name cannot be a certificate name.
            StorageError: a file cannot be written.
        """
        names = (*parties, COORDINATOR)
        for name in names:
            files = self.certificates(name)
            if not files.certificate.exists():
                usage = Usage.COORDINATOR if name == COORDINATOR else Usage.PARTY
                write_organisation(name, usage, files.folder, now=now)
        for name in names:
            authority = self.certificates(name).authority
            for other in names:
                if other != name:
                    write_atomically(self.certificates(other).folder / authority.name, authority.read_bytes())


def tls_section(name: str) -> Section:
    """Returns the `tls` section of an organisation's own configuration."""
    return {"certificate": f"{CERTIFICATES}/{name}.pem", "key": f"{CERTIFICATES}/{name}-key.pem"}


def authority_path(name: str) -> str:
    """Returns the value of `ca` for an organisation in the configuration of any other."""
    return f"{CERTIFICATES}/{name}-ca.pem"


def write_configuration(path: Path, content: Section) -> None:
    """Writes a configuration file; omits keys whose value is None.

    Args:
        path: of the file; its folder must exist.
        content: keys and values.

    Raises:
        ConfigurationError: a value cannot be represented in YAML.
        StorageError: the file cannot be written.
    """
    given = {key: value for key, value in content.items() if value is not None}
    try:
        text = yaml.dump(given, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError as error:
        fix = "use texts, Python's own numbers, lists and dictionaries"
        raise ConfigurationError("has a value that YAML cannot represent", where=path.name, fix=fix) from error
    write_atomically(path, text.encode())


class _PlainDumper(yaml.SafeDumper):
    """Writes repeated sections in full instead of as aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True

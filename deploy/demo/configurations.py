"""The files of the demonstration: a folder per organisation, with what that organisation would hold."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import yaml

from deploy.certificates import write_organisation
from deploy.demo.scenarios import DEEPFM, Scenario, Section
from party.security.certificates import Usage
from party.security.files import write_atomically
from party.security.randomness import SECRET_BYTES

PARTIES = ("alice", "bob")
COORDINATOR = "coordinator"
ORGANISATIONS = (*PARTIES, COORDINATOR)
CERTIFICATES = "certificates"
FREE_PORTS = dict.fromkeys(PARTIES, "127.0.0.1:0")


def write_party_configurations(
    folder: Path,
    listen: Mapping[str, str] = FREE_PORTS,
    random_hex: Callable[[int], str] = secrets.token_hex,
    scenario: Scenario = DEEPFM,
) -> None:
    """Writes alice/alice.yaml and bob/bob.yaml.

    The parties share one machine, so that each computes with one thread. Secrets are pinned here, and only here,
    so that a model pooled on one machine can start from the same weights.

    Args:
        folder: of the demonstration, with a folder per organisation.
        listen: address and port by party; port 0 takes whatever is free.
        random_hex: makes that many random bytes as text.
        scenario: what the companies hold and train.
    """
    for party, company in scenario.companies.items():
        others = [name for name in scenario.companies if name != party]
        data: Section = {
            "id": "ID",
            "datasets": {name: f"{name}.{scenario.extension}" for name in ("train", "test")},
            "features": company.features,
        }
        content: Section = {
            "party": party,
            "listen": listen[party],
            "label_party": scenario.label_party,
            "peers": [{"name": other, "ca": _authority(other)} for other in others],
            "coordinators": [{"name": COORDINATOR, "ca": _authority(COORDINATOR)}],
            "tls": _tls(party),
            "state": "state",
            "data": data,
            "threads": {"intra_operation": 1},
            "pinned_secret": random_hex(SECRET_BYTES),
        }
        if company.model is not None:
            content["model"] = company.model
        if party == scenario.label_party:
            data["labels"] = scenario.labels
            if scenario.fuse is not None:
                content["fuse"] = scenario.fuse
        _write(party_file(folder, party), content)


def write_run_configuration(
    folder: Path, addresses: Mapping[str, str], training: Section, scenario: Scenario = DEEPFM
) -> Path:
    """Writes coordinator/run.yaml.

    Args:
        folder: of the demonstration.
        addresses: that the parties are reached at.
        training: keys of the training section to set, beside those of the scenario.
        scenario: what the companies hold and train.

    Returns:
        The file.
    """
    content = {
        "coordinator": COORDINATOR,
        "tls": _tls(COORDINATOR),
        "label_party": scenario.label_party,
        "parties": [
            {"name": party, "address": address, "ca": _authority(party)} for party, address in addresses.items()
        ],
        "output": "runs",
        "alignment": {"datasets": ["train", "test"]},
        "training": {"dataset": "train", "validation_fraction": 0.05, **scenario.training, **training},
    }
    _write(run_file(folder), content)
    return run_file(folder)


def write_certificates(folder: Path, now: datetime) -> None:
    """Makes an authority and a certificate for every organisation, and hands each authority to the others.

    Args:
        folder: of the demonstration; organisations that have certificates keep them.
        now: the time, with its zone.
    """
    for name in ORGANISATIONS:
        usage = Usage.COORDINATOR if name == COORDINATOR else Usage.PARTY
        target = folder / name / CERTIFICATES
        if not (target / f"{name}.pem").exists():
            write_organisation(name, usage, target, now=now)
    for name in ORGANISATIONS:
        for other in ORGANISATIONS:
            authority = f"{other}-ca.pem"
            if other != name:
                content = (folder / other / CERTIFICATES / authority).read_bytes()
                write_atomically(folder / name / CERTIFICATES / authority, content)


def party_file(folder: Path, party: str) -> Path:
    """Where a party's configuration file is."""
    return folder / party / f"{party}.yaml"


def run_file(folder: Path) -> Path:
    """Where the run's configuration file is."""
    return folder / COORDINATOR / "run.yaml"


def _tls(name: str) -> Section:
    return {"certificate": f"{CERTIFICATES}/{name}.pem", "key": f"{CERTIFICATES}/{name}-key.pem"}


def _authority(name: str) -> str:
    return f"{CERTIFICATES}/{name}-ca.pem"


def _write(path: Path, content: object) -> None:
    write_atomically(path, yaml.dump(content, Dumper=_PlainDumper, sort_keys=False).encode())


class _PlainDumper(yaml.SafeDumper):
    """Writes a section that is used twice twice, in place of an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True

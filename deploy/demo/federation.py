"""The federation of a scenario on this machine: alice, bob and a coordinator, with prepared data."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from coordinator.configuration import CoordinatorConfiguration, load_coordinator_configuration
from coordinator.local_federation import LocalFederation
from coordinator.local_folders import COORDINATOR, LocalFolders
from deploy.demo.scenarios import DEEPFM, Scenario, Section
from party.configuration.party import PartyConfiguration
from party.runtime.column_ranges import load_with_columns
from party.security.files import private_folder
from party.security.randomness import SECRET_BYTES

PARTIES = ("alice", "bob")
ORGANISATIONS = (*PARTIES, COORDINATOR)
DATASETS = ("train", "test")
TRAINING: Section = {"dataset": "train", "validation_fraction": 0.05}


def scenario_federation(
    folder: Path, training: Section, *, scenario: Scenario = DEEPFM, listen: Mapping[str, str] | None = None
) -> LocalFederation:
    """Writes certificates and configurations beside the data, and starts nothing.

    Secrets are pinned here, and only here, so that pooled training on one machine can start from the same weights.

    Args:
        folder: root folder, with a folder of each party that holds its data.
        training: keys of the training section to set, in addition to those of the scenario.
        scenario: the data and models of the companies.
        listen: host and port by party; None for any free ports of this machine.

    Returns:
        The federation, not started yet.
    """
    parties: dict[str, Section] = {}
    for name, company in scenario.companies.items():
        parties[name] = {
            "frames": {dataset: folder / name / f"{dataset}.{scenario.extension}" for dataset in DATASETS},
            "features": company.features,
            "model": company.model,
            "pinned_secret": secrets.token_hex(SECRET_BYTES),
        }
        if listen is not None:
            parties[name]["listen"] = listen[name]
        if name == scenario.label_party:
            parties[name] |= {"labels": scenario.labels, "fuse": scenario.fuse}
    return LocalFederation(folder, parties, training={**TRAINING, **scenario.training, **training})


def fresh_folder(folder: Path, parties: Sequence[str] = PARTIES) -> Path:
    """Creates a private folder, and removes the parties' state and the runs of an earlier demonstration in it."""
    for former in (*(folder / party / "state" for party in parties), folder / COORDINATOR / "runs"):
        shutil.rmtree(former, ignore_errors=True)
    return private_folder(folder)


def read_configurations(folder: Path) -> tuple[CoordinatorConfiguration, list[PartyConfiguration]]:
    """Reads the configurations of a demonstration.

    Args:
        folder: of the demonstration.

    Returns:
        The configuration of the run, and those of the parties.
    """
    folders = LocalFolders(folder)
    parties = [load_with_columns(folders.party_path(name)) for name in PARTIES]
    return load_coordinator_configuration(folders.run_path), parties

"""What is checked of the description of a federation on one machine, before any file is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from coordinator.local_folders import COORDINATOR
from party.configuration.patterns import DATASET_PATTERN
from party.errors import ConfigurationError
from party.security.issuing import check_certificate_name

MINIMUM_PARTIES = 2
FRAMES, TABLES, ID, FEATURES, LABELS, JOINS, DATA = "frames", "tables", "id", "features", "labels", "joins", "data"
COPIED_KEYS = (FEATURES, LABELS, JOINS, "transforms", "transformed")  # as they are, into the section `data`
DATA_KEYS = (FRAMES, TABLES, ID, *COPIED_KEYS, DATA)  # not top-level keys of a party's file
SHOWN_NAME_CHARACTERS = 64


def check_mapping(value: object, where: str) -> None:
    """Raises an error if a value is not a dictionary.

    Args:
        value: as it was given.
        where: what it is.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise ConfigurationError("must be a dictionary", where=where, received=type(value).__name__)


def check_dataset_name(party: str, key: str, dataset: object) -> None:
    """Raises an error if a dataset or table cannot have a name.

    Args:
        party: that holds it.
        key: of the party's description that names it.
        dataset: the name.

    Raises:
        ConfigurationError: the name does not match DATASET_PATTERN.
    """
    if not isinstance(dataset, str) or not re.fullmatch(DATASET_PATTERN, dataset):
        raise ConfigurationError(
            "cannot be the name of a dataset or table",
            where=f"{party}: {key}: {repr(dataset)[:SHOWN_NAME_CHARACTERS]}",
            expected="a letter, then at most 62 letters, digits, hyphens and underscores",
        )


def check_descriptions(parties: Mapping[str, Mapping[str, Any]]) -> str:
    """Checks the descriptions of the parties.

    Args:
        parties: descriptions by name, as `LocalFederation` takes them.

    Returns:
        The name of the label party.

    Raises:
        ConfigurationError: a description, its `frames` or its `tables` is not a dictionary, a name is unusable, a party
            has frames and tables, there are fewer than two parties, or not exactly one has labels.
        IdentityError: a name cannot be that of a party.
    """
    check_mapping(parties, "parties")
    for name, description in parties.items():
        check_certificate_name(name)
        if name == COORDINATOR:
            raise ConfigurationError("is the coordinator's name", where=f"party {name}", fix="choose another name")
        check_mapping(description, f"party {name}")
        for key in (FRAMES, TABLES, DATA):
            check_mapping(description.get(key, {}), f"{name}: {key}")
        for key in (FRAMES, TABLES):
            for dataset in description.get(key, {}):
                check_dataset_name(name, key, dataset)
        if description.get(FRAMES) and description.get(TABLES):
            raise ConfigurationError("has both frames and tables", where=f"party {name}", fix="leave one of them out")
    return _label_party(parties)


def check_datasets(datasets: Mapping[str, Iterable[str]], needed: Iterable[str]) -> list[str]:
    """Checks that the parties have the same datasets, as far as a run needs them.

    Args:
        datasets: names by party, without the owners of tables.
        needed: names of the datasets that the run names.

    Returns:
        The datasets that every party has, ascending.

    Raises:
        ConfigurationError: there is none, or some parties only have one that the run needs.
    """
    held = {name: set(one) for name, one in datasets.items()}
    common = set.intersection(*held.values())
    if not common:
        raise ConfigurationError(
            "the parties have no dataset in common",
            where=FRAMES,
            received="; ".join(f"{name}: {', '.join(sorted(one)) or 'none'}" for name, one in held.items()),
            fix="give every party a frame for the same dataset",
        )
    for dataset in needed:
        lacking = [name for name, one in held.items() if dataset not in one]
        if lacking and len(lacking) < len(held):
            fix = f"give {', '.join(lacking)} a frame for it: its rows with the same ids"
            where = f"{FRAMES}: {dataset}"
            raise ConfigurationError(f"{', '.join(lacking)} lacks the dataset", where=where, fix=fix)
    return sorted(common)


def needed_datasets(run: Mapping[str, Any], training: Mapping[str, Any]) -> list[str]:
    """Returns the names of the datasets that a run aligns, trains on and evaluates.

    Args:
        run: keys of the run's file.
        training: its section `training`.

    Returns:
        The names, as far as they are texts; a party or the run's file refuses anything else.
    """
    alignment = run.get("alignment")
    aligned = alignment.get("datasets") if isinstance(alignment, Mapping) else None
    named = [*(aligned if isinstance(aligned, list | tuple) else ())]
    held_out = training.get("validation_dataset")
    named += [training.get("dataset", "train"), *([held_out] if held_out else []), run.get("evaluate_dataset", "test")]
    return [one for one in named if isinstance(one, str)]


def _label_party(parties: Mapping[str, Mapping[str, Any]]) -> str:
    holders = [name for name, description in parties.items() if description.get(LABELS)]
    if len(parties) < MINIMUM_PARTIES or len(holders) != 1:
        raise ConfigurationError(
            "needs at least two parties, exactly one with labels",
            where="parties",
            received=f"{len(parties)} parties, labels at {', '.join(holders) or 'none'}",
        )
    return holders[0]

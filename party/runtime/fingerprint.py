"""The fingerprint of a run: everything that its bits depend on at this party."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from party import __version__
from party.configuration.party import PartyConfiguration
from party.engine.numerics import numeric_settings
from party.errors import SessionError
from party.models.own import source_digest

CODE_VERSION = "code version"
HELD_OUT_FILE = "data file of training.validation_dataset"
DATA_FILE = "data file"
PRIVATE_COLUMNS = "configuration privacy.columns"
NUMERICS = "numerics."  # prefix of the entries that may differ if the owner allows it
CPU_DESCRIPTION = Path("/proc/cpuinfo")
_DIGESTED_ROWS = 1 << 20  # at a time
CPU_LINES = ("model name", "flags", "Features")


def run_fingerprint(
    configuration: PartyConfiguration, data_sha256: str, rows: npt.NDArray[np.integer[Any]], folder: Path
) -> dict[str, str]:
    """Computes what a run at this party depends on besides the run configuration.

    Args:
        configuration: the party's configuration.
        data_sha256: hexadecimal digest of the training dataset's file.
        rows: row numbers of that file in the common order; a new alignment may well give the same ones.
        folder: the folder that own models' files are relative to.

    Returns:
        By name, a version or the digest of a setting; the name says what to check if it differs.
    """
    data = configuration.data.model_dump(mode="json", exclude={"datasets", "tables", "unlabelled"})
    found = {
        CODE_VERSION: __version__,
        DATA_FILE: data_sha256,
        "order of rows": order_digest(rows),
        **{f"configuration data.{name}": _digest(content) for name, content in data.items()},
        "configuration optimizer": _section_digest(configuration.optimizer),
        **{f"{NUMERICS}{name}": value for name, value in numeric_settings().items()},
        f"{NUMERICS}processor": _digest(_processor()),
        f"{NUMERICS}python": ".".join(map(str, sys.version_info[:3])),
    }
    found |= model_fingerprint(configuration, folder)
    if configuration.privacy.decorrelate is not None:
        found["configuration privacy.decorrelate"] = _section_digest(configuration.privacy.decorrelate)
    return found


def order_digest(rows: npt.NDArray[np.integer[Any]]) -> str:
    """The digest of rows of a file in the common order, hexadecimal.

    Args:
        rows: row numbers of the file.
    """
    digest = hashlib.sha256()
    for start in range(0, len(rows), _DIGESTED_ROWS):
        digest.update(rows[start : start + _DIGESTED_ROWS].astype("<i8").tobytes())
    return digest.hexdigest()


def model_fingerprint(configuration: PartyConfiguration, folder: Path) -> dict[str, str]:
    """The part of a fingerprint that weights belong to; the same for a run that continues with them.

    Args:
        configuration: the party's configuration.
        folder: the folder that own models' files are relative to.
    """
    data = configuration.data.model_dump(mode="json", include={"features", "labels"})
    sections: dict[str, BaseModel | None] = {"model": configuration.base_model, "fuse": configuration.fuse_model}
    found = {f"configuration data.{name}": _digest(content) for name, content in data.items()}
    for name, section in sections.items():
        found[f"configuration {name}"] = _section_digest(section)
        file = getattr(section, "file", None)
        if file is not None:
            found[f"file of the own {name}"] = source_digest(folder, file)
    return found | column_fingerprint(configuration)


def column_fingerprint(configuration: PartyConfiguration) -> dict[str, str]:
    """The part of a fingerprint that says which columns are private, and how; the same for an evaluation of the run.

    Args:
        configuration: the party's configuration.

    Returns:
        The digest of the section by its name; empty without private columns.
    """
    section = configuration.privacy.columns
    return {} if section is None else {PRIVATE_COLUMNS: _digest(section.model_dump(mode="json"))}


def label_fingerprint(configuration: PartyConfiguration) -> dict[str, str]:
    """The part of a fingerprint that says what the labels are, for an audit of the run.

    Args:
        configuration: the party's configuration.
    """
    labels = configuration.data.model_dump(mode="json", include={"labels"})["labels"]
    return {"configuration data.labels": _digest(labels)}


def check_fingerprint(
    party: str, stored: Mapping[str, str], present: Mapping[str, str], allow_other_numerics: bool
) -> None:
    """Refuses to continue a run if something that it depends on has changed.

    Args:
        party: name of this party, for errors.
        stored: the fingerprint when the run began.
        present: the present fingerprint.
        allow_other_numerics: whether libraries, threads and processor may differ, and so the last bits.

    Raises:
        SessionError: the fingerprints differ; it names every difference.
    """
    names = sorted(set(stored) | set(present))
    differing = [name for name in names if stored.get(name) != present.get(name)]
    if allow_other_numerics:
        differing = [name for name in differing if not name.startswith(NUMERICS)]
    if not differing:
        return
    differences = [f"{name.removeprefix(NUMERICS)}{_change(stored.get(name), present.get(name))}" for name in differing]
    raise SessionError(
        "changed since the run began: " + ", ".join(differences), where=party, fix=_what_to_do(differing, stored)
    )


def _what_to_do(differing: Sequence[str], stored: Mapping[str, str]) -> str:
    if all(name.startswith(NUMERICS) for name in differing):
        return "set checkpoints.allow_other_numerics to continue with other last bits"
    if CODE_VERSION in differing and CODE_VERSION in stored:
        # What is new in a version has a digest too, so the other differences may be the version's own.
        return (
            f"install version {stored[CODE_VERSION]} at all parties and the coordinator to resume, or begin a new run"
        )
    return "change it back to resume, or begin a new run"


def _change(before: str | None, now: str | None) -> str:
    """Describes a change; shows versions and numbers, but no digests."""
    shown = [one for one in (before, now) if one is not None and len(one) < hashlib.sha256().digest_size]
    return f" ({shown[0]} then, {shown[1]} now)" if len(shown) > 1 else ""


def _section_digest(section: BaseModel | None) -> str:
    return _digest(None if section is None else section.model_dump(mode="json"))


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _processor() -> list[str]:
    """What the choice of kernels depends on: the processor's name and features."""
    try:
        lines = CPU_DESCRIPTION.read_text(encoding="utf-8").splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted({line for line in lines if line.split("\t")[0].strip() in CPU_LINES})

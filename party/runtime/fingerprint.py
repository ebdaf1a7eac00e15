"""What decides whether a run that goes on gives the bits of one that was never stopped."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from party import __version__
from party.configuration.party import PartyConfiguration
from party.errors import SessionError
from party.models.numerics import numeric_settings
from party.models.own import source_digest

NUMERICS = "numerics."  # what may differ where the owner allows it
CPU_DESCRIPTION = Path("/proc/cpuinfo")
CPU_LINES = ("model name", "flags", "Features")


def run_fingerprint(
    configuration: PartyConfiguration, data_sha256: str, rows: npt.NDArray[np.int64], folder: Path
) -> dict[str, str]:
    """What a run at this party depends on besides the run configuration.

    Args:
        configuration: of the party.
        data_sha256: hexadecimal digest of the training dataset's file.
        rows: of that file in the common order: an alignment that was made anew may well give the same.
        folder: that own models' files are relative to.

    Returns:
        By name, a version or the digest of a setting; a name tells what to look at where it differs.
    """
    sections: dict[str, BaseModel | None] = {
        "model": configuration.base_model,
        "fuse": configuration.fuse_model,
        "optimizer": configuration.optimizer,
    }
    data = configuration.data.model_dump(mode="json", exclude={"datasets", "unlabelled"})
    found = {
        "code version": __version__,
        "data file": data_sha256,
        "order of rows": hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(),
        **{f"configuration data.{name}": _digest(content) for name, content in data.items()},
        **{
            f"configuration {name}": _digest(None if section is None else section.model_dump(mode="json"))
            for name, section in sections.items()
        },
        **{f"{NUMERICS}{name}": value for name, value in numeric_settings().items()},
        f"{NUMERICS}processor": _digest(_processor()),
        f"{NUMERICS}python": ".".join(map(str, sys.version_info[:3])),
    }
    for name in ("model", "fuse"):
        section = sections[name]
        file = getattr(section, "file", None)
        if file is not None:
            found[f"file of the own {name}"] = source_digest(folder, file)
    return found


def check_fingerprint(
    party: str, stored: Mapping[str, str], present: Mapping[str, str], allow_other_numerics: bool
) -> None:
    """Refuses to go on with a run where something it depends on has changed.

    Args:
        party: own name, for errors.
        stored: when the run began.
        present: now.
        allow_other_numerics: whether libraries, threads and processor may differ, and the last bits with them.

    Raises:
        SessionError: names every difference.
    """
    names = sorted(set(stored) | set(present))
    differing = [name for name in names if stored.get(name) != present.get(name)]
    if allow_other_numerics:
        differing = [name for name in differing if not name.startswith(NUMERICS)]
    if not differing:
        return
    told = [f"{name.removeprefix(NUMERICS)}{_change(stored.get(name), present.get(name))}" for name in differing]
    only_numerics = all(name.startswith(NUMERICS) for name in differing)
    raise SessionError(
        "changed since the run began: " + ", ".join(told),
        where=party,
        fix="set checkpoints.allow_other_numerics to go on with other last bits"
        if only_numerics
        else "change it back to resume, or begin a new run",
    )


def _change(before: str | None, now: str | None) -> str:
    """Versions and numbers are told; digests say nothing to a person."""
    shown = [one for one in (before, now) if one is not None and len(one) < hashlib.sha256().digest_size]
    return f" ({shown[0]} then, {shown[1]} now)" if len(shown) > 1 else ""


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _processor() -> list[str]:
    """What kernels are chosen by: the processor's name and what it can do."""
    try:
        lines = CPU_DESCRIPTION.read_text(encoding="utf-8").splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted({line for line in lines if line.split("\t")[0].strip() in CPU_LINES})

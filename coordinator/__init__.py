"""Drives the parties of a run from Python; holds none of their data, labels or keys.

```python
from coordinator import connect

with connect("run.yaml") as parties:
    parties.align()
    history = parties.fit()
    print(history.history["val_auc"])
```

`connect` returns a `Federation`, whose methods return the other classes of this page. `LocalFederation` starts parties
on this machine, from data frames, to try it out. Every failure that a person can act on raises a `SplitError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from party.errors import (
    AlignmentError,
    CheckpointError,
    ConfigurationError,
    ConnectionLostError,
    DataError,
    HandshakeError,
    IdentityError,
    InstallationError,
    InternalError,
    ModelError,
    PolicyError,
    SealError,
    SessionError,
    SessionLostError,
    SplitError,
    StoppedError,
    StorageError,
    TensorError,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from coordinator.alignment import DatasetAlignment, JoinedTable
    from coordinator.contributions import Contribution, Contributions
    from coordinator.evaluation import Evaluation
    from coordinator.federation import Federation
    from coordinator.history import History
    from coordinator.local_federation import LocalFederation
    from coordinator.planning.planner import Plan
    from coordinator.predictions import Predictions

__all__ = [
    "AlignmentError",
    "CheckpointError",
    "ConfigurationError",
    "ConnectionLostError",
    "Contribution",
    "Contributions",
    "DataError",
    "DatasetAlignment",
    "Evaluation",
    "Federation",
    "HandshakeError",
    "History",
    "IdentityError",
    "InstallationError",
    "InternalError",
    "JoinedTable",
    "LocalFederation",
    "ModelError",
    "Plan",
    "PolicyError",
    "Predictions",
    "SealError",
    "SessionError",
    "SessionLostError",
    "SplitError",
    "StoppedError",
    "StorageError",
    "TensorError",
    "connect",
]

# Imported on first use: gRPC and pydantic would make `coordinator --help` slow.
_MODULES = {
    "Contribution": "coordinator.contributions",
    "Contributions": "coordinator.contributions",
    "DatasetAlignment": "coordinator.alignment",
    "Evaluation": "coordinator.evaluation",
    "Federation": "coordinator.federation",
    "History": "coordinator.history",
    "JoinedTable": "coordinator.alignment",
    "LocalFederation": "coordinator.local_federation",
    "Plan": "coordinator.planning.planner",
    "Predictions": "coordinator.predictions",
}


def connect(path: str | Path, *, without: Collection[str] = ()) -> Federation:
    """Connects to the parties of a run configuration.

    Args:
        path: the YAML file.
        without: feature parties that are away; evaluations and predictions have to leave them out.

    Returns:
        The federation, ready to `align`, `fit`, `evaluate` and `predict`; use it in a `with` statement.

    Raises:
        SplitError: the file, a certificate or a party is unusable.
    """
    from pathlib import Path  # noqa: PLC0415

    from coordinator.connecting import connect_federation  # noqa: PLC0415

    return connect_federation(Path(path), without=without)


if not TYPE_CHECKING:  # else a type checker would accept any attribute name

    def __getattr__(name: str) -> type:
        """Imports a public class from its module."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: type = getattr(importlib.import_module(_MODULES[name]), name)
        return found

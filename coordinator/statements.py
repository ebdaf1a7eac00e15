"""What the parties stated of themselves when they agreed to a run, as the coordinator keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from party.configuration.strict import StrictModel
from party.errors import StorageError
from party.pb.handshake_pb2 import Hello
from party.security.files import read_private, write_atomically

STATEMENTS_FILE = "parties.json"
Count = Annotated[int, Field(ge=0)]


class PartyStatement(StrictModel):
    """The statement of one party.

    Attributes:
        version: of its software.
        rows: number of rows in common, by dataset.
        hiddens: units of each hidden by name; empty at a party without features.
        insecure: whether it runs without TLS.
    """

    version: str
    rows: dict[str, Count]
    hiddens: dict[str, Count]
    insecure: bool


class Statements(StrictModel):
    """The statements of all parties of a run.

    Attributes:
        parties: statement by name of the party.
    """

    parties: dict[str, PartyStatement]


def save_statements(folder: Path, hellos: Mapping[str, Hello]) -> None:
    """Writes the statements of a run's latest session.

    Args:
        folder: of the run, in the coordinator's output folder.
        hellos: by name of the party.

    Raises:
        StorageError: the file cannot be written.
    """
    made = Statements(parties={name: _statement(hello) for name, hello in sorted(hellos.items())})
    write_atomically(folder / STATEMENTS_FILE, json.dumps(made.model_dump(mode="json"), indent=2).encode())


def read_statements(folder: Path) -> Mapping[str, PartyStatement]:
    """Reads the statements of a run.

    Args:
        folder: of the run.

    Returns:
        Statement by name of the party; none if the parties never agreed, or an earlier version made the run.

    Raises:
        StorageError: the file is damaged.
    """
    path = folder / STATEMENTS_FILE
    if not path.exists():
        return {}
    try:
        return Statements.model_validate_json(read_private(path)).parties
    except ValidationError:
        raise StorageError("statements of the parties are damaged", where=path, fix="delete the file") from None


def _statement(hello: Hello) -> PartyStatement:
    return PartyStatement(
        version=hello.code_version,
        rows={one.dataset: one.rows for one in hello.datasets},
        hiddens={one.name: sum(one.row_shape) for one in hello.outputs},
        insecure=hello.insecure,
    )

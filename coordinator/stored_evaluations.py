"""The evaluations of a run as the label party released them: a file of the run, a line for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from party.configuration.strict import StrictModel
from party.errors import StorageError
from party.security.files import read_private, write_atomically

EVALUATIONS_FILE = "evaluations.jsonl"
Count = Annotated[int, Field(ge=0)]
Figure = Annotated[float, Field(allow_inf_nan=False)] | None


class StoredEvaluation(StrictModel):
    """An evaluation.

    Attributes:
        at: when it ended, ISO 8601.
        dataset: name of the dataset.
        without: feature parties that it left out, ascending.
        shuffled: the column that it shuffled among the rows, by its place; empty without one.
        rows: number of rows behind the metrics.
        negatives_per_positive: number of negatives that were sampled for each positive row; 0 if none were.
        metrics: those that the label party released, by name; None where one is undefined.
        withheld: names of those that it withheld, as their rounding would leave nothing of them.
        message_bytes: size of all messages between parties, each counted once.
    """

    at: str
    dataset: str
    without: tuple[str, ...] = Field(default=(), strict=False)
    shuffled: str = ""
    rows: Count
    negatives_per_positive: Count = 0
    metrics: dict[str, Figure]
    withheld: tuple[str, ...] = Field(default=(), strict=False)
    message_bytes: Count


def add_evaluation(folder: Path, evaluation: StoredEvaluation) -> None:
    """Appends an evaluation to the file of a run.

    Args:
        folder: of the run, in the coordinator's output folder.
        evaluation: what was released.

    Raises:
        StorageError: the file cannot be written.
    """
    path = folder / EVALUATIONS_FILE
    before = read_private(path) if path.exists() else b""
    line = json.dumps(evaluation.model_dump(mode="json"), allow_nan=False).encode()
    write_atomically(path, before + line + b"\n")


def read_evaluations(folder: Path) -> tuple[StoredEvaluation, ...]:
    """Reads the evaluations of a run, oldest first.

    Args:
        folder: of the run.

    Raises:
        StorageError: the file is damaged.
    """
    path = folder / EVALUATIONS_FILE
    if not path.exists():
        return ()
    try:
        return tuple(StoredEvaluation.model_validate_json(line) for line in read_private(path).splitlines())
    except ValidationError:
        raise StorageError("the evaluations of the run are damaged", where=path, fix="delete the file") from None

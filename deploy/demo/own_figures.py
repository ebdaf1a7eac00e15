"""The label party's own exact metrics of a run, for demonstrations in which one person runs all parties."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from party.security.files import read_private


def own_history(folder: Path, label_party: str, run_id: str) -> dict[str, list[float]]:
    """Reads the metrics per epoch.

    Args:
        folder: of a demonstration.
        label_party: name of the label party.
        run_id: of a completed run, in hexadecimal.

    Returns:
        Values per epoch, by metric.
    """
    content: dict[str, Any] = json.loads(read_private(_run(folder, label_party, run_id) / "history.json"))
    history: dict[str, list[float]] = content["history"]
    return history


def last_evaluation(folder: Path, label_party: str, run_id: str) -> dict[str, float]:
    """Reads the metrics of the latest evaluation.

    Args:
        folder: of a demonstration.
        label_party: name of the label party.
        run_id: of an evaluated run, in hexadecimal.

    Returns:
        Values by metric.
    """
    metrics: dict[str, float] = evaluations(folder, label_party, run_id)[-1]["metrics"]
    return metrics


def evaluations(folder: Path, label_party: str, run_id: str) -> list[dict[str, Any]]:
    """Reads what the label party wrote of each evaluation.

    Args:
        folder: of a demonstration.
        label_party: name of the label party.
        run_id: of an evaluated run, in hexadecimal.

    Returns:
        Fields of each evaluation, in their order.
    """
    lines = read_private(_run(folder, label_party, run_id) / "evaluations.jsonl").splitlines()
    return [json.loads(line) for line in lines]


def _run(folder: Path, label_party: str, run_id: str) -> Path:
    return folder / label_party / "state" / "runs" / run_id

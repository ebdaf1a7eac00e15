"""Reads the results of a run, from the folders of its parties and its coordinator, as arrays by name."""

import csv
import json

import numpy as np

FROM_COORDINATOR = ("history", "epoch", "params", "samples", "best_epoch")
MESSAGE_BYTES = "message_bytes"  # of uninterrupted runs; how many batches others repeat depends on the time
FROM_EVALUATION = ("dataset", "rows", "metrics")  # each evaluation rounds what it releases by draws of its own
FROM_LEDGER = ("event", "purpose", "datasets", "rows", "epochs", "codecs", "releases", "result")


def read_results(running, folder, interrupted):
    """Reads all results of a run that its configuration, its data and the pinned secrets determine.

    Args:
        running: a RunningFederation.
        folder: of the run, at the coordinator.
        interrupted: whether the run was interrupted; the work that it repeated then depends on the time.

    Returns:
        Arrays by name; numbers in text files become arrays of text, to compare every digit.
    """
    results = {}
    history = _parse((folder / "history.json").read_text())
    names = FROM_COORDINATOR if interrupted else (*FROM_COORDINATOR, MESSAGE_BYTES)
    results |= _flat("coordinator/history.json", {name: history.get(name) for name in names})
    for party in running.parties:
        state = running.state(party, folder.name)
        with np.load(state / "weights.npz", allow_pickle=False) as archive:
            results |= {f"{party}/weights.npz/{name}": archive[name] for name in archive.files}
        if (state / "history.json").exists():
            results |= _flat(f"{party}/history.json", _parse((state / "history.json").read_text()))
        if (state / "evaluations.jsonl").exists():
            lines = [_parse(line) for line in (state / "evaluations.jsonl").read_text().splitlines()]
            lines = [{name: line.get(name) for name in FROM_EVALUATION} for line in lines]
            results |= _flat(f"{party}/evaluations.jsonl", dict(enumerate(lines)))
        for path in sorted([*state.glob("steps.csv"), *state.glob("predictions-*.csv")]):
            results |= _columns(f"{party}/{path.name}", path)
        if not interrupted:
            results[f"{party}/ledger.jsonl"] = np.array(_ledger_lines(running, party, folder.name))
    return results


def _parse(text):
    """Parses JSON without converting its numbers from text."""
    return json.loads(text, parse_float=str, parse_int=str)


def _flat(name, content):
    """Flattens nested mappings to arrays of text."""
    if isinstance(content, dict):
        return {key: array for inner, one in content.items() for key, array in _flat(f"{name}/{inner}", one).items()}
    return {name: np.array([str(one) for one in content] if isinstance(content, list) else str(content), dtype=str)}


def _columns(name, path):
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {
        f"{name}/{column}": np.array([row[place] for row in rows], dtype=str) for place, column in enumerate(header)
    }


def _ledger_lines(running, party, run_id):
    """Returns the grants and the releases of a party for the run, session by session."""
    text = (running.folder / "state" / party / "ledger.jsonl").read_text()
    lines = [line for line in map(json.loads, text.splitlines()) if line.get("run_id") == run_id]
    return [json.dumps({name: line.get(name) for name in FROM_LEDGER}, sort_keys=True) for line in lines]

"""The example that searches over runs: trials share the parties, what they have read, and one alignment."""

import json
import subprocess
import sys

import pytest

from tests.support.documents import ROOT
from tests.support.organisations import Organisations

SEARCH = ROOT / "deploy" / "examples" / "search.py"
TRIALS = 3
TRAINING = {"epochs": 2, "validation_fraction": 0.2}


def run_search(organisations, *options):
    command = [sys.executable, str(SEARCH), organisations.run_path.name, *options]
    return subprocess.run(command, cwd=organisations.run_path.parent, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    folder.chmod(0o700)
    with Organisations(folder, training=TRAINING) as made:
        made.start_servers()
        yield made


def sessions(organisations, name):
    lines = (organisations.state_path(name) / "ledger.jsonl").read_text().splitlines()
    return [one["purpose"] for one in map(json.loads, lines) if one.get("event") == "opened"]


def test_trials_share_one_alignment_and_are_all_runs(organisations):
    organisations.write_run()
    storage = f"sqlite:///{organisations.folder / 'study.db'}"
    done = run_search(organisations, "--trials", str(TRIALS - 1), "--storage", storage)
    assert done.returncode == 0, done.stderr
    assert sessions(organisations, "alice") == sessions(organisations, "bob") == ["align", "train", "train"]
    done = run_search(organisations, "--trials", "1", "--storage", storage)
    lines = done.stdout.splitlines()[-TRIALS:]
    losses = [float(line.split()[1]) for line in lines]
    assert losses == sorted(losses)
    runs = {line.split()[3] for line in lines}
    assert len(runs) == TRIALS
    assert runs == {path.parent.name for path in organisations.runs_path.glob("*/history.json")}


def test_a_study_without_held_out_rows_is_refused(organisations):
    organisations.write_run({"validation_fraction": 0.0})
    text = organisations.run_path.read_text()
    organisations.run_path.write_text(text.replace("  validation_fraction: 0.0\n", ""))
    done = run_search(organisations, "--trials", "1")
    assert done.returncode == 1
    assert "trials are judged by held-out rows" in done.stderr

"""Whatever umask a party and a coordinator were started with: what they write is their owner's alone."""

import stat
import subprocess
import sys

from tests.support.organisations import COORDINATOR, Organisations

WORK = """
import os
import sys
os.umask(0)
(open(sys.argv[1] + "/control", "w")).close()

import logging
import pathlib
import yaml
from coordinator import connect
from party.configuration.party import load_party_configuration
from party.configuration.threads import ThreadsSection
from party.export import export_models
from party.engine.numerics import configure_tensorflow
from party.transport.server import PartyServer

configure_tensorflow(ThreadsSection(intra_operation=1))
folder = pathlib.Path(sys.argv[1])
run_path = folder / "coordinator" / "run.yaml"
run = yaml.safe_load(run_path.read_text())
servers = []
for party in run["parties"]:
    servers.append(PartyServer(load_party_configuration(folder / party["name"] / (party["name"] + ".yaml"))))
    servers[-1].start()
    party["address"] = f"127.0.0.1:{servers[-1].port}"
run_path.write_text(yaml.safe_dump(run))
with connect(run_path) as parties:
    parties.align()
    parties.fit()
    parties.evaluate("train")
    parties.predict("train")
for server in servers:
    server.stop()
for name in ("alice", "bob"):
    export_models(folder / name / f"{name}.yaml", None, folder / "exported" / "models")
"""
EXPECTED = {  # that all of this was written, and nothing is left of what was half written
    "alice/state/alignments",
    "alice/state/runs/*/record.json",
    "alice/state/runs/*/weights.npz",
    "alice/state/runs/*/encoders.json",
    "alice/state/runs/*/base.keras",
    "bob/state/runs/*/fuse.keras",
    "bob/state/runs/*/predictions-train.csv",
    "exported/models/alice-base/saved_model.pb",
    "exported/models/alice-base/variables/variables.index",
    "exported/models/bob-fuse/saved_model.pb",
    "coordinator/runs/lease",
    "coordinator/runs/*/run.json",
    "coordinator/runs/*/history.json",
    "bob/state/runs/*/history.json",
    "bob/state/runs/*/steps.csv",
    "bob/state/runs/*/evaluations.jsonl",
    "bob/state/runs/*/tensorboard/events*",
    "coordinator/runs/*/tensorboard/events*",
}


def test_files_and_folders_are_private_under_any_umask(tmp_path):
    tmp_path.chmod(0o700)
    overrides = {"bob": {"tensorboard": True}}
    with Organisations(tmp_path, training={"maximum_steps": 2}, overrides=overrides) as organisations:
        organisations.write_run(ports=dict.fromkeys(organisations.names, 1), tensorboard=True)
        done = subprocess.run(
            [sys.executable, "-c", WORK, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert mode(tmp_path / "control") == 0o666, "the umask lets everybody in"
    for pattern in EXPECTED:
        assert list(tmp_path.glob(pattern)), pattern
    for folder in [tmp_path / name for name in (*organisations.names, COORDINATOR, "exported")]:
        assert mode(folder) == 0o700
        for path in folder.rglob("*"):
            assert mode(path) == (0o700 if path.is_dir() else 0o600), path
            assert not path.name.endswith(".partial"), path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)

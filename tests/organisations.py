"""Two or three organisations with real files, certificates, processes and sockets, for tests."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from deploy.certificates import write_organisation
from party.configuration.party import load_party_configuration
from party.security.certificates import Usage

COORDINATOR = "coordinator"
SECRETS = {name: f"{number:064x}" for number, name in enumerate(("alice", "bob", "charlie"), start=1)}
SMALL_MODEL = {"kind": "deepfm", "embedding_dimension": 4, "units": [8, 4]}
SMALL_FUSE = {"kind": "deepfm", "units": [8, 4]}
FEATURES = {
    "alice": [
        {"column": "city", "kind": "vocabulary"},
        {"column": "income", "kind": "numeric"},
    ],
    "bob": [
        {"column": "film", "kind": "vocabulary"},
        {"column": "genres", "kind": "multi_hot", "separator": "|"},
    ],
    "charlie": [{"column": "shop", "kind": "vocabulary"}],
}
LABEL_RULE = "rating > 3"


class Organisations:
    """The files of a federation in one folder.

    Args:
        folder: empty, private.
        names: parties; the label party is bob.
        features: by party, as in data.features; an empty list for a label party without features.
        frames: by party and dataset, pandas frames of text with the columns that the features need.
        training: the `training` section of the run.
        overrides: by party, keys of its configuration to replace.
    """

    def __init__(self, folder, names=("alice", "bob"), features=None, frames=None, training=None, overrides=None):
        self.folder = Path(folder)
        self.names = tuple(names)
        self.label_party = "bob"
        self.features = features or {name: FEATURES[name] for name in names}
        self.processes = {}
        self.servers = {}
        self.ports = {}
        self.training = {"dataset": "train", "seed": 5, "epochs": 1, "batch_size": 32, **(training or {})}
        self.overrides = overrides or {}
        for name in (*self.names, COORDINATOR):
            usage = Usage.COORDINATOR if name == COORDINATOR else Usage.PARTY
            write_organisation(name, usage, self.folder / "certificates" / name, now=datetime.now(UTC), days=30)
        for name, datasets in (frames or make_frames(self.names)).items():
            for dataset, frame in datasets.items():
                self.write_table(name, dataset, frame)
        for name in self.names:
            self.write_party(name)

    def table_path(self, name, dataset):
        return self.folder / "data" / name / f"{dataset}.csv"

    def write_table(self, name, dataset, frame):
        path = self.table_path(name, dataset)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(path, index=False)

    def read_table(self, name, dataset):
        return pd.read_csv(self.table_path(name, dataset), dtype=str, keep_default_na=False)

    def party_path(self, name):
        return self.folder / f"{name}.yaml"

    def write_party(self, name, **changes):
        """Writes a party's configuration file, with some keys replaced."""
        datasets = sorted(path.stem for path in (self.folder / "data" / name).glob("*.csv"))
        content = {
            "party": name,
            "listen": "127.0.0.1:0",
            "label_party": self.label_party,
            "peers": [{"name": one, "ca": authority(one)} for one in self.names if one != name],
            "coordinators": [{"name": COORDINATOR, "ca": authority(COORDINATOR)}],
            "tls": tls(name),
            "state": f"state/{name}",
            "data": {
                "id": "ID",
                "datasets": {dataset: f"data/{name}/{dataset}.csv" for dataset in datasets},
                "features": self.features[name],
            },
            "policy": {"minimum_metric_rows": 1},
            "threads": {"intra_operation": 1},
            "pinned_secret": SECRETS[name],
        }
        if self.features[name]:
            content["model"] = SMALL_MODEL
        if name == self.label_party:
            content["data"]["labels"] = {"liked": {"rule": LABEL_RULE}}
            content["fuse"] = SMALL_FUSE
        content.update(self.overrides.get(name, {}))
        content.update(changes)
        self.party_path(name).write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))

    def write_run(self, training=None, ports=None, **changes):
        """Writes run.yaml for the ports that the parties listen on; returns its path."""
        content = {
            "coordinator": COORDINATOR,
            "tls": tls(COORDINATOR),
            "label_party": self.label_party,
            "parties": [
                {"name": name, "address": f"127.0.0.1:{(ports or self.ports)[name]}", "ca": authority(name)}
                for name in self.names
            ],
            "output": "runs",
            "alignment": {"datasets": sorted(self.datasets), "chunk_rows": 128},
            "training": {**self.training, **(training or {})},
            "connect_timeout_seconds": 5.0,
            "timeout_seconds": 120.0,
            "reconnect_seconds": 20.0,
        }
        content.update(changes)
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    @property
    def datasets(self):
        return {path.stem for path in (self.folder / "data" / self.names[0]).glob("*.csv")}

    def start_servers(self):
        """Starts every party in this process, on real sockets with real TLS."""
        for name in self.names:
            self.start_server(name)
        return self

    def start_server(self, name):
        from party.transport.server import PartyServer  # noqa: PLC0415

        server = PartyServer(load_party_configuration(self.party_path(name)))
        server.start()
        self.servers[name] = server
        self.ports[name] = server.port

    def stop_server(self, name):
        self.servers.pop(name).stop()

    def start_processes(self):
        """Starts every party as `party serve` in a process of its own."""
        for name in self.names:
            self.launch(name)
        for name in self.names:
            self.await_ready(name)
        return self

    def launch(self, name):
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "party", "serve", "--config", str(self.party_path(name))],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        log.close()

    def await_ready(self, name):
        """Waits for the line that `party serve` prints once it answers calls."""
        line = self.processes[name].stdout.readline()
        if "is ready on" not in line:
            raise AssertionError(f"{name} did not come up: {self.log(name)}")
        self.ports[name] = int(line.rpartition(":")[2])

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def coordinator(self, *arguments, timeout=240):
        """Runs the coordinator command in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "coordinator", *arguments, "--config", str(self.folder / "run.yaml")],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def weights(self, name, run_id):
        """The weights that a party saved, by name."""
        path = self.folder / "state" / name / "runs" / run_id / "weights.npz"
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for name in list(self.servers):
            self.stop_server(name)
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            process.stdout.close()


def authority(name):
    return f"certificates/{name}/{name}-ca.pem"


def tls(name):
    return {"certificate": f"certificates/{name}/{name}.pem", "key": f"certificates/{name}/{name}-key.pem"}


def make_frames(names, rows=400, seed=0, datasets=("train",)):
    """Columns for FEATURES, with a label that depends on the columns of all parties.

    Every party's file has its own order, lacks some ids and has some that nobody else has.
    """
    generator = np.random.default_rng(seed)
    frames = {name: {} for name in names}
    for dataset in datasets:
        base = pd.DataFrame({"ID": [f"{dataset}-{number:05d}" for number in range(rows)]})
        base["city"] = generator.choice(["Ulm", "Köln", "Bonn", ""], rows)
        base["income"] = [f"{value:.3f}" for value in generator.normal(3000, 800, rows)]
        base["film"] = generator.choice([f"film{number}" for number in range(20)], rows)
        genres = np.array(["drama", "crime", "comedy", "war"])
        base["genres"] = ["|".join(genres[generator.random(4) < 0.4]) for _ in range(rows)]
        base["shop"] = generator.choice(["north", "south", "east"], rows)
        score = (base["city"] == "Ulm") * 1.0 + (base["film"].str[-1] > "5") * 1.0 + (base["shop"] == "east")
        base["rating"] = np.where(score + generator.normal(0, 0.7, rows) > 1.2, "5", "2")
        columns = {
            "alice": ["city", "income"],
            "bob": ["film", "genres", "rating"],
            "charlie": ["shop"],
        }
        for number, name in enumerate(names):
            own = base[["ID", *columns[name]]].copy()
            foreign = own.head(7).copy()
            foreign["ID"] = [f"{name}-only-{place}" for place in range(7)]
            kept = own[np.arange(rows) % 29 != number]
            frames[name][dataset] = pd.concat([kept, foreign]).sample(frac=1.0, random_state=seed + number)
    return frames

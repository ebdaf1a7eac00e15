"""Two to four organisations with real files, certificates, processes and sockets, for tests."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from coordinator import LocalFederation
from coordinator.local_folders import CERTIFICATES, COORDINATOR, tls_section
from party.configuration.party import load_party_configuration
from party.security.certificates import Usage
from party.security.files import private_folder
from party.security.issuing import write_organisation
from tests.support.row_keys import pinned_row_key

LABEL_PARTY = "bob"
SECRETS = {name: f"{number:064x}" for number, name in enumerate(("alice", "bob", "charlie", "dora"), start=1)}
# What a session costs is mostly the tracing of its models: one hidden layer, and an optimizer that has few operations.
SMALL_MODEL = {"kind": "deepfm", "embedding_dimension": 4, "units": [4]}
SMALL_FUSE = {"kind": "deepfm", "units": [4]}
OPTIMIZER = {"name": "sgd", "learning_rate": 0.05}
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
FOURTH = {"dora": [{"column": "season", "kind": "vocabulary"}]}  # the features of a fourth party
LABEL_RULE = "rating > 3"
EXACT_METRICS = {"running_metrics": True, "exact_metrics": True}  # oracles compare all digits
# Rows of each file by the number of parties, which then have 372 rows in common: twelve batches. Every size of a batch
# is compiled anew at every party of every session, so only tests that are about a smaller last batch have one.
ROWS = {1: 386, 2: 400, 3: 417, 4: 432}
BATCH_SIZE = 31
RUN = {"connect_timeout_seconds": 5.0, "timeout_seconds": 120.0, "reconnect_seconds": 20.0}


class Organisations(LocalFederation):
    """A federation of two to four parties with data, models and secrets for tests.

    Args:
        folder: empty, private.
        names: parties; the label party is bob.
        features: by party, as in data.features; an empty list for a label party without features.
        frames: by party and dataset, pandas frames of text with the columns that the features need.
        training: the `training` section of the run.
        overrides: by party, keys of its configuration to replace.
    """

    def __init__(self, folder, names=("alice", "bob"), features=None, frames=None, training=None, overrides=None):
        self.features = features or {name: FEATURES[name] for name in names}
        defaults = {"dataset": "train", "seed": 5, "epochs": 1, "batch_size": BATCH_SIZE, "optimizer": OPTIMIZER}
        self.training = {**defaults, **(training or {})}
        self.overrides = overrides or {}
        self.servers = {}
        frames = frames or make_frames(names)
        run = {**RUN, "alignment": {"datasets": sorted(frames[names[0]]), "chunk_rows": 128}}
        super().__init__(folder, self._described(names, frames), training=self.training, run=run)

    def _described(self, names, frames):
        described = {}
        for name in names:
            described[name] = {
                "frames": frames[name],
                "features": self.features[name],
                "model": SMALL_MODEL if self.features[name] else None,
                "policy": {"minimum_metric_rows": 1, **EXACT_METRICS},
                "pinned_secret": SECRETS[name],
            }
        described[LABEL_PARTY] |= {"labels": {"liked": {"rule": LABEL_RULE}}, "fuse": SMALL_FUSE}
        return {name: {**one, **self.overrides.get(name, {})} for name, one in described.items()}

    @property
    def ports(self):
        return {name: int(address.rpartition(":")[2]) for name, address in self.addresses.items()}

    @property
    def runs_path(self):
        """The output folder of the coordinator."""
        return self.folder / COORDINATOR / "runs"

    def certificates(self, name):
        """Returns the folder with an organisation's certificate and keys."""
        return self.folder / name / CERTIFICATES

    def add_coordinator(self, name):
        """Issues the certificate of another coordinator; configurations name it by `authority` and `tls`."""
        return write_organisation(name, Usage.COORDINATOR, self.certificates(name), now=datetime.now(UTC), days=30)

    def add_stranger(self, name):
        """Issues a certificate for another name from the coordinator's own authority."""
        trusted, folder = self.certificates(COORDINATOR), private_folder(self.certificates(name))
        for file in trusted.glob(f"{COORDINATOR}-ca*.pem"):
            shutil.copy(file, folder / file.name.replace(COORDINATOR, name))
        now = datetime.now(UTC)
        return write_organisation(name, Usage.COORDINATOR, folder, now=now, days=30, renew=True)

    def table_path(self, name, dataset):
        return self.folder / name / f"{dataset}.csv"

    def read_table(self, name, dataset):
        return pd.read_csv(self.table_path(name, dataset), dtype=str, keep_default_na=False)

    def write_run(self, training=None, *, ports=None, **changes):
        """Writes the run's file with no earlier changes; `ports` replaces the ports of some parties."""
        self._files._training_changes, self._files._run_changes = {}, {}
        addresses = {name: f"127.0.0.1:{port}" for name, port in (ports or {}).items()}
        return super().write_run(training, addresses=addresses, **changes)

    def write_party(self, name, **changes):
        """Writes a party's file with no earlier changes."""
        self._files._party_changes[name] = {}
        return super().write_party(name, **changes)

    def row_key(self, seed=None):
        """Returns the key of the order of training rows, for a pinned secret of the label party."""
        seed = self.training["seed"] if seed is None else seed
        return pinned_row_key(SECRETS[self.label_party], self.training["dataset"], seed)

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
        self.addresses[name] = f"127.0.0.1:{server.port}"

    def stop_server(self, name):
        self.servers.pop(name).stop()

    def coordinator(self, *arguments, timeout=240):
        """Runs the command `coordinator` in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "coordinator", *arguments, "--config", str(self.run_path)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def weights(self, name, run_id):
        """Returns the weights that a party saved, by name."""
        with np.load(self.state_path(name) / "runs" / run_id / "weights.npz", allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for name in list(self.servers):
            self.stop_server(name)
        self.stop()


def authority(name):
    """Returns the `ca` of an organisation for a configuration in any organisation's folder."""
    return f"../{name}/{CERTIFICATES}/{name}-ca.pem"


def tls(name):
    """Returns the `tls` of an organisation for a configuration in any organisation's folder."""
    return {key: f"../{name}/{path}" for key, path in tls_section(name).items()}


def make_frames(names, rows=None, seed=0, datasets=("train",)):
    """Makes columns for FEATURES, with a label that depends on the columns of all parties.

    Every party's file has its own order, lacks some ids and has some that nobody else has.
    """
    rows = rows or ROWS[len(names)]
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
            "dora": ["season"],
        }
        if "dora" in names:
            base["season"] = generator.choice(["spring", "summer", "autumn", "winter"], rows)
        for number, name in enumerate(names):
            own = base[["ID", *columns[name]]].copy()
            foreign = own.head(7).copy()
            foreign["ID"] = [f"{name}-only-{place}" for place in range(7)]
            kept = own[np.arange(rows) % 29 != number]
            frames[name][dataset] = pd.concat([kept, foreign]).sample(frac=1.0, random_state=seed + number)
    return frames

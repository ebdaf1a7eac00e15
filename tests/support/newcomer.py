"""What somebody types who has two files and never used the product: from nothing to a trained joint model."""

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field

import numpy as np

ALICE, BOB, COORDINATOR = "alice", "bob", "coordinator"
SECONDS_TO_START = 120


@dataclass
class Newcomer:
    """The shells of two companies and a coordinator, each in a folder of its own.

    Every line that is typed is a command and is kept; files reach the others by a path, as they would by mail.
    """

    folder: object
    programs: dict
    typed: list = field(default_factory=list)
    serving: list = field(default_factory=list)

    def __enter__(self):
        for who in (ALICE, BOB, COORDINATOR):
            (self.folder / who).mkdir()
        return self

    def __exit__(self, *error):
        for process in self.serving:
            process.terminate()
        for process in self.serving:
            process.wait(timeout=60)

    def type(self, who, line, *arguments):
        """Runs a command to its end; further arguments hold blanks. Returns what it printed."""
        words = self._words(who, line, arguments)
        done = subprocess.run(
            words,
            cwd=self.folder / who,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
            env=_environment(),
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def serve(self, who):
        """Starts a party, whose shell stays busy until the end."""
        words = self._words(who, f"party serve --config {who}.yaml", ())
        with (self.folder / who / "serve.log").open("wb") as log:
            process = subprocess.Popen(words, cwd=self.folder / who, stdout=log, stderr=log, env=_environment())
        self.serving.append(process)

    def history(self):
        """The label party's own: of few rows the coordinator's would lack most figures."""
        (path,) = (self.folder / BOB).glob("**/runs/*/history.json")
        return json.loads(path.read_text())

    def _words(self, who, line, arguments):
        self.typed.append(f"{who}$ {' '.join([line, *(repr(one) for one in arguments)])}")
        program, *rest = line.split()
        return [*self.programs[program], *rest, *arguments]


def _environment():
    return {name: value for name, value in os.environ.items() if not name.endswith("_proxy")}


def write_files(folder, rows, seed=0):
    """Two CSV files as two countries write them; the label depends on columns of both."""
    generator = np.random.default_rng(seed)
    numbers = generator.permutation(rows)
    age, city = generator.integers(18, 80, rows), generator.choice(["Ulm", "Köln", "Bonn"], rows)
    price, tags = generator.gamma(2.0, 30.0, rows), generator.choice(["new", "new|sale", "sale|set", "set"], rows)
    score = (age < 40) * 1.5 + (city == "Ulm") * 1.0 - (price > 60) * 1.5 + generator.normal(0, 0.5, rows)
    users = ["customer;city;born;spent;country"]
    users += [
        f"c{one};{city[one]};{2020 - age[one]}-05-17;{price[one] / 7:.2f};DE".replace(".", ",") for one in numbers
    ]
    (folder / ALICE / "customers.csv").write_text("\n".join(users) + "\n", encoding="cp1252")
    sales = ["customer,price,tags,clicked"]
    sales += [f"c{one},{price[one]:.2f},{tags[one]},{'yes' if score[one] > 0.7 else 'no'}" for one in range(rows)]
    (folder / BOB / "sales.csv").write_text("\n".join(sales) + "\n")


def fingerprint(printed):
    """The last fingerprint that a command printed, which its owner reads to partners."""
    lines = [line for line in printed.splitlines() if line.startswith("fingerprint")]
    return lines[-1].removeprefix("fingerprint").strip()


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def from_files_to_a_model(shells):
    """Types it all; the seconds that it took."""
    start = time.monotonic()
    printed = shells.type(ALICE, f"party init --name alice --data customers.csv --yes --address {free_address()}")
    alice = fingerprint(printed)
    line = f"party init --name bob --data sales.csv --label clicked --yes --address {free_address()}"
    printed = shells.type(BOB, line)
    bob = fingerprint(printed)
    told = ("--fingerprint", alice, "--fingerprint", bob)
    printed = shells.type(COORDINATOR, "coordinator init ../alice/alice.invitation ../bob/bob.invitation", *told)
    driver = fingerprint(printed)
    for who, other, read in ((ALICE, BOB, bob), (BOB, ALICE, alice)):
        files = f"../{other}/{other}.invitation ../coordinator/coordinator.invitation"
        shells.type(who, f"party accept --config {who}.yaml {files}", "--fingerprint", read, "--fingerprint", driver)
    shells.serve(ALICE)
    shells.serve(BOB)
    shells.type(COORDINATOR, "coordinator align --config run.yaml")
    shells.type(COORDINATOR, "coordinator train --config run.yaml")
    return time.monotonic() - start

"""The wheel as pip installs it from an index into an empty environment: `make wheel`, `make wheel-party`.

Not part of `make test`: it downloads what the wheel needs, which is a lot for a party.
"""

import os
import re
import subprocess
import sys

import pytest

from party import __version__
from party.errors import ConfigurationError, InstallationError
from tests.support.checkout_wheel import build_wheel
from tests.support.commands import expect_error
from tests.support.documents import ROOT
from tests.support.organisations import Organisations, make_frames

OF_A_PARTY = {"gmpy2", "keras", "numpy", "pandas", "pyarrow", "tensorflow", "tzdata"}
INSTALL_SECONDS = 1800
PARTY = """
party: alice
listen: 127.0.0.1:0
label_party: bob
peers: [{name: bob, ca: bob-ca.pem}]
coordinators: [{name: coordinator, ca: coordinator-ca.pem}]
tls: {certificate: alice.pem, key: alice-key.pem}
state: state
data: {id: ID, datasets: {train: train.csv}, features: [{column: Age, kind: numeric}]}
"""


class Environment:
    """A virtual environment with the wheel and what pip found that it needs."""

    def __init__(self, folder, extra):
        self.folder = folder
        wheel = build_wheel(folder / "build")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        install = ["pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt"]
        self.run(*install, f"{wheel}{extra}", check=True, timeout=INSTALL_SECONDS)
        listed = self.run("pip", "list", "--format", "freeze", "--disable-pip-version-check", check=True).stdout
        self.packages = {line.partition("==")[0].lower().replace("_", "-") for line in listed.split()}
        kibibytes = subprocess.run(["du", "-sk", folder / "venv"], check=True, capture_output=True, text=True).stdout
        print(f"\nsplitrain{extra}: {len(self.packages)} packages, {int(kibibytes.split()[0]) / 1024:,.0f} MiB")
        print(", ".join(sorted(self.packages)))

    def run(self, program, *arguments, check=False, timeout=300):
        command = [str(self.folder / "venv" / "bin" / program), *map(str, arguments)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False, env=environment
        )
        if program != "pip":
            print(f"$ {' '.join(map(str, (program, *arguments)))}")
            print(f"exit code {done.returncode}: {done.stdout or done.stderr}")
        assert not check or done.returncode == 0, done.stderr
        return done

    def make_certificates(self):
        for program, name in (("party", "alice"), ("party", "bob"), ("coordinator", "coordinator")):
            self.run(program, "certificate", name, "--folder", ".", check=True)


def answers(environment):
    for program in ("coordinator", "party"):
        assert environment.run(program, "--version").stdout == f"{program}, version {__version__}\n"
        assert re.search(r"^  certificate ", environment.run(program, "--help", check=True).stdout, re.MULTILINE)
    environment.make_certificates()
    (environment.folder / "alice.yaml").write_text(PARTY)
    (environment.folder / "train.csv").write_text("ID,Age\n1,20\n2,30\n")


@pytest.mark.timeout(INSTALL_SECONDS)
def test_a_coordinator_alone(tmp_path):
    environment = Environment(tmp_path, "")
    assert OF_A_PARTY.isdisjoint(environment.packages)
    answers(environment)
    environment.run("python", "-c", "from coordinator import Federation, History, LocalFederation, connect", check=True)
    missing = environment.run("coordinator", "align", "--config", "run.yaml")
    expect_error(missing, ConfigurationError.exit_code, "run.yaml")
    for command in ("check", "serve"):
        refused = environment.run("party", command, "--config", "alice.yaml")
        expect_error(refused, InstallationError.exit_code, "install splitrain[party]")
    frames = make_frames(("alice", "bob"), datasets=("train", "test"))
    with Organisations(tmp_path / "organisations", frames=frames) as organisations:
        run = organisations.start_servers().write_run()
        for command in ("align", "train", "evaluate", "predict"):
            environment.run("coordinator", command, "--config", run, check=True)


@pytest.mark.timeout(INSTALL_SECONDS)
def test_a_party(tmp_path):
    environment = Environment(tmp_path, "[party]")
    assert environment.packages >= OF_A_PARTY
    answers(environment)
    environment.run("pip", "check", check=True)
    assert "numeric" in environment.run("party", "check", "--config", "alice.yaml", check=True).stdout

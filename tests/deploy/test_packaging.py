"""The wheel: what it says of itself, and its commands where a party's libraries are not installed."""

import importlib.metadata
import subprocess
import sys
import zipfile

import pytest
import yaml
from packaging.utils import canonicalize_name

from coordinator.cli import main as coordinator_command
from party import __version__
from party.cli import main as party_command
from party.errors import ConnectionLostError, InstallationError
from tests.support.checkout_wheel import build_wheel, metadata_of, requirements
from tests.support.commands import expect_error
from tests.support.documents import ROOT, examples

OF_A_PARTY = {"gmpy2", "grpcio-health-checking", "keras", "numpy", "pandas", "pyarrow", "tensorflow", "tzdata"}
# Runs a function of the wheel as if nothing but what a coordinator needs were installed.
PROGRAM = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

wheel, absent, module, *arguments = sys.argv[1:]
absent = set(absent.split(","))
sys.path.insert(0, wheel)
sys.meta_path.insert(0, Absent())
sys.argv = [module, *arguments]
"""
COMMAND = 'importlib.import_module(f"{module}.cli").main(arguments)'
EVERY_MODULE = """
import pkgutil
package = importlib.import_module(module)
assert package.__file__.startswith(wheel), package.__file__
names = [one.name for one in pkgutil.walk_packages(package.__path__, f"{module}.") if not one.name.endswith("__main__")]
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # of an option, whose library is an extra of its own
        options = {"coordinator.event_files": "tensorboardX", "coordinator.run_metrics": "prometheus_client"}
        assert options.get(name) == error.name, (name, error.name)
print(len(names))
"""
# Of a party's commands: those that compute nothing.
WITHOUT_LIBRARIES = {"certificate", "health", "reload", "ledger", "invite", "accept", "schema", "completion"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def absent(wheel):
    """Top-level modules of all that is installed here and that a coordinator does not need."""
    needed, waiting = set(), list(requirements(wheel).values())
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in needed:
            needed.add(name)
            below = map(type(requirement), importlib.metadata.requires(name) or ())
            waiting += [one for one in below if one.marker is None or one.marker.evaluate({"extra": ""})]
    modules = importlib.metadata.packages_distributions()
    owners = {module: {canonicalize_name(name) for name in names} for module, names in modules.items()}
    return {module for module, names in owners.items() if not names & {*needed, "splitrain"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where somebody installed the wheel alone and follows the README, who begins with certificates."""
    return tmp_path_factory.mktemp("folder")


@pytest.fixture(scope="module")
def run(wheel, absent, folder):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "installed")

    def run(module, *arguments, program=COMMAND):
        command = [sys.executable, "-c", PROGRAM + program, str(wheel.parent / "installed"), ",".join(sorted(absent))]
        return subprocess.run(
            [*command, module, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )

    return run


# Metadata


def test_the_wheel_states_licence_version_and_commands(wheel):
    metadata = metadata_of(wheel)
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])
    assert metadata["Version"] == __version__
    assert not [one for one in metadata.get_all("Classifier") if one.startswith("License ::")]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (licence,) = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
        (entries,) = [name for name in names if name.endswith("entry_points.txt")]
        assert archive.read(entries).decode().split() == [
            *("[console_scripts]", "coordinator", "=", "coordinator.__main__:start"),
            *("party", "=", "party.__main__:start"),
        ]
    assert {"party/py.typed", "coordinator/py.typed"} <= set(names)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"party", "coordinator"}


def test_only_the_extra_needs_what_only_a_party_needs(wheel):
    assert {"party", "prometheus", "tensorboard", "mlflow", "dev"} == set(metadata_of(wheel).get_all("Provides-Extra"))
    assert set(requirements(wheel, "party")) - set(requirements(wheel)) == OF_A_PARTY


def test_keras_and_tensorflow_have_bounds_that_the_tested_versions_keep(wheel):
    constraints = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    for name in ("keras", "tensorflow"):
        requirement = requirements(wheel, "party")[name]
        assert {one.operator for one in requirement.specifier} == {">=", "<"}
        assert constraints[name] in requirement.specifier
        major, minor = map(int, constraints[name].split(".")[:2])
        assert f"{major}.{minor + 1}.0" not in requirement.specifier


# Without the extra


def test_libraries_of_a_party_are_absent(absent):
    assert {"gmpy2", "keras", "numpy", "pandas", "pyarrow", "tensorflow", "tzdata"} <= absent
    assert absent.isdisjoint({"click", "cryptography", "google", "grpc", "pydantic", "yaml"})


def test_every_module_of_a_coordinator_can_be_imported(run):
    done = run("coordinator", program=EVERY_MODULE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


@pytest.mark.parametrize(("module", "command"), [("party", party_command), ("coordinator", coordinator_command)])
def test_help_names_every_command(run, module, command):
    done = run(module, "--help")
    assert done.returncode == 0, done.stderr
    assert set(command.commands) <= set(done.stdout.split())


def test_certificates_are_made_and_renewed_and_serve_to_ask_a_party(run, folder):
    for module, name in (("party", "alice"), ("party", "bob"), ("coordinator", "coordinator")):
        for renewal in ([], ["--renew"]):
            done = run(module, "certificate", name, *renewal)
            assert (done.returncode, done.stderr) == (0, "")
            assert f"- name: {name}\n" in done.stdout
        authority = folder / "certs" / name / f"{name}-ca.pem"
        (folder / "certs" / authority.name).write_bytes(authority.read_bytes())
    ((_, content),) = [one for one in examples(ROOT / "README.md") if one[0] == "run.yaml"]
    nobody = {"address": "127.0.0.1:1"}
    configuration = yaml.safe_load(content) | {"connect_timeout_seconds": 1}
    configuration["parties"] = [one | nobody for one in configuration["parties"]]
    (folder / "run.yaml").write_text(yaml.safe_dump(configuration))
    expect_error(run("coordinator", "align", "--config", "run.yaml"), ConnectionLostError.exit_code, "alice")


@pytest.mark.parametrize("command", sorted(set(party_command.commands) - WITHOUT_LIBRARIES))
def test_a_command_that_needs_more_says_what_to_install(run, folder, command):
    ((_, content),) = [one for one in examples(ROOT / "README.md") if one[0] == "alice.yaml"]
    (folder / "alice.yaml").write_text(content)
    (folder / "train.csv").write_text("ID,Age\n1,20\n2,30\n")
    new = ["--name", "dora", "--data", "train.csv", "--address", "127.0.0.1:1", "--yes"]
    configured = ["--config", "alice.yaml"]
    written = ["--output", "written", *configured]
    more = {"remove": ["1234", *configured], "export": written, "report": written, "init": new}
    done = run("party", command, *more.get(command, configured))
    expect_error(done, InstallationError.exit_code, " is not installed; install splitrain[party]")
    assert done.stdout == ""

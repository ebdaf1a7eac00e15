"""The ready scenarios: configurations that load, fit together and name what a person starts."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from coordinator.configuration import load_coordinator_configuration
from coordinator.local_folders import LocalFolders
from deploy.demo import experiment
from deploy.demo.experiment import LISTEN, SCENARIOS
from deploy.demo.federation import DATASETS, PARTIES
from party.configuration.party import load_party_configuration


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_prepared_scenario_has_a_configuration_for_everybody(tmp_path, monkeypatch, name):
    """The data itself comes from a package index, and has tests of its own."""
    scenario, _ = SCENARIOS[name]

    def prepare(folder, seed, cache):
        for party in PARTIES:
            (folder / party).mkdir(mode=0o700)
            for dataset in DATASETS:
                (folder / party / f"{dataset}.{scenario.extension}").touch()
        return f"seed {seed}"

    monkeypatch.setitem(experiment.SCENARIOS, name, (scenario, prepare))
    arguments = [name, "--prepare-only", "--folder", str(tmp_path), "--seeds", "8", "--epochs", "2"]
    done = CliRunner().invoke(experiment.main, arguments)
    assert done.exit_code == 0, done.output
    folder = tmp_path / f"{name}-8"
    folders, commands = LocalFolders(folder), Path(sys.executable).parent
    for party in PARTIES:
        configuration = load_party_configuration(folders.party_path(party))
        assert configuration.listen == LISTEN[party]
        assert configuration.path(configuration.tls.certificate).exists()
        assert configuration.holds_labels == (party == scenario.label_party)
        assert f"{commands}/party serve --config {folders.party_path(party)}" in done.output
    run = load_coordinator_configuration(folders.run_path)
    assert {one.name: one.address for one in run.parties} == LISTEN
    assert (run.training.seed, run.training.epochs, run.label_party) == (8, 2, scenario.label_party)
    assert f"{commands}/coordinator train --config {folders.run_path}" in done.output
    assert not (folder / "coordinator" / "runs").exists(), "nothing is trained"

"""The ready scenarios: configurations that load, fit together and name what a person starts."""

import pytest
from click.testing import CliRunner

from coordinator.configuration import load_coordinator_configuration
from deploy.demo import experiment
from deploy.demo.configurations import party_file, run_file
from deploy.demo.experiment import LISTEN, SCENARIOS
from party.configuration.party import load_party_configuration


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_prepared_scenario_has_a_configuration_for_everybody(tmp_path, monkeypatch, name):
    """The data itself comes from a package index, and has tests of its own."""
    scenario, _ = SCENARIOS[name]
    monkeypatch.setitem(experiment.SCENARIOS, name, (scenario, lambda folder, seed, cache: f"seed {seed}"))
    arguments = [name, "--prepare-only", "--folder", str(tmp_path), "--seeds", "8", "--epochs", "2"]
    done = CliRunner().invoke(experiment.main, arguments)
    assert done.exit_code == 0, done.output
    folder = tmp_path / f"{name}-8"
    for party in ("alice", "bob"):
        configuration = load_party_configuration(party_file(folder, party))
        assert configuration.listen == LISTEN[party]
        assert configuration.path(configuration.tls.certificate).exists()
        assert configuration.holds_labels == (party == scenario.label_party)
        assert f"party serve --config {party_file(folder, party)}" in done.output
    run = load_coordinator_configuration(run_file(folder))
    assert {one.name: one.address for one in run.parties} == LISTEN
    assert (run.training.seed, run.training.epochs, run.label_party) == (8, 2, scenario.label_party)
    assert f"coordinator train --config {run_file(folder)}" in done.output
    assert not (folder / "coordinator" / "runs").exists(), "nothing is trained"

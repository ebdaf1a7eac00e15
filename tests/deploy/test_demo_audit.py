"""Every variant of the demonstration of audits makes files that load, with the one protection that it names."""

import pytest

from deploy.demo.audit import CASES, EPSILON, write_parties
from deploy.demo.federation import DATASETS, fresh_folder, scenario_federation
from party.configuration.party import load_party_configuration


@pytest.mark.parametrize("name", CASES)
def test_every_variant_loads_and_has_one_protection(name, tmp_path):
    case, folder = CASES[name], fresh_folder(tmp_path / name)
    for party in case.scenario.companies:
        (folder / party).mkdir(mode=0o700)
        for dataset in DATASETS:
            (folder / party / f"{dataset}.{case.scenario.extension}").touch()
    local = scenario_federation(folder, {}, scenario=case.scenario)
    found = {}
    for variant, changes in case.variants.items():
        write_parties(case, local, changes)
        loaded = {party: load_party_configuration(local.party_path(party)) for party in local.names}
        assert all(one.audit.record for one in loaded.values())
        assert loaded[case.feature_party].audit.secrets == case.audit["secrets"]
        protections = [one.protections for one in loaded.values() if one.protections]
        decorrelated = [one.privacy.decorrelate for one in loaded.values() if one.privacy.decorrelate]
        found[variant] = (protections, len(decorrelated))
    assert found == {
        "none": ([], 0),
        "private-labels": ([{"labels": EPSILON}], 0),
        "private-columns": ([{"columns": EPSILON}], 0),
        "decorrelation": ([], 1),
    }

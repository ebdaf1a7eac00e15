"""Whatever a party's policy refuses when a run opens, `coordinator doctor` says before, in the same words."""

import pytest

from coordinator import connect
from coordinator.doctor.examinations import examine_coordinator
from party.configuration.party import load_party_configuration
from party.diagnosis.finding import Severity
from party.diagnosis.machine import Machine
from party.errors import PolicyError
from party.ledger.file import read_ledger
from party.models import deepfm, dnn
from party.policy.foreseen import AGGREGATIONS
from tests.support.doctored import DATASETS, amiss, set_up, shown
from tests.support.organisations import COORDINATOR

NAMES = ("alice", "bob", "charlie")
TRAINED_ON_TEST = {"dataset": "test"}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with set_up(tmp_path_factory.mktemp("refusals") / "federation", NAMES) as federation:
        federation.start_servers()
        with connect(federation.write_run(alignment={"datasets": list(DATASETS)})) as parties:
            parties.align()
        yield federation


@pytest.fixture
def refusing(organisations):
    """Gives a party another file until the end of the test."""
    changed = []

    def change(name, **keys):
        changed.append(name)
        organisations.write_party(name, **keys)
        organisations.servers[name].revise(load_party_configuration(organisations.party_path(name)))

    yield change
    for name in changed:
        organisations.write_party(name)
        organisations.servers[name].revise(load_party_configuration(organisations.party_path(name)))


def examine(organisations, training):
    organisations.write_run(training, output="runs", alignment={"datasets": list(DATASETS)})
    return examine_coordinator(organisations.run_path, Machine(environment={}))


def refused(organisations):
    """The error of whoever trains all the same."""
    with pytest.raises(PolicyError) as caught, connect(organisations.run_path) as parties:
        parties.fit()
    return caught.value


CASES = {  # the party, its policy, and what the run asks for
    "maximum_epochs": ("alice", {"maximum_epochs": 2}, {"epochs": 3}),
    "allowed_codecs": ("bob", {"allowed_codecs": ["float32"]}, {"codecs": {"gradient": {"kind": "float16"}}}),
    "allowed_aggregations": ("charlie", {"allowed_aggregations": ["concat"]}, {}),
    "allowed_aggregations of a label party": ("bob", {"allowed_aggregations": ["sum"]}, {}),
    "require_secure_aggregation": ("alice", {"require_secure_aggregation": True}, {}),
    "training_datasets": ("alice", {}, TRAINED_ON_TEST),
    "inference_datasets": (
        "bob",
        {"inference_datasets": ["train"]},
        {"validation_dataset": "test", "validation_fraction": 0.0},
    ),
    "peer_sets": ("charlie", {"peer_sets": [["bob"]]}, {}),
    "maximum_runs": ("bob", {"maximum_runs": 0}, {}),
    "maximum_evaluations": (
        "alice",
        {"maximum_evaluations": 0},
        {"validation_dataset": "test", "validation_fraction": 0.0},
    ),
    "maximum_sessions_per_day": ("charlie", {"maximum_sessions_per_day": 1}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_doctor_says_what_a_run_would_be_refused_for(organisations, refusing, case):
    party, policy, training = CASES[case]
    refusing(party, policy=policy)
    diagnosis = examine(organisations, training)
    error = refused(organisations)
    rule = case.partition(" ")[0]
    found = [one for name, one in amiss(diagnosis) if name == "policies"]
    assert {name for name, _ in amiss(diagnosis)} == {"policies"}
    told = [one for one in found if one.where.startswith(f"party {party} at")]
    assert told
    assert all(one.severity is Severity.PROBLEM and f"policy.{rule}:" in one.what for one in told), found
    assert f"policy.{rule}:" in str(error)
    if rule != "allowed_aggregations":  # Open names the hidden, which only the built model has
        assert any(one.what.removesuffix(".") in str(error) for one in told), (str(error), told)


def test_smaller_batches_than_the_owner_allows(organisations, refusing):
    refusing("alice", policy={"minimum_batch": 64})
    (found,) = amiss(examine(organisations, {"batch_size": 32}))
    assert "policy.minimum_batch: training.batch_size; expected at least 64; received 32" in found[1].what
    assert "ask the owner of alice" in found[1].fix


def test_every_rule_that_refuses_is_a_finding_of_its_own(organisations, refusing):
    refusing("alice", policy={"maximum_epochs": 2, "maximum_runs": 0, "minimum_batch": 64})
    found = amiss(examine(organisations, {"epochs": 3, "batch_size": 32}))
    rules = [one.what.removeprefix("refused by policy.").partition(":")[0] for _, one in found]
    assert rules == ["maximum_runs", "maximum_epochs", "minimum_batch"]


def test_a_purpose_that_a_coordinator_has_no_right_to(organisations, refusing):
    rights = [{"name": COORDINATOR, "ca": f"certificates/{COORDINATOR}-ca.pem", "purposes": ["align"]}]
    refusing("bob", coordinators=rights)
    diagnosis = examine(organisations, {})
    assert [one.what for _, one in amiss(diagnosis)] == [
        "refused by policy.coordinators.purposes: the purpose; expected align; received train"
    ]
    assert "policy.coordinators.purposes" in str(refused(organisations))


def test_masked_sums_where_only_concatenation_is_allowed(organisations, refusing):
    refusing("alice", policy={"allowed_aggregations": ["concat"]})
    (found,) = amiss(examine(organisations, {"secure_aggregation": True}))
    assert "aggregation of this party's base model; expected concat; received sum" in found[1].what


def test_asking_leaves_no_line_in_a_ledger_and_is_logged(organisations, refusing, caplog):
    refusing("alice", policy={"maximum_epochs": 1})
    before = len(read_ledger(organisations.state_path("alice")))
    with caplog.at_level("INFO", "party.transport.description"):
        diagnosis = examine(organisations, {"epochs": 2})
    assert amiss(diagnosis)
    assert len(read_ledger(organisations.state_path("alice"))) == before
    assert f"{COORDINATOR} asked what of a run would be refused: 1" in caplog.text


def test_no_finding_names_a_column_or_a_dataset_that_the_coordinator_may_not_know(organisations, refusing):
    rights = [{"name": COORDINATOR, "ca": f"certificates/{COORDINATOR}-ca.pem", "datasets": ["test"]}]
    refusing("alice", coordinators=rights, policy={"training_datasets": ["train"]})
    text = shown(examine(organisations, TRAINED_ON_TEST))
    told = [line for line in text.splitlines() if "alice" in line and "training_datasets" in line]
    assert told
    assert not any("train," in line for line in told)


def test_a_healthy_federation_has_nothing_refused(organisations):
    diagnosis = examine(organisations, {})
    assert amiss(diagnosis) == []
    assert len(diagnosis.findings["policies"]) == len(NAMES)


def test_the_aggregations_of_built_in_models_are_those_that_they_state():
    told = {"deepfm": deepfm.EXPECTED, "dnn": dnn.EXPECTED}
    for kind, expected in told.items():
        assert set(AGGREGATIONS[kind]) == {one.value for one in expected.values()}

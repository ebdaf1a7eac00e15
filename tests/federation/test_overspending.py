"""A session that would overspend is refused before its first message; what every session spent is in the ledger."""

import json

import pytest

from coordinator import connect
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.configuration.party import load_party_configuration
from party.errors import PolicyError
from party.ledger.charge import Charge
from party.pb.handshake_pb2 import Purpose
from party.runtime import batch_setup
from party.runtime.charges import Protection, charges_of
from tests.support.commands import expect_error, run_party
from tests.support.organisations import COORDINATOR, Organisations, authority, make_frames, tls
from tests.support.relaying import Relay, envelopes

OTHER = "auditor"
NAMES = ("alice", "bob", "charlie")
TRAINING = {"epochs": 1, "batch_size": 64, "validation_fraction": 0.1}
OF_LABELS = ("alice", "charlie", COORDINATOR)
LABELS = {
    "train": OF_LABELS,
    "measure": ("alice", "charlie"),
    "evaluate": (COORDINATOR,),
    "predict": None,
    "align": None,
}
COLUMNS = dict.fromkeys(("train", "measure", "evaluate", "predict"), ("bob",)) | {"align": None}


def measure(parties):
    """Opens a session that measures, as far as its charge: `plan` trains in many of them."""
    run = parties.configuration.run
    proposal = ProposedSession(
        purpose=Purpose.PURPOSE_MEASURE,
        run_id=new_run_id(),
        lease=parties._journal.lease,
        configuration=run.to_bytes(),
    )
    with CoordinatedSession(parties._clients, run, proposal):
        pass


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Three parties that two coordinators may drive; the first has done everything once, without any mechanism."""
    coordinators = [{"name": name, "ca": authority(name)} for name in (COORDINATOR, OTHER)]
    frames = make_frames(NAMES, datasets=("train", "test"))
    overrides = {name: {"coordinators": coordinators} for name in NAMES}
    folder = tmp_path_factory.mktemp("budgets")
    with Organisations(folder, names=NAMES, frames=frames, training=TRAINING, overrides=overrides) as made:
        made.add_coordinator(OTHER)
        made.start_servers()
        with connect(made.write_run()) as parties:
            parties.align()
            measure(parties)
            parties.fit()
            parties.evaluate("test")
            parties.predict("test")
        yield made


def lines(organisations, name):
    return organisations.servers[name]._ledger.entries


def set_policy(organisations, name, **policy):
    """Writes another policy into a party's file, and has the party reload it."""
    organisations.write_party(name, policy={"minimum_metric_rows": 1, **policy})
    organisations.servers[name].revise(load_party_configuration(organisations.party_path(name)))


class Watch:
    """A relay that notes the calls that are answered, and every sealed message in them."""

    def __init__(self):
        self.calls, self.sealed = set(), 0

    def __call__(self, send, party, method, request):
        reply = send(request)
        self.calls.add(method)
        self.sealed += sum(1 for message in (request, reply) for _ in envelopes(message))
        return reply


def expect_refusal(organisations, name, secret, act):
    """Checks that an act of a coordinator is refused by a budget before anything is sealed or agreed."""
    before = [len(lines(organisations, one)) for one in NAMES]
    watch = Watch()
    with Relay(organisations.run_path, watch) as parties, pytest.raises(PolicyError) as caught:
        act(parties)
    assert f"{name}: refused by policy.budgets.{secret}: epsilon of the {secret}" in str(caught.value)
    assert watch.sealed == 0
    assert not watch.calls & {"Agree", "Authenticate", "Confirm", "Forward", "Fuse", "Backward"}
    written = [entry for one, start in zip(NAMES, before, strict=True) for entry in lines(organisations, one)[start:]]
    assert {"refused"} <= {entry.event for entry in written} <= {"opened", "refused", "ended"}


@pytest.mark.parametrize(("name", "secret", "audiences"), [("alice", "columns", COLUMNS), ("bob", "labels", LABELS)])
def test_what_leaves_without_a_mechanism_is_charged_as_exact_to_who_receives_it(organisations, name, secret, audiences):
    agreed = [entry for entry in lines(organisations, name) if entry.event == "agreed"][:5]
    assert {entry.purpose: entry.charges for entry in agreed} == {
        purpose: () if names is None else (Charge(secret=secret, generation=0, epsilon=None, audience=names),)
        for purpose, names in audiences.items()
    }
    others = [entry.charges for entry in lines(organisations, name) if entry.event != "agreed"]
    assert set(others) == {None}


ACTS = {
    "train": lambda parties: parties.fit(),
    "measure": measure,
    "evaluate": lambda parties: parties.evaluate("test"),
    "predict": lambda parties: parties.predict("test"),
}


@pytest.mark.parametrize(("name", "secret", "audiences"), [("alice", "columns", COLUMNS), ("bob", "labels", LABELS)])
def test_a_budget_without_a_mechanism_refuses_all_that_would_release_the_secret(organisations, name, secret, audiences):
    set_policy(organisations, name, budgets={secret: {"epsilon": 8.0, "exact_releases": "past"}})
    for purpose, act in ACTS.items():
        if audiences[purpose] is not None:
            expect_refusal(organisations, name, secret, act)
            continue
        with connect(organisations.run_path) as parties:
            act(parties)
    with connect(organisations.run_path) as parties:
        parties.align(force=True)
    set_policy(organisations, name)


def test_the_coordinator_command_names_the_rule_and_the_owner_is_told_what_an_exact_release_means(organisations):
    set_policy(organisations, "bob", budgets={"labels": {"epsilon": 8.0}})
    rule = "bob: refused by policy.budgets.labels: epsilon of the labels"
    expect_error(organisations.coordinator("train"), 9, rule, "at most 8.0", "an exact release")
    path = organisations.party_path("bob")
    shown = run_party("ledger", "--budget", "--config", path).stdout
    assert "labels: a budget of epsilon 8.0, of which 0.0 is left" in shown
    assert "  alice holds exact releases" in shown
    assert "from gradients a party reads every training label off" in shown
    assert "labels exactly" in run_party("ledger", "--config", path).stdout
    use = json.loads(run_party("ledger", "--budget", "--json", "--config", path).stdout)
    assert (use["secret"], use["left"], use["together"]["exact"]) == ("labels", 0.0, True)
    assert use["exact_per_row"]["train"] > 0
    assert use["exact_passes"][COORDINATOR] > 0
    asked = run_party("ledger", "--budget", "--pooled", "alice", "--pooled", "nobody", "--config", path)
    expect_error(asked, 2, "nobody received nothing of the labels", "alice or charlie")
    set_policy(organisations, "bob")


class Mechanism:
    """Has the label party's sessions charged as those of a mechanism; only what is charged differs."""

    def __init__(self, epsilon, generation):
        self.protection = Protection(secret="labels", generation=generation, epsilon=epsilon)

    def __call__(self, opening, most, protection):
        holds_labels = opening.context.configuration.holds_labels
        return charges_of(opening, most, self.protection if holds_labels else protection)


def test_epsilon_is_spent_once_a_generation_and_neither_restart_nor_another_coordinator_gives_it_back(
    organisations, monkeypatch
):
    budget = {"budgets": {"labels": {"epsilon": 1.0, "exact_releases": "past"}}}
    set_policy(organisations, "bob", **budget)

    def use(epsilon, generation):
        monkeypatch.setattr(batch_setup, "charges_of", Mechanism(epsilon, generation))

    use(0.6, 1)
    for act in (ACTS["evaluate"], measure, ACTS["evaluate"]):
        with connect(organisations.run_path) as parties:
            act(parties)
    use(0.6, 2)
    expect_refusal(organisations, "bob", "labels", ACTS["evaluate"])
    organisations.stop_server("bob")
    organisations.start_server("bob")
    organisations.write_run()
    expect_refusal(organisations, "bob", "labels", ACTS["evaluate"])
    organisations.write_run(coordinator=OTHER, tls=tls(OTHER))
    for act in (ACTS["train"], measure):
        expect_refusal(organisations, "bob", "labels", act)
    organisations.write_run()
    use(0.4, 2)
    with connect(organisations.run_path) as parties:
        parties.evaluate("test")
    shown = run_party("ledger", "--budget", "--config", organisations.party_path("bob")).stdout
    assert f"  {COORDINATOR} holds exact releases and epsilon 1.0 (generation 1: 0.6, generation 2: 0.4)" in shown
    assert "  alice holds exact releases and epsilon 0.6 (generation 1: 0.6)" in shown
    assert "labels: a budget of epsilon 1.0, of which 0.0 is left" in shown
    assert "is right in at most 73.1% of cases" in shown

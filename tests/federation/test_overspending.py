"""A session that would overspend is refused before its first message; what every session spent is in the ledger."""

import json
import math

import pytest

from coordinator import connect
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.configuration.party import load_party_configuration
from party.errors import PolicyError
from party.ledger.charge import Charge
from party.pb.handshake_pb2 import Purpose
from tests.support.commands import expect_error, run_party
from tests.support.organisations import COORDINATOR, LABEL_RULE, Organisations, authority, make_frames, tls
from tests.support.relaying import Relay, envelopes

OTHER = "auditor"
NAMES = ("alice", "bob", "charlie")
COORDINATORS = [{"name": name, "ca": authority(name)} for name in (COORDINATOR, OTHER)]
TRAINING = {"epochs": 1, "batch_size": 62, "validation_fraction": 0.167}
OF_LABELS = ("alice", "charlie", COORDINATOR)
LABELS = {
    "train": OF_LABELS,
    "measure": ("alice", "charlie"),
    "evaluate": (COORDINATOR,),
    "predict": None,
    "align": None,
}
COLUMNS = dict.fromkeys(("train", "measure", "predict"), ("bob",))
COLUMNS |= {"evaluate": ("bob", COORDINATOR), "align": (COORDINATOR,)}  # counts of cells, to the coordinator


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
    frames = make_frames(NAMES, datasets=("train", "test"))
    overrides = {name: {"coordinators": COORDINATORS} for name in NAMES}
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
    before = {one: len(lines(organisations, one)) for one in organisations.names}
    watch = Watch()
    with Relay(organisations.run_path, watch) as parties, pytest.raises(PolicyError) as caught:
        act(parties)
    assert f"{name}: refused by policy.budgets.{secret}: epsilon of the {secret}" in str(caught.value)
    assert watch.sealed == 0
    assert not watch.calls & {"Agree", "Authenticate", "Confirm", "Forward", "Fuse", "Backward"}
    written = [entry for one, start in before.items() for entry in lines(organisations, one)[start:]]
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


@pytest.mark.parametrize(
    ("name", "secret", "audiences"),
    [("alice", "columns", {**COLUMNS, "align": None}), ("bob", "labels", LABELS)],  # a budget stops counts of cells
)
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


@pytest.fixture(scope="module")
def protected(tmp_path_factory):
    """Two parties whose mechanisms and budgets fit each other, for two coordinators."""
    both = {"coordinators": COORDINATORS}
    columns = {
        "city": {"values": ["Ulm", "Köln", "Bonn", ""]},
        "income": {"minimum": 0.0, "maximum": 6e3, "clip": True},
    }
    overrides = {
        "alice": {**both, "privacy": {"columns": {"epsilon": 2.0, "columns": columns}}},
        "bob": {**both, "labels": {"liked": {"rule": LABEL_RULE, "privacy": {"epsilon": 0.6}}}},
    }
    overrides["alice"]["policy"] = {"budgets": {"columns": {"epsilon": 2.0}}}
    overrides["bob"]["policy"] = {"minimum_metric_rows": 1, "budgets": {"labels": {"epsilon": 1.0}}}
    frames = make_frames(("alice", "bob"), datasets=("train", "test"))
    train, test = frames["alice"]["train"], frames["alice"]["test"]
    frames["alice"]["test"] = test[~test["ID"].isin(train["ID"])]  # one entity has one cell
    test = frames["bob"]["test"]
    frames["bob"]["test"] = test[~test["ID"].isin(frames["bob"]["train"]["ID"])]  # and one row one label
    folder = tmp_path_factory.mktemp("protected")
    with Organisations(folder, frames=frames, training=TRAINING, overrides=overrides) as made:
        made.add_coordinator(OTHER)
        made.start_servers()
        with connect(made.write_run()) as parties:
            parties.align()
        yield made


def restart(organisations):
    for name in organisations.names:
        organisations.stop_server(name)
        organisations.start_server(name)
    return organisations.write_run()


def test_draws_are_paid_once_and_other_draws_are_refused_whoever_asks_and_after_any_restart(protected):
    """One label that changed begins a generation for all rows, and their old answers are known."""
    for path in (protected.run_path, restart(protected)):
        with connect(path) as parties:
            parties.fit()
            parties.evaluate("test")
            measure(parties)
    charges = {name: {entry.charges for entry in lines(protected, name) if entry.charges} for name in protected.names}
    columns = Charge(secret="columns", generation=1, epsilon=2.0, audience=("bob",))
    assert charges["alice"] == {(columns,)}
    audiences = [("alice",), ("alice", COORDINATOR), (COORDINATOR,)]
    assert charges["bob"] == {
        (Charge(secret="labels", generation=1, epsilon=0.6, audience=audience),) for audience in audiences
    }
    honest = protected.read_table("bob", "train")
    changed = honest.assign(rating=honest["rating"].mask(honest.index == 0, honest["rating"].map(other_side)))
    protected.write_frame("bob", "train", changed)
    with connect(protected.run_path) as parties:
        parties.align()
    expect_refusal(protected, "bob", "labels", ACTS["train"])
    restart(protected)
    expect_refusal(protected, "bob", "labels", ACTS["train"])
    protected.write_run(coordinator=OTHER, tls=tls(OTHER))
    for act in (ACTS["train"], measure):
        expect_refusal(protected, "bob", "labels", act)
    expect_error(protected.coordinator("train"), 9, "bob: refused by policy.budgets.labels", "1.2 with this session")
    protected.write_frame("bob", "train", honest)
    with connect(protected.write_run()) as parties:
        parties.align()
        parties.fit()


def other_side(rating):
    """A rating on the other side of the rule."""
    return "1" if float(rating) > 3 else "5"


def test_the_owner_is_told_what_each_receiver_holds_and_what_it_means(protected):
    path = protected.party_path("bob")
    shown = run_party("ledger", "--budget", "--pooled", "alice", "--config", path).stdout.splitlines()
    assert shown[0] == "labels: a budget of epsilon 1.0, of which 0.4 is left"
    assert shown[1:5] == [
        "  alice holds epsilon 0.6 (generation 1: 0.6)",
        f"  {COORDINATOR} holds epsilon 0.6 (generation 1: 0.6)",
        "  together they hold epsilon 0.6 (generation 1: 0.6)",
        "  alice together: epsilon 0.6 (generation 1: 0.6)",
    ]
    assert f"right in at most {100 / (1 + math.exp(-0.6)):.1f} % of cases" in shown[5]
    assert "labels epsilon 0.6, generation 1" in run_party("ledger", "--config", path).stdout
    use = json.loads(run_party("ledger", "--budget", "--json", "--config", protected.party_path("alice")).stdout)
    assert (use["secret"], use["left"], use["together"]["exact"]) == ("columns", 0.0, False)
    assert (use["exact_per_row"], use["exact_passes"]) == ({}, {})

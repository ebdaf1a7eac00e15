"""Meters see what leaves, change nothing of it, and end a session by the owner's limit alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from coordinator import connect
from party.audit.meters.agreement import private_ceiling
from party.audit.meters.separation import separation
from party.channel.incoming_channel import IncomingChannel
from party.errors import PolicyError
from party.ledger.file import read_ledger
from party.pb.party_pb2 import MESSAGE_KIND_GRADIENT
from party.protocol.gradient_sender import GradientSender
from tests.support.organisations import EXACT_METRICS, LABEL_RULE, make_frames
from tests.support.resuming import expect_equal, outcome, restart, run_path, stop_at, train

ROWS = 2450
TRAINING = {"epochs": 2, "batch_size": 64, "validation_fraction": 0.074}
PIPELINED = {"kind": "pipelined", "depth": 3}
INT8 = {"kind": "int8", "error_feedback": True}
CODED = {"schedule": PIPELINED, "codecs": {"hidden": INT8, "gradient": INT8}}
METERS = {"bob": {"meters": {"labels": True}}, "alice": {"meters": {"columns": ["city", "income"]}}}
POLICY = {"minimum_metric_rows": 1, **EXACT_METRICS}


def make(make_organisations, overrides, rows=ROWS, **training):
    frames = make_frames(("alice", "bob"), rows=rows)
    arguments = {"training": {**TRAINING, **training}, "overrides": overrides, "frames": frames}
    return make_organisations(**arguments).start_servers()


def file_of(organisations, name, run_id):
    return organisations.state_path(name) / "runs" / run_id / "meters.jsonl"


def lines_of(organisations, name, run_id):
    return [json.loads(line) for line in file_of(organisations, name, run_id).read_text().splitlines()]


def limited(name, **policy):
    return {**METERS, name: {**METERS[name], "policy": {**POLICY, **policy}}}


def test_a_watched_run_has_the_bits_of_another_and_its_meters_survive_a_stop(make_organisations):
    """With batches under way, and messages that lose something."""
    organisations = make(make_organisations, {}, **CODED)
    unwatched = outcome(organisations, train(organisations))
    assert not list(organisations.folder.rglob("meters.jsonl"))
    for name, changes in METERS.items():
        organisations.write_party(name, **changes)
    restart(organisations, "alice", "bob")
    watched = train(organisations)
    expect_equal(outcome(organisations, watched), unwatched)
    run_id = stop_at(organisations, position=45)  # in the middle of a window, and of the second epoch
    restart(organisations, "alice", "bob")
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), unwatched)
    for name in METERS:
        lines = lines_of(organisations, name, run_id)
        assert len(lines) >= 4
        assert lines == lines_of(organisations, name, watched.run_id)
        assert file_of(organisations, name, run_id).stat().st_mode & 0o777 == 0o600


class Received:
    """Records the gradients that a feature party opens, as an attacker there would."""

    def __init__(self):
        self.batches = []

    def tap(self, monkeypatch):
        opened = IncomingChannel.open

        def recording(channel, envelope, place):
            received = opened(channel, envelope, place)
            if received.slot.kind == MESSAGE_KIND_GRADIENT:
                self.batches.append((place.rows, received.values.copy()))
            return received

        monkeypatch.setattr(IncomingChannel, "open", recording)


def labels_by_row(organisations, name="bob", dataset="train"):
    """Labels in the common order: ascending by id, of the ids that both parties hold."""
    tables = [organisations.read_table(party, dataset) for party in ("alice", "bob")]
    common = sorted(set(tables[0]["ID"]) & set(tables[1]["ID"]), key=str.encode)
    return (tables[1].set_index("ID").loc[common, "rating"].astype(int) > 3).to_numpy()


def test_readings_are_those_of_an_attacker_who_holds_all_gradients(make_organisations, monkeypatch):
    organisations, received = make(make_organisations, METERS), Received()
    received.tap(monkeypatch)
    history = train(organisations)
    labels = labels_by_row(organisations)
    lines = lines_of(organisations, "bob", history.run_id)
    window = [(rows, values) for rows, values in received.batches[:32]]  # the first of 2,048 rows
    positive = labels[np.concatenate([rows for rows, _ in window])]
    scaled = [values / np.sqrt((values**2).sum(axis=1).mean()) for _, values in window]
    gradients = np.concatenate(scaled).astype(np.float64)
    norms = np.linalg.norm(gradients, axis=1)
    _, vectors = np.linalg.eigh(gradients.T @ gradients)
    assert lines[0]["rows"] == len(positive) == 2048
    assert lines[0]["norm"] == pytest.approx(separation(norms, positive), abs=2e-3)
    assert lines[0]["spectral"] == pytest.approx(separation(gradients @ vectors[:, -1], positive), abs=2e-3)
    # Direction: one known row of each class, its gradients of all epochs, against all other rows.
    sums = np.zeros(len(labels))
    for rows, values in received.batches:
        known = [np.flatnonzero(labels[rows] == one)[:1] for one in (True, False)]
        if all(map(len, known)):
            sums[rows] += values @ np.subtract(*(values[one[0]] for one in known))
    seen = np.unique(np.concatenate([rows for rows, _ in received.batches]))
    attack = separation(sums[seen], labels[seen])
    assert attack > 0.99
    assert lines[-1]["accumulated"] == pytest.approx(attack, abs=0.01)
    assert lines[-1]["level"] == "red"


def test_private_labels_are_read_as_far_as_their_epsilon_and_no_further(make_organisations):
    """By true labels, beside gradients that a teacher made from drawn ones: what leaks past the draw would be red."""
    private = {"labels": {"liked": {"rule": LABEL_RULE, "privacy": {"epsilon": 1.0}}}, "meters": {"labels": True}}
    organisations = make(make_organisations, {"bob": private})
    last = lines_of(organisations, "bob", train(organisations).run_id)[-1]
    assert last["agreement"] == pytest.approx(private_ceiling(1.0), abs=0.04)
    assert last["level"] == "quiet"


class Hijack:
    """A label party that sends gradients of a head for an attribute of a few rows that it knows."""

    def __init__(self, attribute, known):
        self.attribute, self.known = attribute, known
        self.head = None

    def take_over(self, monkeypatch):
        send = GradientSender.send

        def crafted(sender, exchange, rows, result):
            honest = result.gradients["alice"]
            generator = np.random.default_rng(exchange.step)
            if self.head is None:
                self.head = generator.normal(size=honest.shape[1])
            target = np.where(self.known[rows], self.attribute[rows] - 0.5, 0.0)
            crafted = (-np.outer(target, self.head) / len(rows)).astype(np.float32)
            return send(sender, exchange, rows, replace(result, gradients={**result.gradients, "alice": crafted}))

        monkeypatch.setattr(GradientSender, "send", crafted)


NARROW = {"kind": "dnn", "units": [2]}
LIMIT = 0.95
OFTEN = {"every_steps": 20}
REFUSAL = (
    "alice: refused by policy.maximum_column_reading: the meters of its columns; expected readings of at most 0.95;"
    " ask its owner, whose log says more"
)


@pytest.fixture
def narrow_organisations(make_organisations):
    """Alice's cut has two columns, and her owner watches the income, which an honest model needs for nothing."""
    alice = {"model": NARROW, "meters": {"columns": ["income"]}}
    overrides = {"alice": alice, "bob": {"model": NARROW, "fuse": {"kind": "dnn", "units": [4]}}}
    # Whole windows: a probe on the few rows of a last one would read as much by chance.
    training = {"epochs": 3, "batch_size": 32, "validation_fraction": 0.102, "optimizer": {"name": "adam"}}
    return make(make_organisations, overrides, **training)


def incomes_by_row(organisations):
    table = organisations.read_table("alice", "train").set_index("ID")
    common = sorted(set(table.index) & set(organisations.read_table("bob", "train")["ID"]), key=str.encode)
    return table.loc[common, "income"].astype(float).to_numpy()


def ledger_of(organisations):
    return read_ledger(organisations.state_path("alice"))


def limit(organisations, **policy):
    organisations.write_party("alice", policy={**POLICY, **policy})
    restart(organisations, "alice")


def test_a_hijacked_cut_ends_at_the_owners_limit_and_stays_ended(narrow_organisations, monkeypatch):
    organisations = narrow_organisations
    limit(organisations, maximum_column_reading=LIMIT)
    honest = train(organisations)
    readings = [line["probe"] for line in lines_of(organisations, "alice", honest.run_id)]
    assert len(readings) > 6
    assert max(readings) < 0.9
    incomes = incomes_by_row(organisations)
    known = np.random.default_rng(0).random(len(incomes)) < 0.1
    Hijack(incomes > np.median(incomes), known).take_over(monkeypatch)
    with connect(run_path(organisations, checkpoints=OFTEN)) as parties:
        with pytest.raises(PolicyError) as refused:
            parties.fit()
        run_id = parties._journal.runs()[-1].run_id
    last = lines_of(organisations, "alice", run_id)[-1]
    assert last["ended"] > 0.97
    assert str(refused.value) == REFUSAL  # neither the reading nor the column
    assert [(one.event, one.result) for one in ledger_of(organisations)[-2:]] == [
        ("refused", REFUSAL),
        ("ended", "a rule refused what a peer sent"),
    ]
    # Whoever goes back to a checkpoint gets no further batch, until the owner accepts the reading.
    with pytest.raises(PolicyError, match="maximum_column_reading"):
        train(organisations, resume=run_id)
    assert lines_of(organisations, "alice", run_id)[-1] == last
    limit(organisations)
    assert train(organisations, resume=run_id).run_id == run_id

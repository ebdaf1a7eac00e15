"""Whole federations with private labels: other true labels behind the same draws change nothing outside of their owner.

A uniform symbol replaces the label of about half of all rows. There the true label can be any other one, and the drawn
label is the same.
"""

import json

import numpy as np

from coordinator import connect
from party.configuration.label_privacy import LabelPrivacy
from party.configuration.labels import BinaryLabel
from party.ledger.file import read_ledger
from party.pb.party_pb2 import MESSAGE_KIND_GRADIENT
from party.privacy.label_mechanism import LabelMechanism
from party.runtime.generations import Generations
from tests.support.organisations import LABEL_RULE, SECRETS, SMALL_MODEL, make_frames
from tests.support.resuming import expect_equal, outcome, restart, run_path, stop_at, train
from tests.support.what_leaves import WhatLeaves

NAMES = ("alice", "bob")
EPSILON = 1.0
LABELS = {"liked": {"rule": LABEL_RULE, "metrics": ["binary_accuracy"], "privacy": {"epsilon": EPSILON}}}
TRAINING = {"epochs": 2, "validation_fraction": 0.167, "batch_size": 62, "early_stopping": {"patience": 1}}


def federation(make_organisations, name="federation", frames=None, **training):
    features = [{"column": "film", "kind": "vocabulary"}]
    data = {"id": "ID", "datasets": {"train": "train.csv"}, "features": features, "labels": LABELS}
    return make_organisations(
        name=name,
        names=NAMES,
        frames=frames or make_frames(NAMES),
        training={**TRAINING, **training},
        overrides={"bob": {"data": data, "model": {**SMALL_MODEL, "dropout": 0.2}}},
    ).start_servers()


def replaced(ids, folder):
    """Whether the draw of each id replaces its label, whatever that is."""
    generations = Generations(folder, "labels", bytes, bytes.fromhex(SECRETS["bob"]))
    mechanism = LabelMechanism({"liked": BinaryLabel(rule=LABEL_RULE, privacy=LabelPrivacy(epsilon=EPSILON))})
    drawn = [
        mechanism.draw(np.full((len(ids), 1), label, np.float32), ids, secret=generations.secret, generation=1)
        for label in (0, 1)
    ]
    return (drawn[0] == drawn[1])[:, 0]


def with_other_labels(frames, folder):
    """The same frames, but with the other label in every row whose draw does not depend on it."""
    table = frames["bob"]["train"]
    changes = replaced(list(table["ID"]), folder)
    assert 0.4 < changes.mean() < 0.7
    table["rating"] = np.where(changes, np.where(table["rating"] == "5", "2", "5"), table["rating"])
    return frames


def told_of(organisations, monkeypatch):
    """Trains and evaluates; returns all that others than the label party get or see, and its own files."""
    path = run_path(organisations, checkpoints={"every_steps": 2})
    with connect(path) as parties:
        parties.align()
    with monkeypatch.context() as patches:
        leaves = WhatLeaves(patches)
        with leaves.connect(path) as parties:
            history = parties.fit()
            evaluated = parties.evaluate(run_id=history.run_id)
            parties.predict(run_id=history.run_id)
    messages, facts, sizes = leaves.record()
    state = organisations.state_path("bob")
    entries = [
        one.model_dump(exclude={"time", "session", "run_id", "digest", "previous"}) for one in read_ledger(state)
    ]
    folder = state / "runs" / history.run_id
    told = {
        "messages": messages,
        "facts": facts,
        "sizes of replies": sizes,
        "history": history.history,
        "step losses": history.step_loss,
        "epochs": (history.epoch, history.best_epoch),
        "evaluation": dict(evaluated),
        "alice's weights": {
            name: one.tobytes() for name, one in organisations.weights("alice", history.run_id).items()
        },
        "ledger": entries,
    }
    own = {name: (folder / name).read_bytes() for name in ("history.json", "steps.csv", "predictions-train.csv")}
    return told, own, json.loads((folder / "evaluations.jsonl").read_text())


def test_other_labels_behind_the_same_draws_change_nothing_that_others_get(make_organisations, monkeypatch, tmp_path):
    frames = make_frames(NAMES)
    told, own, evaluated = told_of(federation(make_organisations, "one", frames), monkeypatch)
    others = with_other_labels(make_frames(NAMES), tmp_path / "draws")
    other_told, other_own, other_evaluated = told_of(federation(make_organisations, "other", others), monkeypatch)
    assert any(kind == MESSAGE_KIND_GRADIENT for _, _, kind in told["messages"])
    for what, content in told.items():
        assert content == other_told[what], what
    for name, content in own.items():
        assert content != other_own[name], f"{name} is made from the true labels"
    assert evaluated["metrics"] != other_evaluated["metrics"]
    assert evaluated["told"] == other_evaluated["told"]


def test_a_run_with_two_heads_goes_on_to_the_same_bits(make_organisations):
    organisations = federation(make_organisations, epochs=3, early_stopping={"patience": 3})
    undisturbed = outcome(organisations, train(organisations))
    run_id = stop_at(organisations, 4)
    restart(organisations, *organisations.names)
    resumed = train(organisations, resume=run_id)
    expect_equal(outcome(organisations, resumed), undisturbed)
    weights = organisations.weights("bob", run_id)
    assert any(name.startswith("teacher_") for name in weights)

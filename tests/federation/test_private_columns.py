"""Two worlds with the same drawn cells and other true ones: every byte that leaves is the same."""

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.configuration.party import load_party_configuration
from party.data.text_columns import text_column_of
from party.errors import PolicyError, SessionError
from party.runtime import drawn_columns
from party.runtime.column_keys import StoredColumnKeys
from party.runtime.tables import Tables
from tests.support.columns import frame_of
from tests.support.what_leaves import WhatLeaves, files_of

ROWS = 160
CITIES, SHOPS = ["Ulm", "Köln", "Bonn", ""], ["north", "south", "east"]
FEATURES = {
    "alice": [
        {"column": "city", "kind": "vocabulary"},
        {"column": "income", "kind": "numeric"},
        {"column": "seen", "kind": "sequence", "separator": " ", "maximum_length": 3},
    ],
    "bob": [{"column": "film", "kind": "vocabulary"}],
    "charlie": [{"column": "shop", "kind": "vocabulary"}, {"column": "size", "kind": "numeric"}],
}
PRIVATE = {
    "alice": {
        "epsilon": 1.0,
        "public": ["seen"],
        "columns": {"city": {"values": CITIES}, "income": {"minimum": 0, "maximum": 6000}},
    },
    "charlie": {"epsilon": 0.5, "public": ["size"], "columns": {"shop": {"values": SHOPS}}},
}
WORLDS = {
    "deepfm": {"alice": {"kind": "deepfm", "embedding_dimension": 4, "units": [4]}},
    "dnn and own": {
        "alice": {"kind": "dnn", "units": [4]},
        "charlie": {"file": "models.py", "base": "build_item_tower"},
    },
    "bst": {"alice": {"kind": "bst", "units": [4], "pooling": "mean"}},
}
FUSE = {"deepfm": {"kind": "deepfm", "units": [4]}}
TRAINING = {
    "deepfm": {"validation_fraction": 0.2, "epochs": 2, "codecs": {"hidden": {"kind": "int8", "error_feedback": True}}},
    "dnn and own": {"schedule": {"kind": "pipelined", "depth": 2}, "epochs": 1},
    "bst": {"local_updates": {"steps": 1, "window": 2, "uses": 2}, "epochs": 1},
}


def cells(dataset, seed):
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "ID": [f"{dataset}-{number:04d}" for number in range(ROWS)],
            "city": generator.choice(CITIES, ROWS),
            "income": [str(value) for value in generator.integers(0, 6000, ROWS)],
            "seen": [" ".join(generator.choice(["a", "b", "c"], 3)) for _ in range(ROWS)],
            "film": generator.choice(["x", "y", "z"], ROWS),
            "shop": generator.choice(SHOPS, ROWS),
            "size": [str(value) for value in generator.integers(1, 9, ROWS)],
            "rating": generator.choice(["5", "2"], ROWS),
        }
    )


def federation(make_organisations, name, model, true, request):
    """A federation of which some parties have private columns, with the true cells of `true` by dataset."""
    parties = ["alice", "bob", *(["charlie"] if "charlie" in WORLDS[model] else [])]
    columns = {party: [one["column"] for one in FEATURES[party]] for party in parties}
    columns["bob"].append("rating")
    frames = {party: {one: frame[["ID", *columns[party]]] for one, frame in true.items()} for party in parties}
    overrides = {
        party: {"model": section, "privacy": {"columns": PRIVATE[party]}} for party, section in WORLDS[model].items()
    }
    overrides["bob"] = {"model": WORLDS[model]["alice"] if model == "deepfm" else {"kind": "dnn", "units": [4]}}
    overrides["bob"]["fuse"] = FUSE.get(model, {"kind": "dnn", "units": [4]})
    if model == "dnn and own":
        overrides["charlie"]["model"] = {"file": "models.py", "base": "build"}
    made = make_organisations(
        name,
        names=tuple(parties),
        features={party: FEATURES[party] for party in parties},
        frames=frames,
        training={"batch_size": 64 if model == "deepfm" else 40, **TRAINING[model]},
        overrides=overrides,
    )
    if model == "dnn and own":
        tower = (request.config.rootpath / "deploy/examples/two_tower.py").read_text()
        source = tower.replace('"""Builds the tower over the item', '"""Also builds the tower over the item')
        path = made.party_path("charlie").parent / "models.py"
        path.write_text(source + "\n\ndef build(features):\n    return tower(features, 'deep')\n")
    return made


def drawn(organisations, party, folder):
    """The drawn cells of a party's files, with keys of a folder of their own; the party's secret is pinned."""
    configuration = load_party_configuration(organisations.party_path(party))
    apart = configuration.model_copy(update={"state": str(folder)})
    tables = Tables(apart, lambda: StoredColumnKeys(apart, bytes, lambda secret: 0))
    return {name: frame_of(tables.table(name).columns) for name in tables.names}


def other_true_cells(true, drawn_cells, drawn_of_others, others):
    """True cells that differ wherever other ones are drawn as the same."""
    changed = true.copy()
    for column in drawn_cells.columns:
        same = (drawn_cells[column] == drawn_of_others[column]).to_numpy()
        changed.loc[same, column] = others.loc[same, column]
    return changed


@pytest.fixture
def two_worlds(make_organisations, request, tmp_path):
    """Makes two federations with the same drawn cells, whose true cells differ in many rows."""

    def make(model, datasets=("train",)):
        one = {name: cells(name, 1 + place) for place, name in enumerate(datasets)}
        # Another draw of the true cells alone: all else is the same.
        far = {name: cells(name, 11 + place) for place, name in enumerate(datasets)}
        worlds = [
            federation(make_organisations, f"{model} {name}", model, true, request)
            for name, true in (("one", one), ("far", far))
        ]
        other = {name: frame.copy() for name, frame in one.items()}
        for party in WORLDS[model]:
            private = list(PRIVATE[party]["columns"])
            here, there = (drawn(world, party, tmp_path / f"{party} {place}") for place, world in enumerate(worlds))
            for name in datasets:
                other[name] = other_true_cells(other[name], here[name][private], there[name][private], far[name])
        differing = {column: (one["train"][column] != other["train"][column]).mean() for column in ("city", "income")}
        assert min(differing.values()) > 0.2
        return worlds[0], federation(make_organisations, f"{model} other", model, other, request)

    return make


def run(organisations, monkeypatch, datasets=("train",)):
    """What leaves in an alignment, a training and, with a test dataset, all other sessions."""
    settings = {"evaluate_dataset": datasets[-1], "checkpoints": {"every_steps": 2}}  # not by the clock
    with monkeypatch.context() as patches:
        with connect(organisations.start_servers().write_run(**settings)) as parties:
            parties.align()
        leaves = WhatLeaves(patches)
        with leaves.connect(organisations.run_path) as parties:
            history = parties.fit()
            run_id, told = history.run_id, [history.history]
            if len(datasets) > 1:
                told.append(dict(parties.evaluate(datasets[-1])))
                parties.predict(datasets[-1])
    encoders = {
        name: (organisations.state_path(name) / "runs" / run_id / "encoders.json").read_bytes()
        for name in organisations.names
    }
    weights = {name: organisations.weights(name, run_id) for name in organisations.names}
    for name in organisations.names:
        organisations.stop_server(name)  # its last session may still be writing what it sent
    files = {name: files_of(organisations, name) for name in organisations.names}
    return leaves.record(), told, encoders, files, weights


def assert_same(one, other):
    (one_record, *one_rest, one_weights), (other_record, *other_rest, other_weights) = one, other
    for part, (mine, theirs) in enumerate(zip(one_record, other_record, strict=True)):
        assert mine == theirs, ("plaintexts", "facts", "sizes")[part]
    assert one_rest == other_rest
    for name, weights in one_weights.items():
        for key, array in weights.items():
            np.testing.assert_array_equal(array, other_weights[name][key])


DATASETS = {"deepfm": ("train", "test")}


@pytest.mark.parametrize("model", WORLDS)
def test_other_true_cells_that_are_drawn_alike_change_no_byte_that_leaves(two_worlds, monkeypatch, model):
    datasets = DATASETS.get(model, ("train",))
    one, other = two_worlds(model, datasets)
    here, there = run(one, monkeypatch, datasets), run(other, monkeypatch, datasets)
    assert sum(map(len, here[0][0].values())) > 5
    assert_same(here, there)


def test_one_true_cell_that_reaches_an_encoder_is_seen(two_worlds, monkeypatch):
    """The comparison above would notice a single cell of the file that is encoded as it is."""
    one, other = two_worlds("deepfm")
    here = run(one, monkeypatch)
    true = other.read_table("alice", "train")["city"].to_numpy()
    replaced = drawn_columns._replaced

    def leaking(tables, cells, generation):
        texts = cells["city"].by_row()
        row = np.flatnonzero(texts != true)[0]
        texts[row] = true[row]
        return replaced(tables, {**cells, "city": text_column_of(texts)}, generation)

    monkeypatch.setattr(drawn_columns, "_replaced", leaking)
    with pytest.raises(AssertionError):
        assert_same(here, run(other, monkeypatch))


@pytest.fixture
def trained(make_organisations, request):
    """A federation with a run that was trained on drawn cells."""
    made = federation(make_organisations, "trained", "deepfm", {"train": cells("train", 1)}, request)
    with connect(made.start_servers().write_run(evaluate_dataset="train")) as parties:
        parties.align()
        made.run_id = parties.fit().run_id
    return made


def restarted(organisations, **changes):
    organisations.stop_server("alice")
    organisations.write_party("alice", **changes)
    organisations.start_server("alice")
    return connect(organisations.write_run(evaluate_dataset="train"))


def test_what_was_spent_and_what_a_trained_run_allows(trained):
    _, lines = files_of(trained, "alice")
    charges = [charge for line in lines for charge in line.get("charges") or []]
    assert charges
    assert {(one["secret"], one["generation"], one["epsilon"]) for one in charges} == {("columns", 1, 1.0)}
    section = PRIVATE["alice"]
    model = WORLDS["deepfm"]["alice"]
    other = "privacy\\.columns differs from what the run was trained with"
    with restarted(trained, model=model, privacy={}) as parties, pytest.raises(SessionError, match=other):
        parties.evaluate("train")
    budgets = {"budgets": {"columns": {"epsilon": 1.5}}}
    with restarted(trained, model=model, privacy={"columns": section}, policy=budgets) as parties:
        assert parties.evaluate("train")["auc"] > 0
    moved = trained.read_table("alice", "train")
    moved.loc[0, "city"] = "Ulm" if moved.loc[0, "city"] != "Ulm" else "Bonn"
    trained.write_frame("alice", "train", moved)
    with connect(trained.run_path) as parties:
        parties.align()
        with pytest.raises(PolicyError, match=r"at most 1\.5; received 2\.0 with this session"):
            parties.evaluate("train")


def test_the_penalty_of_a_party_file_reaches_its_weights_and_nothing_else_changes_them(trained):
    model, first = WORLDS["deepfm"]["alice"], trained.weights("alice", trained.run_id)
    with connect(trained.run_path) as parties:
        again = trained.weights("alice", parties.fit().run_id)
    penalty = {"columns": PRIVATE["alice"], "decorrelate": {"columns": ["seen"], "weight": 1.0}}
    with restarted(trained, model=model, privacy=penalty) as parties:
        penalised = trained.weights("alice", parties.fit().run_id)
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)
    assert any(not np.array_equal(penalised[name], array) for name, array in first.items())

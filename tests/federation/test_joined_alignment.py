"""Alignments of tables whose keys rows refer to, with real parties: what is stored, what is told, what is refused."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from coordinator.alignment_table import alignment_lines
from party.alignment.joined_store import JoinedStore
from party.configuration.party import load_party_configuration
from party.diagnosis.finding import Severity
from party.diagnosis.machine import Machine
from party.doctor.alignments import examine_alignments
from party.doctor.subject import PartySubject
from party.errors import AlignmentError, HandshakeError, PolicyError
from tests.support.joined_organisations import FILMS, USERS, JoinedOrganisations, described, events, films, users

PEERS = ("alice", "charlie")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three aligned parties: rows without a user are dropped, rows without a film stay."""
    with JoinedOrganisations(tmp_path_factory.mktemp("joined"), described(("inner", "left"))) as organisations:
        organisations.start_servers()
        organisations.write_run()
        with connect(organisations.run_path) as parties:
            organisations.results = parties.align()
        yield organisations


def stored(organisations, name, dataset="train"):
    return JoinedStore(organisations.state_path(name) / "alignments").load(dataset, organisations.names)


def keys_of(organisations, dataset):
    """Each row's user and film as bob's file names them, in the order of the file."""
    frame = organisations.read_table("bob", dataset)
    film = [(title, year) if year else None for title, year in zip(frame["Title"], frame["Year"], strict=True)]
    return [[user or None for user in frame["UserID"]], film]


def names_of_entities(organisations, dataset):
    """The user and the film of each entity, as its owner's table names it, in the order of bob's files."""
    known = organisations.read_table("alice", USERS)["UserID"].str.strip().str.lower()
    catalogue = organisations.read_table("charlie", FILMS)
    return [
        [known.iloc[row] for row in stored(organisations, "alice", dataset).rows],
        [tuple(catalogue[["Title", "Year"]].iloc[row]) for row in stored(organisations, "charlie", dataset).rows],
    ]


@pytest.mark.parametrize("dataset", ["train", "test"])
def test_result_is_that_of_a_join_of_the_files(made, dataset):
    """Every row that has a user stays, and refers to the entities that its keys name, at both sides."""
    theirs, names = keys_of(made, dataset), names_of_entities(made, dataset)
    known = [set(made.read_table("alice", USERS)["UserID"].str.strip().str.lower())]
    known.append(set(map(tuple, made.read_table("charlie", FILMS)[["Title", "Year"]].to_numpy())))
    bob = stored(made, "bob", dataset)
    assert sorted(bob.rows) == [row for row, user in enumerate(theirs[0]) if user in known[0]]
    for place, peer in enumerate(PEERS):
        entity_of_row = bob.maps[peer].entity_of_row
        assert entity_of_row.dtype == np.int32
        referred = [names[place][number] if number >= 0 else None for number in entity_of_row]
        assert referred == [theirs[place][row] if theirs[place][row] in known[place] else None for row in bob.rows]
        own = stored(made, peer, dataset)
        assert own.maps[peer].entity_of_row.tolist() == entity_of_row.tolist()
        assert own.maps[peer].entities == bob.maps[peer].entities == len(own.rows)
    assert bob.maps["alice"].has_absent is False
    assert bob.maps["charlie"].has_absent is True
    assert names[0] == sorted(names[0])


def test_one_alignment_of_all_datasets_at_all_parties(made):
    found = [stored(made, name, dataset) for name in made.names for dataset in ("train", "test")]
    assert len({(one.alignment_id, one.row_secret) for one in found}) == 1


def test_counts_are_told(made):
    for result in made.results:
        theirs = keys_of(made, result.dataset)
        names = names_of_entities(made, result.dataset)
        assert result.rows == {"alice": 30, "bob": len(theirs[0]), "charlie": 12}
        assert [join.peer for join in result.joins] == list(PEERS)
        for place, join in enumerate(result.joins):
            keys = [key for key in theirs[place] if key is not None]
            assert (join.rows, join.keys) == (len(theirs[place]), len(set(keys)))
            assert join.keys_found == len(set(keys) & set(names[place]))
            assert join.rows_with_partner == sum(key in names[place] for key in keys)
            assert (join.left, join.finds_few) == (place == 1, False)
        assert result.rows_in_common == result.joins[0].rows_with_partner


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_the_doctor_counts_the_rows_in_common_of_each_party(made, name):
    path = made.party_path(name)
    found = list(examine_alignments(PartySubject(path, load_party_configuration(path), Machine())))
    assert {one.severity for one in found} == {Severity.OK}
    counts = {one.where: int(one.what.partition(" of ")[0].replace(",", "")) for one in found}
    assert counts == {dataset: len(stored(made, name, dataset).rows) for dataset in ("test", "train")}


def test_the_table_of_counts_is_printed(made):
    lines = list(alignment_lines(made.results))
    joins = [line.split() for line in lines if line.startswith("  alice: users (inner) ")]
    assert ["alice:", "users", "(inner)", "240", "34", "30", "201"] in joins
    assert not [line for line in lines if "warning" in line]
    quality = [" ".join(line.split()) for line in lines if line.startswith("  data of ")]
    parties = ("alice", "bob", "charlie", "bob")  # a table is the same for all datasets
    assert quality == [f"data of {name} nothing amiss" for name in parties]
    few = dataclasses.replace(made.results[1].joins[0], rows_with_partner=23)
    (warning,) = [
        line for line in alignment_lines([dataclasses.replace(made.results[1], joins=[few])]) if "warning" in line
    ]
    assert "23 of 240 rows find a partner in users of alice" in warning


def test_the_ledger_says_what_was_revealed_to_whom(made):
    def last(name):
        lines = (made.state_path(name) / "ledger.jsonl").read_text().splitlines()
        return next(
            line for line in map(json.loads, reversed(lines)) if line["purpose"] == "align" and line["releases"]
        )

    rows = sum(result.rows_in_common for result in made.results)
    entities = {peer: len(stored(made, peer).rows) for peer in PEERS}
    assert last("bob")["joins"] == {"alice": [USERS], "charlie": [FILMS]}
    assert last("bob")["releases"] == {
        "intersections": sum(entities.values()),
        "row_maps": 2 * rows,
        "data_quality": 2,
    }
    assert last("alice")["joins"] == {"bob": [USERS]}
    assert last("alice")["releases"] == {"intersections": entities["alice"], "data_quality": 1}


def permuted(organisations, name, file):
    frame = organisations.read_table(name, file)
    organisations.write_frame(name, file, frame.sample(frac=1.0, random_state=7))


def content(organisations, name, dataset="train"):
    """What a party's alignment says of the content of its rows, whatever their numbers."""
    alignment = stored(organisations, name, dataset)
    file = dataset if name == "bob" else alignment.table
    cells = organisations.read_table(name, file).iloc[alignment.rows].to_numpy().tolist()
    return cells, {peer: one.entity_of_row.tolist() for peer, one in alignment.maps.items()}


def test_order_of_files_and_another_alignment_change_nothing(made):
    """With the pinned secret: the same rows, entities and maps, whatever the order of any file."""
    before = {name: content(made, name) for name in made.names}
    former = stored(made, "bob").alignment_id
    with connect(made.run_path) as parties:
        assert all(result.reused for result in parties.align())
        for name, file in (("alice", USERS), ("charlie", FILMS), ("bob", "train")):
            permuted(made, name, file)
        assert not any(result.reused for result in parties.align())
    assert stored(made, "bob").alignment_id != former
    assert {name: content(made, name) for name in made.names} == before


def counted(frame):
    return sorted(frame["UserID"].value_counts().to_dict().items())


def test_what_a_peer_receives_depends_on_its_counts_alone(made):
    """Other labels, features and films, and the same number of rows for each user: the same map but for its order."""
    maps = []
    for seed in (11, 12):
        frame = made.read_table("bob", "train")
        users_of_rows = frame["UserID"].to_numpy()
        other = events(len(frame), seed=seed)
        other["UserID"] = np.random.default_rng(seed).permutation(users_of_rows)
        assert counted(other) == counted(frame)
        made.write_frame("bob", "train", other)
        with connect(made.run_path) as parties:
            parties.align()
        maps.append(stored(made, "alice").maps["alice"].entity_of_row)
    assert maps[0].tolist() != maps[1].tolist()
    assert sorted(maps[0]) == sorted(maps[1])


# What is refused


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_misaligned_map_never_trains(made, name):
    store = JoinedStore(made.state_path(name) / "alignments")
    with connect(made.run_path) as parties:
        parties.align()
        good = stored(made, name)
        numbers = good.maps["alice"].entity_of_row.copy()
        first, other = 0, int(np.flatnonzero(numbers != numbers[0])[0])
        numbers[[first, other]] = numbers[[other, first]]
        wrong_map = {**good.maps, "alice": dataclasses.replace(good.maps["alice"], entity_of_row=numbers)}
        rows = good.rows.copy()
        rows[[first, other]] = rows[[other, first]]
        for wrong in (dataclasses.replace(good, maps=wrong_map), dataclasses.replace(good, rows=rows)):
            store.save("train", wrong)
            with pytest.raises(AlignmentError, match="coordinator align --force"):
                parties.fit()
        store.save("train", good)
    for one in ("alice", "bob"):
        assert not list(made.state_path(one).glob("runs/*")), "a run began"


REFUSALS = [
    ("alice", {"data": {"transforms": ["strip"]}}, r"transformations of the keys differ.*\[strip\].*\[strip, lower\]"),
    (
        "charlie",
        {"id": "Title", "tables": {FILMS: films().drop_duplicates("Title")}},
        r"numbers of key columns differ.*1 columns.*2 columns",
    ),
    ("alice", {"tables": {"people": users()}}, r"the table is not known.*expected users.*\[people\]"),
    (
        "alice",
        {"tables": {USERS: users().assign(UserID=lambda frame: "x" + frame["UserID"].str.strip())}},
        "no key is in common",
    ),
]


@pytest.mark.parametrize(("name", "change", "pattern"), REFUSALS, ids=["transforms", "columns", "table", "keys"])
def test_joins_that_do_not_fit_are_refused_in_one_line(tmp_path, name, change, pattern):
    tmp_path.chmod(0o700)
    overrides = described(datasets=("train",))
    overrides[name] |= change
    with JoinedOrganisations(tmp_path, overrides) as organisations:
        organisations.start_servers()
        with (
            connect(organisations.write_run()) as parties,
            pytest.raises((HandshakeError, AlignmentError), match=pattern) as caught,
        ):
            parties.align()
        assert "\n" not in str(caught.value)
        assert not list(organisations.folder.glob("*/state/alignments/*.npz"))


def test_modes_that_differ_are_refused(tmp_path):
    tmp_path.chmod(0o700)
    overrides = described(datasets=("train",))
    overrides["alice"] = {"frames": {"train": users().assign(ID=lambda frame: frame["UserID"])}}
    with JoinedOrganisations(tmp_path, overrides) as organisations:
        organisations.start_servers()
        with connect(organisations.write_run()) as parties, pytest.raises(HandshakeError) as caught:
            parties.align()
    assert "the label party has joins in data.joins" in str(caught.value)
    assert "expected data.tables at alice; received data.datasets at alice" in str(caught.value)


def test_too_few_entities_are_refused_by_the_policy(tmp_path):
    tmp_path.chmod(0o700)
    overrides = described(datasets=("train",))
    overrides["charlie"]["policy"] = {"minimum_intersection": 13}
    with JoinedOrganisations(tmp_path, overrides) as organisations:
        organisations.start_servers()
        with (
            connect(organisations.write_run()) as parties,
            pytest.raises(PolicyError, match="minimum_intersection of party charlie"),
        ):
            parties.align()


def test_rows_without_ids_have_an_order_that_their_file_has_no_part_in(tmp_path):
    tmp_path.chmod(0o700)
    frame = pd.concat([events(60), events(60).head(9)])  # some rows stand twice
    with JoinedOrganisations(tmp_path, described(datasets=("train",), with_id=False, bob={"train": frame})) as made:
        made.start_servers()
        made.write_run()
        with connect(made.run_path) as parties:
            parties.align()
            before = {name: content(made, name) for name in made.names}
            permuted(made, "bob", "train")
            parties.align()
        # The id is not among the columns that are read: rows with the same keys and columns may change places.
        for cells, _ in before.values():
            assert cells
        assert {name: maps for name, (_, maps) in before.items()} == {
            name: content(made, name)[1] for name in made.names
        }

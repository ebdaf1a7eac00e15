"""`party check` of natural tables: many rows a user at bob, one row a user at alice, one row a film at charlie."""

import os

import pandas as pd
import pytest

from party.check import print_check
from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError, DataError
from party.runtime.column_keys import PassingColumnKeys, StoredColumnKeys
from party.runtime.tables import Tables
from tests.support.organisations import Organisations

USERS = pd.DataFrame({"UserID": ["u1", "u2", "u3"], "age": ["30", "40", "50"]})
FILMS = pd.DataFrame({"MovieID": [" A", "b"], "Year": ["1999", "2001"], "genre": ["war", "crime"]})
RATINGS = pd.DataFrame(
    {
        "user": ["u1", "u1", "u2", "", "u9", "u2"],
        "film": ["a", "B ", "a", "b", "c", ""],
        "year": ["1999", "2001", "1999", "2001", "1999", "2001"],
        "rating": ["5", "2", "5", "1", "4", "3"],
    }
)
JOINS = [
    {"peer": "alice", "key": "user", "table": "users"},
    {"peer": "charlie", "key": ["film", "year"], "table": "films", "kind": "left", "transforms": ["strip", "lower"]},
]
ALICE = {"tables": {"users": "users.csv"}, "id": "UserID", "features": [{"column": "age", "kind": "numeric"}]}
FEATURES = {
    "alice": ALICE["features"],
    "bob": [{"column": "film", "kind": "vocabulary"}],
    "charlie": [{"column": "genre", "kind": "vocabulary"}],
}


def natural(folder, joins=JOINS, users=USERS, **alice):
    """Three organisations; no dataset of bob has an id."""
    overrides = {
        "alice": {"frames": {}, "tables": {"users": users}, "id": "UserID", **alice},
        "bob": {"joins": joins, "policy": {"reveal_row_counts": ["alice", "charlie"]}},
        "charlie": {
            "frames": {},
            "tables": {"films": FILMS},
            "id": ["MovieID", "Year"],
            "data": {"transforms": ["strip", "lower"]},
        },
    }
    frames = {"alice": {}, "bob": {"train": RATINGS, "test": RATINGS.head(3)}, "charlie": {}}
    names = ("bob", "alice", "charlie")
    return Organisations(folder, names=names, features=FEATURES, frames=frames, overrides=overrides)


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path / "natural"


def test_check_prints_keys_of_joins_and_rows_of_tables(folder, capsys):
    organisations = natural(folder)
    print_check(organisations.party_path("bob"))
    bob = capsys.readouterr().out
    assert (
        "join with alice: key column user refers to its table users; inner: rows without a partner are dropped;" in bob
    )
    assert "alice learns how many rows each of its entities in common has here\n" in bob
    assert "join with charlie: key columns film, year after strip, lower refer to its table films; left:" in bob
    assert "charlie learns how many rows each of its entities in common has here, and how many have no partner\n" in bob
    assert "train: train.csv, 6 rows" in bob
    assert "train: join with alice: 3 distinct keys, 1 rows without a key" in bob
    assert "train: join with charlie: 3 distinct keys, 1 rows without a key" in bob
    assert "test: join with alice: 2 distinct keys, 0 rows without a key" in bob
    print_check(organisations.party_path("alice"))
    alice = capsys.readouterr().out
    assert "tables: key column UserID is unique, and rows of the label party refer to it" in alice
    assert "table users: users.csv, 3 rows" in alice


def test_check_warns_where_no_row_has_a_key(folder, capsys):
    organisations = natural(folder, [{**JOINS[0], "transforms": ["digits"]}, {**JOINS[1], "key": ["film", "none"]}])
    ratings = RATINGS.assign(user="anna", none="")
    for dataset in ("train", "test"):
        ratings.to_csv(organisations.party_path("bob").parent / f"{dataset}.csv", index=False)
    print_check(organisations.party_path("bob"))
    bob = capsys.readouterr().out
    for peer in ("alice", "charlie"):
        assert f"train: join with {peer}: 0 distinct keys, 6 rows without a key\n" in bob
        assert f"warning: train: no row has a key for {peer}: check the column, and transforms of the join\n" in bob


def test_both_sides_make_the_same_keys(folder):
    organisations = natural(folder)
    files = {}
    for name in organisations.names:
        files[name] = Tables(
            load_party_configuration(organisations.party_path(name)), lambda: PassingColumnKeys(os.urandom)
        )
    train, films = files["bob"].table("train"), files["charlie"].table("films")
    assert set(train.keys["charlie"].by_row()) & set(films.ids) == set(films.ids) == {"1:a4:1999", "1:b4:2001"}
    assert set(train.keys["alice"].by_row()) & set(files["alice"].table("users").ids) == {"u1", "u2"}
    assert (files["alice"].names, files["bob"].names) == (("users",), ("test", "train"))


def test_a_table_that_is_not_configured_names_where_it_is_asked_for(folder):
    organisations = natural(folder)
    tables = Tables(load_party_configuration(organisations.party_path("alice")), lambda: PassingColumnKeys(os.urandom))
    with pytest.raises(DataError) as caught:
        tables.table("people")
    message = str(caught.value)
    assert "alice: table people is not configured; expected users" in message
    assert message.endswith("add it to data.tables or correct the label party's data.joins")


def test_repeated_keys_of_a_table_are_counted(folder):
    organisations = natural(folder, users=pd.concat([USERS, USERS.head(2)]))
    with pytest.raises(
        DataError,
        match=r"table users: users\.csv: column UserID: keys are not unique.*received 2 keys.*leave one row",
    ):
        print_check(organisations.party_path("alice"))


def test_many_rows_a_user_are_refused_with_the_way_to_join_them(folder, capsys):
    """One file with `id, item, y` in which the id repeats: it says how to go on, and that works."""
    clicks = pd.DataFrame({"id": ["u1", "u1", "u2", "u2"], "item": ["a", "b", "a", "c"], "y": ["1", "0", "0", "1"]})
    features = {"alice": FEATURES["alice"], "bob": [{"column": "item", "kind": "vocabulary"}]}
    frames = {"alice": {"train": USERS.rename(columns={"UserID": "ID"})}, "bob": {"train": clicks}}
    label = {"labels": {"y": {"rule": "y == 1"}}}
    plain = Organisations(folder, features=features, frames=frames, overrides={"bob": {**label, "id": "id"}})
    with pytest.raises(DataError, match=r"ids are not unique.*join them by data\.joins at the label party"):
        print_check(plain.party_path("bob"))
    joins = [{"peer": "alice", "key": "id", "table": "users"}]
    plain.write_party(
        "bob", data={"datasets": {"train": "train.csv"}, "joins": joins, **label, "features": features["bob"]}
    )
    with pytest.raises(ConfigurationError, match=r"policy\.reveal_row_counts must name alice"):
        print_check(plain.party_path("bob"))
    data = {"datasets": {"train": "train.csv"}, "joins": joins, **label, "features": features["bob"]}
    plain.write_party("bob", data=data, policy={"reveal_row_counts": ["alice"]})
    capsys.readouterr()
    print_check(plain.party_path("bob"))
    assert "train: join with alice: 2 distinct keys, 0 rows without a key" in capsys.readouterr().out


def drawn_users(organisations, **data):
    """The table of alice as a process that starts has it, with draws that its state folder remembers."""
    organisations.write_party("alice", data={**ALICE, **data})
    configuration = load_party_configuration(organisations.party_path("alice"))
    configuration.path(configuration.state).mkdir(mode=0o700, exist_ok=True)
    return Tables(configuration, lambda: StoredColumnKeys(configuration, os.urandom, lambda secret: 0)).table("users")


def test_private_columns_are_drawn_for_each_key_of_a_table(folder):
    section = {"epsilon": 0.1, "columns": {"age": {"minimum": 0, "maximum": 100}}}
    many = pd.DataFrame({"UserID": [f"u{row}" for row in range(60)], "age": [str(row) for row in range(60)]})
    organisations = natural(folder, users=many, privacy={"columns": section}, pinned_secret=None)
    first = drawn_users(organisations)
    drawn = dict(zip(first.ids, first.columns["age"].by_row(), strict=True))
    assert len({*drawn.values()}) < len(drawn)
    organisations.write_frame("alice", "users", many.iloc[::-1])
    moved = drawn_users(organisations)
    assert dict(zip(moved.ids, moved.columns["age"].by_row(), strict=True)) == drawn
    # Other keys are other entities of the same people: their answers are counted anew.
    assert (first.generation, moved.generation) == (1, 1)
    assert drawn_users(organisations, transforms=["digits"]).generation == 2

"""Private columns of a party's files: one answer for an entity, generations on disk, and refusals that only count."""

import math
import os

import numpy as np
import pandas as pd
import pytest

from party.check import print_check
from party.configuration.party import load_party_configuration
from party.errors import DataError
from party.runtime.column_keys import StoredColumnKeys
from party.runtime.tables import Tables
from tests.support.columns import frame_of
from tests.support.organisations import Organisations

USERS, VISITS = 400, 5
CITIES = ["Ulm", "Köln", "Bonn", ""]
EPSILON = 1.0
PRIVATE = {
    "epsilon": EPSILON,
    "entity": "user",
    "public": ["shop"],
    "columns": {"city": {"values": CITIES}, "income": {"minimum": 0, "maximum": 6000, "missing": [""]}},
}
FEATURES = [
    {"column": "city", "kind": "vocabulary"},
    {"column": "income", "kind": "numeric"},
    {"column": "shop", "kind": "vocabulary"},
]
CANARY = "canary-7351"


def visits(dataset, seed):
    """One row a visit, of users who come to both datasets; a user's city and income are the same in every row."""
    generator = np.random.default_rng(1)
    people = pd.DataFrame(
        {
            "user": [f"user-{number}" for number in range(USERS)],
            "city": generator.choice(CITIES, USERS),
            "income": [str(value) for value in generator.integers(0, 6000, USERS)],
        }
    )
    people.loc[::40, "income"] = ""
    generator = np.random.default_rng(seed)
    rows = people.iloc[generator.integers(0, USERS, USERS * VISITS)].reset_index(drop=True)
    rows.insert(0, "ID", [f"{dataset}-{number}" for number in range(len(rows))])
    rows["shop"] = generator.choice(["north", "south"], len(rows))
    return rows


FRAMES = {"train": visits("train", 2), "test": visits("test", 3)}
LABELS = {
    name: frame[["ID"]].assign(film="a", genres="b", rating=np.where(np.arange(len(frame)) % 2, "5", "1"))
    for name, frame in FRAMES.items()
}


class Party:
    """A feature party with its own files and state folder."""

    def __init__(self, folder, charged=0, **privacy):
        features = {"alice": FEATURES, "bob": [{"column": "film", "kind": "vocabulary"}]}
        frames = {"alice": FRAMES, "bob": LABELS}
        overrides = {"alice": {"privacy": {"columns": {**PRIVATE, **privacy}}, "pinned_secret": None}}
        self.made = Organisations(folder, features=features, frames=frames, overrides=overrides)
        self.charged = charged

    def start(self):
        """The tables as a process that starts has them."""
        configuration = load_party_configuration(self.made.party_path("alice"))
        state = configuration.path(configuration.state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Tables(configuration, lambda: StoredColumnKeys(configuration, os.urandom, lambda secret: self.charged))

    def write(self, dataset, frame):
        self.made.write_frame("alice", dataset, frame)

    def change(self, **cells):
        """Other true cells of the first user, in all files."""
        for name, frame in FRAMES.items():
            changed = frame.copy()
            for column, cell in cells.items():
                changed.loc[changed["user"] == "user-0", column] = cell
            self.write(name, changed)

    @property
    def state_files(self):
        return [path for path in self.made.state_path("alice").rglob("*") if path.is_file()]


@pytest.fixture
def party(tmp_path):
    tmp_path.chmod(0o700)
    folder = tmp_path / "party"
    folder.mkdir(mode=0o700)
    return Party(folder)


def joined(tables):
    frames = [frame_of(tables.table(name).columns).assign(user=FRAMES[name]["user"]) for name in FRAMES]
    return pd.concat(frames, ignore_index=True)


def test_an_entity_has_one_answer_in_all_rows_datasets_and_starts(party):
    drawn = joined(party.start())
    for column in ("city", "income"):
        assert drawn.groupby("user")[column].nunique().max() == 1
    pd.testing.assert_frame_equal(joined(party.start()), drawn)
    true = pd.concat(FRAMES.values(), ignore_index=True)
    assert (drawn["shop"] == true["shop"]).all()
    assert not (drawn["city"] == true["city"]).all()
    changed = (
        drawn.drop_duplicates("user").set_index("user")["city"]
        != true.drop_duplicates("user").set_index("user")["city"]
    )
    kept = math.exp(EPSILON / 2) / (math.exp(EPSILON / 2) + len(CITIES) - 1)
    assert changed.mean() == pytest.approx(1 - kept, abs=4 * math.sqrt(kept * (1 - kept) / USERS))


def test_ids_rows_and_digests_are_those_of_the_file(party):
    table = party.start().table("train")
    assert list(table.ids) == list(FRAMES["train"]["ID"])
    assert table.generation == 1
    assert set(table.columns["income"].by_row()) <= {"0.0", "6000.0", ""}


def test_a_file_of_new_entities_leaves_the_others_as_they_are(party):
    before = joined(party.start())
    more = FRAMES["train"].tail(50).copy()
    more["ID"], more["user"] = "new-" + more["ID"], "new-" + more["user"]
    party.write("train", pd.concat([FRAMES["train"], more], ignore_index=True))
    table = party.start().table("train")
    assert table.generation == 1
    rows = len(FRAMES["train"])
    kept = frame_of(table.columns).head(rows)
    assert (kept["city"].to_numpy() == before["city"].to_numpy()[:rows]).all()


def test_a_known_entity_with_another_cell_begins_a_generation_for_all(party):
    before = joined(party.start())
    party.change(income="17")
    tables = party.start()
    assert {tables.table(name).generation for name in FRAMES} == {2}
    after = joined(tables)
    others = before["user"] != "user-0"
    share = (before["city"] == after["city"])[others].mean()
    assert share < 0.6  # drawn anew: independent answers agree by chance
    party.change()
    assert party.start().table("test").generation == 1, "the former cells have their former draws"


def test_a_change_is_seen_while_the_party_runs(party):
    tables = party.start()
    assert tables.table("train").generation == 1
    party.change(city="Bonn")
    assert tables.table("train").generation in (1, 2)
    assert tables.table("test").generation == tables.table("train").generation


@pytest.mark.parametrize(
    ("changes", "generation"),
    [
        ({"epsilon": 2.0, "columns": {"city": {"values": CITIES}}}, 1),
        ({"epsilon": 1.0, "columns": {"city": {"values": CITIES[::-1]}}}, 1),
        ({"epsilon": 1.0, "columns": {"city": {"values": [*CITIES, "Kiel"]}}}, 2),
        ({"epsilon": 1.0, "columns": {"city": {"values": CITIES}}, "entity": "ID"}, 2),
        ({"epsilon": 1.0, "columns": {"city": {"values": CITIES}, "shop": {"values": ["north", "south"]}}}, 2),
    ],
    ids=["epsilon", "order", "another value", "another entity", "another column"],
)
def test_draws_that_would_be_independent_are_another_generation(tmp_path, changes, generation):
    tmp_path.chmod(0o700)
    folder = tmp_path / "party"
    folder.mkdir(mode=0o700)
    public = ["income", "shop"]
    party = Party(folder, columns={"city": {"values": CITIES}}, public=public)
    assert party.start().table("train").generation == 1
    public = [name for name in public if name not in changes["columns"]]
    party.made.write_party("alice", privacy={"columns": {**PRIVATE, "public": public, **changes}})
    frame = FRAMES["train"]
    if "shop" in changes["columns"]:
        shops = frame.drop_duplicates("user").set_index("user")["shop"]
        for name, true in FRAMES.items():
            party.write(name, true.assign(shop=true["user"].map(shops).fillna("north")))
    assert party.start().table("train").generation == generation


def test_lost_files_do_not_begin_at_a_generation_that_was_charged(party):
    party.charged = 3
    assert party.start().table("train").generation == 4


def test_no_file_of_the_state_holds_a_cell_an_entity_or_a_drawn_cell(party):
    party.start().table("train")
    assert party.state_files
    content = b"".join(path.read_bytes() for path in party.state_files)
    for text in ("user-17", "Bonn", "Köln"):
        assert text.encode() not in content


def refused(party):
    with pytest.raises(DataError) as caught:
        party.start().table("test")
    for name in (CANARY, "user-0"):
        assert name not in str(caught.value)
        assert name not in caught.value.public_message
    assert "city" not in caught.value.public_message
    assert "received" not in caught.value.public_message
    return str(caught.value)


def test_a_cell_outside_of_its_domain_is_counted_and_not_repeated(party):
    count = int((FRAMES["train"]["user"] == "user-0").sum())
    party.change(city=CANARY)
    text = refused(party)
    assert "column city: cells lie outside of the declared domain" in text
    assert "rows with something else, 0 of them empty" in text
    assert f"received {count} rows" in text or "test.csv" in text


def test_rows_of_one_entity_that_differ_are_counted_across_datasets(party):
    frame = FRAMES["train"].copy()
    frame.loc[frame["user"].isin(["user-0", "user-1"]), "income"] = "4711"
    party.write("train", frame)  # the other file has their former income
    text = refused(party)
    assert "rows of one entity differ in income" in text
    assert "received 2 entities with several" in text
    assert "4711" not in text


def test_rows_without_an_entity_are_counted(party):
    frame = FRAMES["test"].copy()
    frame.loc[:3, "user"] = ""
    party.write("test", frame)
    assert "received 4 rows without one" in refused(party)


def test_a_check_says_what_epsilon_means_and_stores_nothing(party, capsys):
    print_check(party.made.party_path("alice"))
    printed = capsys.readouterr().out
    for text in (
        "epsilon 1 for all of one entity, 0.5 for each of 2; drawn once for each user",
        "at most 2.72 times: a question with two equally likely answers is answered right in at most 73 %",
        "disclosed in every mode",
        "public columns: shop",
        "25 %",
        "35 %",  # city stays true, one of four texts: e^.5 / (e^.5 + 3)
        "33 %",
        "45 %",  # income, two levels and missing: e^.5 / (e^.5 + 2)
    ):
        assert text in printed
    assert "readable" not in printed
    assert not any("privacy" in path.parts for path in party.state_files)


def test_a_column_that_the_penalty_cannot_use_is_found_at_start(party):
    for name, true in FRAMES.items():
        party.write(name, true.assign(note=[f"{CANARY} {number}" for number in range(len(true))]))
    privacy = {"columns": {**PRIVATE, "public": ["shop", "note"]}, "decorrelate": {"columns": ["note"]}}
    party.made.write_party("alice", privacy=privacy)
    for start in (party.start().read_all, lambda: print_check(party.made.party_path("alice"))):
        with pytest.raises(DataError, match="column note: has more than 64 distinct cells") as caught:
            start()
        assert CANARY not in str(caught.value)

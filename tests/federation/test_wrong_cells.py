"""A party whose data cannot be used does not start: one error names party, file and column, and no value."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.party import load_party_configuration
from party.errors import DataError
from party.transport.server import PartyServer
from tests.support.commands import expect_error, run_party
from tests.support.organisations import Organisations

ROWS = 6
FEATURES = [
    {"column": "device", "kind": "hash", "buckets": 10},
    {"column": "city", "kind": "vocabulary"},
    {"column": "age", "kind": "integer_buckets", "boundaries": [18, 65]},
    {"column": "income", "kind": "numeric"},
    {"column": "genres", "kind": "multi_hot", "separator": "|", "maximum_values": 3},
    {"column": "history", "kind": "sequence", "separator": " ", "maximum_length": 3, "target": "city"},
]
LABELS = {
    "liked": {"rule": "rating > 3"},
    "hours": {"kind": "regression", "column": "hours"},
    "genre": {"kind": "multi_class", "column": "genre", "classes": ["drama", "war"]},
}
FINE = {
    "ID": [f"id-{number}" for number in range(ROWS)],
    "device": ["tv", "phone", "", "tv", "tv", "web"],
    "city": ["Ulm", "Köln", "Bonn", "Ulm", "", "Bonn"],
    "age": ["17", "18", "", "65", "30", "-2"],
    "income": ["1.5", "-3", "", "1e3", "0", "7"],
    "genres": ["drama|war", "", "war", "drama|war|crime", "crime", "war"],
    "history": ["Ulm Bonn", "", "Köln", "Ulm Ulm Ulm Bonn", "Bonn", "Ulm"],
    "rating": ["5", "1", "4", "2", "5", "3"],
    "hours": ["0.5", "2", "1e1", "-3", "0", "7"],
    "genre": ["war", "drama", "war", "war", "drama", "drama"],
    "weight": ["1", "0.5", "2", "0", "1", "1"],
}
LETTERS = st.text("abcxyzÄ#_", min_size=3, max_size=8)
NO_NUMBER = LETTERS | st.sampled_from(["nan", "inf", "-inf", "1_000", "1.2.3", "0x1f", "1e999", "٣٤٥", "--5", "12 34"])
EMPTY = st.just("")
WRONG = {
    "ID": EMPTY | st.sampled_from(FINE["ID"][:2]),
    "age": NO_NUMBER | st.sampled_from(["1.25", "1e-3"]),
    "income": NO_NUMBER | st.just("-1e300"),
    "genres": st.lists(LETTERS, min_size=4, max_size=6, unique=True).map("|".join),
    "rating": NO_NUMBER | EMPTY,
    "hours": NO_NUMBER | EMPTY,
    "genre": LETTERS | EMPTY,
    "weight": NO_NUMBER | EMPTY | st.just("-0.75"),
}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    datasets = {"train": pd.DataFrame(FINE), "test": pd.DataFrame(FINE)}
    frames = {"alice": datasets, "bob": datasets}
    features = {"alice": [], "bob": FEATURES}
    with Organisations(tmp_path_factory.mktemp("wrong"), features=features, frames=frames) as made:
        made.write_party("bob", fuse={"kind": "mmoe"}, model={"kind": "dnn"}, data=_data(made))
        yield made


def _data(made):
    return {
        "id": "ID",
        "datasets": {dataset: str(made.table_path("bob", dataset)) for dataset in ("train", "test")},
        "features": FEATURES,
        "labels": LABELS,
        "sample_weight": "weight",
    }


def start(organisations):
    """Reads the data as a party does that starts; returns the rows of every dataset."""
    server = PartyServer(load_party_configuration(organisations.party_path("bob")))
    try:
        return {dataset: server.context.tables.table(dataset).rows for dataset in ("train", "test")}
    finally:
        server.stop()


def write(organisations, dataset, column, row, cell):
    cells = list(FINE[column])
    cells[row] = cell
    organisations.write_frame("bob", dataset, pd.DataFrame({**FINE, column: cells}))


@pytest.fixture
def restored(organisations):
    yield organisations
    for dataset in ("train", "test"):
        organisations.write_frame("bob", dataset, pd.DataFrame(FINE))


def test_the_data_is_fine_as_it_is(organisations):
    assert start(organisations) == {"train": ROWS, "test": ROWS}


def datasets_with(column):
    """Datasets whose files are read for a column: weights count only where they are trained with."""
    return ["train"] if column == "weight" else ["train", "test"]


@pytest.mark.parametrize("column", sorted(WRONG))
def test_a_malformed_cell_keeps_a_party_from_starting(organisations, column):
    @settings(max_examples=15, deadline=None)
    @given(st.sampled_from(datasets_with(column)), st.integers(2, ROWS - 1), WRONG[column])
    def holds(dataset, row, cell):
        try:
            write(organisations, dataset, column, row, cell)
            with pytest.raises(DataError) as caught:
                start(organisations)
        finally:
            organisations.write_frame("bob", dataset, pd.DataFrame(FINE))
        assert f"bob: {dataset}.csv: column {column}: " in str(caught.value)
        assert len(cell) < 3 or cell not in str(caught.value).replace(column, "")

    holds()


@pytest.mark.parametrize("column", [one["column"] for one in FEATURES])
def test_a_cell_of_any_kind_must_be_text(restored, column):
    path = restored.table_path("bob", "train")
    marked = pd.DataFrame({**FINE, column: [*FINE[column][:-1], "MARK"]})
    path.write_bytes(marked.to_csv(index=False).encode().replace(b"MARK", b"\xff\xfe"))
    with pytest.raises(DataError, match=rf"^bob: train\.csv: row {ROWS + 1} is not UTF-8"):
        start(restored)


@pytest.mark.parametrize("column", list(FINE))
def test_a_column_that_is_not_there_is_named(restored, column):
    dataset = datasets_with(column)[-1]
    restored.write_frame("bob", dataset, pd.DataFrame(FINE).drop(columns=column))
    with pytest.raises(DataError, match=rf"^bob: {dataset}\.csv: columns missing: {column}\b"):
        start(restored)


def test_a_file_that_is_not_trained_on_needs_no_weights(restored):
    restored.write_frame("bob", "test", pd.DataFrame(FINE).drop(columns="weight"))
    assert start(restored) == {"train": ROWS, "test": ROWS}


@pytest.mark.parametrize("column", [one["column"] for one in FEATURES])
def test_a_parquet_column_of_lists_or_of_lists_of_lists_is_named(restored, column):
    path = restored.folder / "lists.parquet"
    cell = [["a"], ["b"]] if column in ("genres", "history") else ["a", "b"]
    pd.DataFrame({**FINE, column: [cell] * ROWS}).to_parquet(path)
    data = {**_data(restored), "datasets": {"train": str(path)}}
    restored.write_party("bob", fuse={"kind": "mmoe"}, model={"kind": "dnn"}, data=data)
    with pytest.raises(DataError, match=rf"^bob: lists\.parquet: column {column}: holds lists"):
        start(restored)
    restored.write_party("bob", fuse={"kind": "mmoe"}, model={"kind": "dnn"}, data=_data(restored))


def test_the_command_says_it_in_one_line(restored):
    for command, dataset in (("check", "test"), ("serve", "train")):  # a party serves as long as one can be used
        write(restored, dataset, "age", 3, "Canary")
        line = expect_error(
            run_party(command, "--config", restored.party_path("bob")),
            3,
            "bob: test.csv: column age: malformed cells",
            "received 1 rows with something else",
            "data.features",
        )
        assert "Canary" not in line

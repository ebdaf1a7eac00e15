"""`party check` of columns as people bring them: it says what they are, and reads them by an option."""

import pandas as pd
import pytest

from party.check import print_check
from party.errors import ConfigurationError, DataError
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.column_ranges import load_with_columns
from party.runtime.tables import Tables
from tests.support.organisations import Organisations

COLUMNS = {
    "ts": ["2024-01-01 12:30:00", "2024-01-02 08:00:00", "2024-01-06 23:59:59"],
    "price": ["1.234,50", "99,90", "7,00"],
    "genres": ["['Action', 'Drama']", "['Drama', 'Action']", "[]"],
    "tags": ["2019010533:1;2019011092:3", "2019010533:7;2019010288:17", "2019010533:2"],
    "x1": ["1", "2", "3"],
    "x2": ["4", "5", "6"],
}
SAID = {
    "decimal comma": (
        {"column": "price", "kind": "numeric", "malformed": "missing"},
        "column price: all 3 cells are missing, so that feature price says nothing; 3 of 3 rows would be numbers with"
        ' decimal: "," and thousands: "."',
        {"column": "price", "kind": "numeric", "decimal": ",", "thousands": "."},
    ),
    "lists": (
        {"column": "genres", "kind": "multi_hot", "separator": ","},
        "column genres: 3 of 3 rows are lists as Python and JSON write them: set lists: true in place of separator",
        {"column": "genres", "kind": "multi_hot", "lists": True},
    ),
    "tags with values": (
        {"column": "tags", "kind": "multi_hot", "separator": ";"},
        'column tags: 3 of 3 rows look like tags with numbers: set value_separator: ":"',
        {"column": "tags", "kind": "multi_hot", "separator": ";", "value_separator": ":"},
    ),
}


def organisations(folder, *features):
    """Alice with these features, and her data; all rows of bob are clicks."""
    folder.chmod(0o700)
    ids = {"ID": ["r0", "r1", "r2"]}
    frames = {
        "alice": {"train": pd.DataFrame(ids | COLUMNS)},
        "bob": {"train": pd.DataFrame(ids | {"item": ["i0", "i1", "i2"], "rating": ["5", "5", "5"]})},
    }
    by_party = {"alice": list(features), "bob": [{"column": "item", "kind": "vocabulary"}]}
    return Organisations(folder / features[0]["kind"], features=by_party, frames=frames)


def printed(capsys, made, name="alice"):
    print_check(made.party_path(name))
    return capsys.readouterr().out


@pytest.mark.parametrize("case", SAID)
def test_a_column_is_said_and_then_read_by_an_option(tmp_path, capsys, caplog, case):
    as_it_was, said, option = SAID[case]
    made = organisations(tmp_path, as_it_was)
    assert f"warning: {said}" in printed(capsys, made).splitlines()
    Tables(load_with_columns(made.party_path("alice")), PassingColumnKeys).read_all()  # as `party serve` starts
    assert said in caplog.text
    (tmp_path / "option").mkdir()
    assert "warning: column" not in printed(capsys, organisations(tmp_path / "option", option))


def test_dates_have_a_kind_of_their_own(tmp_path, capsys):
    with pytest.raises(DataError, match="3 of 3 rows are dates or times in ISO 8601: there is kind: datetime"):
        print_check(organisations(tmp_path, {"column": "ts", "kind": "numeric"}).party_path("alice"))
    parts = {"parts": ["hour", "is_weekend", "age_days"], "reference": "2024-06-01"}
    out = printed(capsys, organisations(tmp_path, {"column": "ts", "kind": "datetime", **parts}))
    assert all(f"ts_{part}" in out for part in parts["parts"])


def test_columns_of_a_pattern_are_listed(tmp_path, capsys):
    made = organisations(tmp_path, {"columns": "x*", "kind": "numeric"})
    out = printed(capsys, made)
    assert "columns by number: 1 x1, 2 x2\n" in out
    assert "columns x* of data.features are 2 columns: x1, x2; ids, labels" in out
    bob = printed(capsys, made, "bob")  # whose rows are clicks alone
    assert "one class only: not to be trained on; check the label's rule; if the file lists only what happened" in bob


def test_clicks_alone_get_negatives_by_an_option(tmp_path, capsys):
    """The check of a file of clicks names the option, says what is missing beside it, and then counts."""
    made = organisations(tmp_path, {"columns": "x*", "kind": "numeric"})
    assert "items that data.negatives samples for each row" in printed(capsys, made, "bob")
    data = {
        "id": "ID",
        "datasets": {"train": "train.csv"},
        "labels": {"liked": {"rule": "rating > 3"}},
        "features": [{"column": "item", "kind": "vocabulary"}],
        "negatives": {"per_positive": 2, "user": "ID", "item": "item"},
    }
    made.write_party("bob", data=data)
    with pytest.raises(ConfigurationError, match=r"data\.negatives needs data\.joins.*may be the id of the rows"):
        print_check(made.party_path("bob"))
    data["joins"] = [{"peer": "alice", "key": "ID", "table": "clicks"}]
    made.write_party("bob", data=data, policy={"reveal_row_counts": ["alice"]})
    out = printed(capsys, made, "bob").splitlines()
    assert "train: 3 rows of the file, 3 of them positive, and 6 sampled negatives, 2 for each positive" in out
    assert "label liked, rating > 3: 33.3 % positive" in out
    assert "train: join with alice: 3 distinct keys, 0 rows without a key" in out

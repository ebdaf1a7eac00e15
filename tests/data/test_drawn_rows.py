"""Datasets that list only what happened, and the negatives that are added to them."""

import numpy as np
import pandas as pd
import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.data.drawn_rows import negative_lines, with_negatives
from party.data.labels import read_labels
from party.data.negative_cells import negative_cell
from party.data.row_order import secret_row_order
from party.data.store.column_stores import ColumnStores
from party.data.table import read_table
from party.errors import ConfigurationError, DataError
from party.runtime.tables import file_rules
from tests.support.configuration_cases import label_party

SECRET = bytes(range(32))
NEGATIVES = {"per_positive": 3, "user": "user", "item": "film", "columns": ["title", "price"]}
JOINS = [
    {"peer": "shop", "key": "user", "table": "users"},
    {"peer": "films", "key": ["film", "title"], "table": "films"},
]
LABELS = {"clicked": {"rule": "clicked == 1"}}
FILM = np.array([0.35, 0.25, 0.2, 0.1, 0.1])


def configuration(labels=LABELS, negatives=(), **data):
    content = label_party()
    content["peers"].append({**content["peers"][0], "name": "films"})
    content["policy"] |= {"reveal_row_counts": ["shop", "films"], "peer_sets": None}
    content["fuse"] = {"kind": "dnn"}
    content["data"] |= {
        "id": "event",
        "datasets": {"train": "train.csv", "test": "test.csv", "ranked": "ranked.csv"},
        "joins": JOINS,
        "labels": labels,
        "features": [{"column": name, "kind": "vocabulary"} for name in ("title", "hour")],
        "negatives": {**NEGATIVES, **dict(negatives)},
        "unlabelled": [],
        "sample_weight": None,
        **data,
    }
    return validate(PartyConfiguration, content, "bank.yaml")


def clicks(rows=60, seed=1):
    generator = np.random.default_rng(seed)
    film = generator.choice(5, rows, p=FILM)
    return pd.DataFrame(
        {
            "event": [f"e{row:04}" for row in range(rows)],
            "user": [f"u{one}" for one in generator.integers(0, 12, rows)],
            "film": [f"f{one}" for one in film],
            "title": [f"film {one}" for one in film],
            "price": [f"{one}.{1 + row % 7}" for row, one in enumerate(film)],
            "hour": [str(one) for one in generator.integers(0, 24, rows)],
            "clicked": "1",
        }
    )


def read(folder, frame, made=None, dataset="train", stores=None):
    """The dataset without its negatives."""
    made = made or configuration()
    path = folder / f"{dataset}.csv"
    frame.to_csv(path, index=False)
    columns = made.columns(dataset)
    return read_table("bank", dataset, path, columns=columns, rules=file_rules(made), stores=stores)


def extended(folder, frame, made=None, secret=SECRET, **arguments):
    made = made or configuration()
    table = read(folder, frame, made, **arguments)
    return with_negatives("bank", made.data, made.negatives(table.dataset), table=table, secret=secret)


def frame_of(table):
    return pd.DataFrame({name: table.columns[name].by_row() for name in sorted(table.columns)})


def test_a_negative_is_its_positive_with_the_item_of_another_row(tmp_path):
    clicked = clicks()
    table = extended(tmp_path, clicked)
    rows, drawn = frame_of(table), table.negatives.drawn
    assert len(rows) == len(clicked) + drawn
    assert table.negatives.positives == len(clicked)
    assert drawn + table.negatives.left_out == 3 * len(clicked)
    pd.testing.assert_frame_equal(
        rows.iloc[: len(clicked)].reset_index(drop=True), clicked[rows.columns], check_dtype=False
    )
    origin = clicked.iloc[table.negatives.origin[len(clicked) :]].reset_index(drop=True)
    after = rows.iloc[len(clicked) :].reset_index(drop=True)
    assert (after[["user", "hour"]] == origin[["user", "hour"]]).all(axis=None)
    assert (after["clicked"] == "0").all()
    together = {tuple(one) for one in clicked[["film", "title", "price"]].to_numpy()}
    assert {tuple(one) for one in after[["film", "title", "price"]].to_numpy()} <= together
    pairs = {tuple(one) for one in clicked[["user", "film"]].to_numpy()}
    assert not {tuple(one) for one in after[["user", "film"]].to_numpy()} & pairs
    assert table.keys["shop"].by_row().tolist() == rows["user"].tolist()
    assert table.keys["films"].by_row().tolist() == [f"2:{one}6:film {one[1]}" for one in rows["film"]]
    assert table.ids.tolist()[len(clicked) :] == origin["event"].tolist()
    numbers = np.arange(table.rows)
    assert table.numbers_in_file(numbers[len(clicked) :]).tolist() == [int(one[1:]) for one in origin["event"]]
    labels = read_labels("bank", configuration().data, table.columns, "train.csv").values[:, 0]
    assert labels.tolist() == table.negatives.in_file(numbers).astype(float).tolist()


def test_draws_depend_on_the_secret_the_dataset_and_its_file_alone(tmp_path):
    clicked = clicks()
    first = extended(tmp_path, clicked)
    assert extended(tmp_path, clicked).rows_sha256 == first.rows_sha256 != first.sha256
    stored = extended(tmp_path, clicked, stores=ColumnStores(tmp_path / "columns", from_bytes=1))
    again = extended(tmp_path, clicked, stores=ColumnStores(tmp_path / "columns", from_bytes=1))
    for table in (stored, again):
        assert table.rows_sha256 == first.rows_sha256
        pd.testing.assert_frame_equal(frame_of(table), frame_of(first))
    others = [
        extended(tmp_path, clicked, secret=bytes(32)),
        extended(tmp_path, clicked, dataset="test"),
        extended(tmp_path, clicked, configuration(negatives={"draw": "uniform"})),
        extended(tmp_path, clicked.iloc[::-1]),
    ]
    drawn = {tuple(one.negatives.item_origin) for one in [first, *others]}
    assert len(drawn) == len({one.rows_sha256 for one in [first, *others]}) == 5


def test_peers_see_drawn_rows_among_the_others_in_no_place_of_their_own(tmp_path):
    """An attacker who takes the first half of the rows for those of the file is right as often as by chance."""
    for with_ids in (True, False):
        made = configuration(**({} if with_ids else {"id": None}))
        table = extended(tmp_path, clicks(600), made)
        in_file = table.negatives.in_file(secret_row_order(table, SECRET))
        half = len(in_file) // 2
        shares = in_file[:half].mean(), in_file[half:].mean()
        assert abs(shares[0] - shares[1]) < 4 * np.sqrt(in_file.var() / half) * np.sqrt(2)
        runs = 1 + np.count_nonzero(np.diff(in_file.astype(int)))
        expected = 1 + 2 * len(in_file) * in_file.mean() * (1 - in_file.mean())
        assert abs(runs / expected - 1) < 0.1, "nor do they come together"


def test_rows_of_an_entity_tell_labels_where_a_file_has_negatives_so_that_it_is_refused(tmp_path):
    """The partner with the users divides by 1 + per_positive: with these counts it reads every label."""
    mixed = clicks(40).drop_duplicates("user").assign(film=["f0", "f1"] * 6)
    mixed["clicked"] = ["1", "0"] * 6
    counts = extended(tmp_path, mixed, configuration(negatives={"beside_negatives": True})).keys["shop"].by_row()
    seen = pd.Series(counts).value_counts()
    guessed = [int(seen[user] > 1) for user in mixed["user"]]
    assert guessed == mixed["clicked"].astype(int).tolist()
    with pytest.raises(DataError) as refused:
        extended(tmp_path, mixed)
    assert "received 6 of 12 rows that are not positive" in str(refused.value)
    assert "data.negatives.datasets" in str(refused.value)
    assert refused.value.public_message == "a dataset that is to get negatives has some already"


def test_items_without_a_free_user_are_left_out_and_counted(tmp_path):
    all_films = clicks(5).assign(user="u1", film=[f"f{one}" for one in range(5)])
    table = extended(tmp_path, all_films)
    assert (table.negatives.drawn, table.negatives.left_out, table.rows) == (0, 15, 5)
    (line,) = negative_lines(table)
    assert line == (
        "train: 5 rows of the file, 5 of them positive, and 0 sampled negatives, 3 for each positive; 15 left out, as"
        " their users have positive rows with what was drawn"
    )
    assert not list(negative_lines(read(tmp_path, all_films)))


def test_more_rows_than_allowed_and_no_item_are_refused(tmp_path):
    clicked = clicks(30)
    with pytest.raises(DataError, match=r"at most 100 \(data\.maximum_rows\); received 120"):
        extended(tmp_path, clicked, configuration(maximum_rows=100))
    with pytest.raises(DataError, match=r"no row has an item to draw"):
        extended(tmp_path, clicked.assign(film=""))


@pytest.mark.parametrize("operator", ["==", "!=", ">", ">=", "<", "<="])
@pytest.mark.parametrize("value", ["1", "0", "4.6", "-3", "1e30", "2019", "'a'", "''", "0.1"])
def test_the_cell_of_a_negative_is_negative_by_every_rule(tmp_path, operator, value):
    if operator not in ("==", "!=") and value.startswith("'"):
        return  # an order of texts is refused
    labels = {"clicked": {"rule": f"clicked {operator} {value}"}}
    made = configuration(labels)
    cell = negative_cell("bank", made.data, "clicked")
    frame = clicks(4).assign(clicked=cell)
    values = read_labels("bank", made.data, read(tmp_path, frame, made).columns, "train.csv").values
    assert (values == 0).all()


def test_labels_of_one_column_share_a_negative_cell_or_are_refused():
    shared = {"clicked": {"rule": "stars > 0"}, "liked": {"rule": "stars > 3"}}
    assert negative_cell("bank", configuration(shared).data, "stars") == "0"
    beyond = {"low": {"rule": "stars < 3"}, "high": {"rule": "stars > 3"}}
    assert negative_cell("bank", configuration(beyond).data, "stars") == "3"
    excluding = {"low": {"rule": "stars <= 3"}, "high": {"rule": "stars > 3"}}
    with pytest.raises(ConfigurationError, match="no cell of column stars makes all of its labels negative: low, high"):
        negative_cell("bank", configuration(excluding).data, "stars")


def test_a_row_with_any_positive_label_gets_negatives_that_have_none(tmp_path):
    labels = {"clicked": {"rule": "clicked == 1"}, "liked": {"rule": "stars > 3"}}
    frame = clicks(20).assign(stars=["5", "1"] * 10)
    made = configuration(labels)
    table = extended(tmp_path, frame, made)
    values = read_labels("bank", made.data, table.columns, "train.csv").values
    assert table.negatives.positives == 20
    assert values[:20].tolist() == [[1.0, 1.0], [1.0, 0.0]] * 10
    assert not values[20:].any()

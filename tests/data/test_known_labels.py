"""Rows whose label is not known yet, and the files of a party in which some have none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.data.known_labels import without_unlabelled_rows
from party.data.labels import read_labels
from party.data.table import Table
from party.errors import DataError
from party.runtime.tables import Tables
from tests.support.columns import columns_of
from tests.support.configuration_cases import label_party

LABELS = {"liked": {"rule": "r > 3"}, "price": {"kind": "regression", "column": "n"}}
CELLS = {"r": ["5", "", "1", "4"], "n": ["1.5", "2", "", "0"]}


def data_section(**changes):
    data = {**label_party()["data"], "labels": LABELS, "fuse": {"kind": "dnn"}, "unlabelled_rows": "drop", **changes}
    data.pop("fuse")
    return validate(PartyConfiguration, {**label_party(), "fuse": {"kind": "dnn"}, "data": data}, "x").data


def table(cells):
    frame = pd.DataFrame(cells, dtype="str")
    ids = pd.Index([f"id{number}" for number in range(len(frame))])
    return Table(dataset="train", path=Path("train.csv"), ids=ids, columns=columns_of(frame), sha256="ab" * 32)


def test_rows_with_every_label_are_left_of_a_table_that_is_trained_on():
    kept = without_unlabelled_rows("bank", data_section(), table(CELLS))
    assert list(kept.known_ids) == ["id0", "id3"]
    assert (kept.left_out, kept.rows) == (2, 2)
    assert kept.numbers_in_file(np.array([1, 0])).tolist() == [3, 0]
    assert kept.rows_sha256 != kept.sha256
    whole = table({name: ["5"] for name in CELLS})
    assert without_unlabelled_rows("bank", data_section(), whole) is whole
    assert whole.rows_sha256 == whole.sha256


def test_elsewhere_they_have_no_label():
    values = read_labels("bank", data_section(), table(CELLS).columns, "test.csv", weighted=False).values
    assert np.isnan(values).all(axis=1).tolist() == [False, True, True, False]
    assert values[[0, 3]].tolist() == [[1.0, 1.5], [1.0, 0.0]]


def test_without_the_key_they_are_counted_and_the_key_is_named():
    with pytest.raises(DataError) as caught:
        read_labels("bank", data_section(unlabelled_rows="refuse"), table(CELLS).columns, "train.csv")
    assert "1 rows without one" in str(caught.value)
    assert "set data.unlabelled_rows: drop" in str(caught.value)


def test_a_malformed_label_is_none_that_is_still_to_come():
    cells = {**CELLS, "r": ["5", "", "1", "many"]}
    with pytest.raises(DataError, match="1 rows without one"):
        read_labels("bank", data_section(), table(cells).columns, "train.csv")


def test_a_rule_about_the_empty_text_takes_it_for_a_label():
    labels = {"cancelled": {"rule": "r != ''"}}
    values = read_labels("bank", data_section(labels=labels), table(CELLS).columns, "train.csv", weighted=False).values
    assert values[:, 0].tolist() == [1.0, 0.0, 1.0, 1.0]


def test_rows_of_which_none_has_a_label_are_not_to_be_trained_on():
    with pytest.raises(DataError, match="no row has a label to train on"):
        without_unlabelled_rows("bank", data_section(), table({"r": ["", "1"], "n": ["1", ""]}))


def test_a_column_of_weights_is_needed_where_rows_are_trained_on(tmp_path):
    content = label_party()
    data = {"id": "id", "datasets": {"train": "train.csv", "test": "test.csv"}, "labels": {"liked": LABELS["liked"]}}
    content |= {"data": {**data, "sample_weight": "w"}, "folder": tmp_path}
    content.pop("model", None)
    (tmp_path / "train.csv").write_text("id,r,w\na,5,1\nb,1,2\n")
    (tmp_path / "test.csv").write_text("id,r\na,5\nb,1\n")
    tables = Tables(validate(PartyConfiguration, content, "x"), lambda: None)
    tables.read_all()
    assert tables.table("train").columns["w"].by_row().tolist() == ["1", "2"]
    (tmp_path / "train.csv").write_text("id,r\na,5\nb,1\nc,1\n")
    tables.read_all()
    assert tables.usable_names == ("test",)
    with pytest.raises(DataError, match=r"columns missing: w; .*check data\.sample_weight$"):
        tables.table("train")

"""The same value is the same to a model, a label and a partner, in whichever file it stands."""

import datetime
import json
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from party.audit.truth import read_truth
from party.check import print_check
from party.checked import MERGED
from party.configuration.party import load_party_configuration
from party.data.encoders import encoders_from_json, fit_encoders
from party.data.labels import read_labels
from party.errors import ConfigurationError, DataError, StorageError
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.tables import Tables
from tests.support.columns import columns_of
from tests.support.organisations import Organisations

CANARY = "Canary7f3a"
IDS = {"id": ["r1", "r2", "r3", "r4"]}


def write(path, columns):
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        table.to_pandas().to_csv(path, index=False)


def party(folder, *, files, features=(), labels=None, **sections):
    """A party's configuration with the files `{dataset: (name, columns)}`, and its tables."""
    for name, columns in files.values():
        write(folder / name, columns)
    holds_labels = labels is not None
    one = {"name": "partner", "ca": "ca.pem"}
    data = {"id": "id", "datasets": {dataset: name for dataset, (name, _) in files.items()}, "features": list(features)}
    content = {
        "party": "bob",
        "listen": "127.0.0.1:0",
        "label_party": "bob" if holds_labels else "partner",
        "peers": [one],
        "coordinators": [{"name": "coordinator", "ca": "ca.pem"}],
        "tls": {"certificate": "c.pem", "key": "k.pem"},
        "state": "state",
        "data": {**data, **({"labels": labels} if holds_labels else {}), **sections.pop("data", {})},
        **sections,
    }
    path = folder / "bob.yaml"
    path.write_text(json.dumps(content))  # as YAML, with every text in quotes
    configuration = load_party_configuration(path)
    return configuration, Tables(configuration, lambda: PassingColumnKeys(bytes))


def encoded(made, fitted="train", other="test"):
    """The indices of every feature in two datasets, with encoders fitted on one."""
    configuration, tables = made
    encoders = fit_encoders("bob", configuration.data.features, tables.table(fitted).columns, "train")
    return [
        {one.name: one.indices.tolist() for one in encoders.encode(tables.table(name).columns, name)}
        for name in (fitted, other)
    ]


def labels_of(made, dataset="train"):
    configuration, tables = made
    return read_labels("bob", configuration.data, tables.table(dataset).columns, "file").values.T.tolist()


KINDS = [
    {"kind": "vocabulary"},
    {"kind": "vocabulary", "values": ["5.0", "3", "1e0"], "name": "given"},
    {"kind": "hash", "buckets": 1000, "name": "hashed"},
    {"kind": "integer_buckets", "boundaries": [2, 4], "name": "buckets"},
    {"kind": "numeric", "name": "number", "missing": ["-1.0"]},
    {"kind": "multi_hot", "separator": "|", "name": "set"},
    {"kind": "sequence", "separator": ",", "maximum_length": 2, "name": "history"},
]


@pytest.mark.parametrize("name", ["test.csv", "test.parquet"])
@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, 5, None, -1]),
        pa.array([3, 5, None, -1], pa.float32()),
        pa.array(["3.0", "5e0", "", "-1.00"]),
        pa.array(["3", "5", "", "-1"]).dictionary_encode(),
    ],
    ids=lambda one: str(one.type),
)
def test_whole_numbers_that_became_floats_in_one_file(tmp_path, name, column):
    features = [{"column": "segment", **kind} for kind in KINDS]
    files = {
        "train": ("train.csv", {**IDS, "segment": [3.0, 5.0, None, -1.0]}),
        "test": (name, {**IDS, "segment": column}),
    }
    train, test = encoded(party(tmp_path, files=files, features=features))
    assert train == test
    assert train["given"] == [[3], [2], [0], [1]]
    assert (train["buckets"], train["set"]) == ([[2], [3], [0], [1]], [[3], [4], [0], [2]])


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 3), pa.string()], ids=str)
@pytest.mark.parametrize("name", ["train.csv", "train.parquet"])
def test_a_threshold_means_the_same_in_every_type(tmp_path, kind, name):
    texts = pa.array(["3.9", "4.6", "4.60", "4.7"])
    column = (
        pa.array(texts.cast(pa.float64()).to_numpy().astype(np.float16)) if kind == pa.float16() else texts.cast(kind)
    )
    labels = {
        "good": {"rule": "rating >= 4.6"},
        "same": {"rule": "rating == 4.600"},
        "quoted": {"rule": "rating != '46e-1'"},
        "named": {"kind": "multi_class", "column": "rating", "classes": ["4.70", "4.6", "39e-1"]},
    }
    made = party(tmp_path, files={"train": (name, {**IDS, "rating": column})}, labels=labels)
    assert labels_of(made) == [[0, 1, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1], [2, 1, 1, 0]]


@pytest.mark.parametrize(
    "column", [pa.array([True, False, True, False]), pa.array(["True", "FALSE", "true", "0"])], ids=str
)
def test_rules_compare_booleans_and_weights_know_their_class(tmp_path, column):
    weights = {"1.0": 3.0}
    labels = {
        "named": {"rule": "clicked == true"},
        "number": {"rule": "clicked == 1"},
        "quoted": {"rule": "clicked != 'False'"},
        "classes": {"kind": "multi_class", "column": "clicked", "classes": ["false", "true"], "class_weights": weights},
    }
    configuration, tables = party(tmp_path, files={"train": ("t.parquet", {**IDS, "clicked": column})}, labels=labels)
    read = read_labels("bob", configuration.data, tables.table("train").columns, "t")
    assert read.values.T.tolist() == [[1, 0, 1, 0]] * 4
    assert read.weights[:, 3].tolist() == [3, 1, 3, 1]


def test_dates_are_one_value_in_any_notation(tmp_path):
    days = [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, 12, 30)]
    files = {
        "train": ("train.csv", {"id": ["a", "b"], "day": ["2024-01-01T00:00:00.000", "2024-01-01 12:30"]}),
        "test": ("test.parquet", {"id": ["a", "b"], "day": pa.array(days, pa.timestamp("ns"))}),
    }
    train, test = encoded(party(tmp_path, files=files, features=[{"column": "day", "kind": "vocabulary"}]))
    assert train == test == {"day": [[2], [3]]}


# Lists


LIST_KINDS = [
    {"column": "hist", "kind": "sequence", "maximum_length": 3},
    {"column": "hist", "kind": "multi_hot", "name": "set", "missing": ["9.0"]},
]


@pytest.mark.parametrize("make", [pa.list_, pa.large_list, pa.list_view], ids=["list", "large", "view"])
def test_a_list_is_what_a_text_with_a_separator_is(tmp_path, make):
    rows = [["7", "a b", "a|b"], ["1", None, "7"], [], ["9"]]
    files = {
        "train": ("train.parquet", {**IDS, "hist": pa.array(rows, make(pa.string()))}),
        "test": ("test.csv", {**IDS, "hist": ["7.0;a b;a|b", "1;;7e0", "", "9.00"]}),
    }
    separated = [{**kind, "separator": ";"} for kind in LIST_KINDS]
    train, test = encoded(party(tmp_path, files=files, features=separated))
    assert train == test
    assert train["set"] == [[3, 4, 5], [2, 3, 0], [0, 0, 0], [0, 0, 0]]


def test_lists_of_numbers_need_no_separator_and_texts_do(tmp_path):
    files = {
        "train": ("train.parquet", {**IDS, "hist": pa.array([[7.0, None, 1.5], None, [2.0], [float("nan")]])}),
        "test": ("test.parquet", {**IDS, "hist": pa.array([[1], [7], [2, 7], []])}),
        "text": ("text.csv", {**IDS, "hist": ["7 1", "2", "", CANARY]}),
    }
    made = party(tmp_path, files=files, features=LIST_KINDS)
    train, test = encoded(made)
    assert train["hist"] == [[0, 4, 2], [0, 0, 0], [0, 0, 3], [0, 0, 0]]
    assert test["hist"] == [[0, 0, 1], [0, 0, 4], [0, 3, 4], [0, 0, 0]]
    with pytest.raises(
        DataError, match=r"text: column hist: .*3 rows with texts; set separator for feature hist"
    ) as told:
        encoded(made, other="text")
    assert CANARY not in str(told.value)


@pytest.mark.parametrize(
    ("others", "sections"),
    [
        ([{"column": "hist", "kind": "vocabulary", "name": "whole"}], {}),
        ([], {"meters": {"columns": ["hist"]}}),
        ([], {"privacy": {"decorrelate": {"columns": ["hist"]}}}),
    ],
)
def test_lists_are_refused_where_a_cell_is_one_value(tmp_path, others, sections):
    files = {"train": ("train.parquet", {**IDS, "hist": pa.array([["a"]] * 4)})}
    made = party(tmp_path, files=files, features=[LIST_KINDS[0], *others], **sections)
    with pytest.raises(DataError, match=r"bob: train\.parquet: column hist: holds lists"):
        made[1].read_all()


@pytest.mark.parametrize("kind", ["struct", "bytes", "nested"])
def test_what_has_no_text_is_refused_by_file_and_column(tmp_path, kind):
    column = {"struct": [{CANARY: 1}], "bytes": [CANARY.encode()], "nested": [[[CANARY]]]}[kind]
    files = {"train": ("train.parquet", {"id": ["a"], "hist": column})}
    with pytest.raises(DataError, match=r"bob: train\.parquet: column hist: holds .*; received ") as told:
        party(tmp_path, files=files, features=LIST_KINDS[:1])[1].read_all()
    assert told.value.exit_code == 3


# UUIDs


def test_uuids_are_ids_and_features(tmp_path):
    ids = [uuid.UUID(int=number << 90) for number in (3, 1, 2)]
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes for one in ids], pa.binary(16)))
    files = {
        "train": ("train.parquet", {"id": column, "device": column}),
        "test": ("test.csv", {"id": [str(one).upper() for one in ids], "device": [str(one) for one in ids]}),
    }
    made = party(tmp_path, files=files, features=[{"column": "device", "kind": "vocabulary"}])
    train, test = encoded(made)
    assert train == test == {"device": [[4], [2], [3]]}
    assert [made[1].table(name).ids.tolist() for name in files] == [[str(one) for one in ids]] * 2


def test_sixteen_bytes_that_are_not_said_to_be_a_uuid_are_refused(tmp_path):
    files = {"train": ("train.parquet", {"id": pa.array([b"0" * 16], pa.binary(16)), "x": ["a"]})}
    with pytest.raises(DataError, match=r"train\.parquet: column id: .*logical type UUID"):
        party(tmp_path, files=files, features=[{"column": "x", "kind": "vocabulary"}])[1].read_all()


# Exact texts

VERSION = {"column": "version", "kind": "vocabulary"}


def test_exact_texts_stay_apart(tmp_path):
    columns = {**IDS, "version": ["1.1", "1.10", "1.100", "2"]}
    files = {"train": ("train.csv", columns), "test": ("test.parquet", columns)}
    features = [
        {**VERSION, "exact": True, "values": ["1.10", "1.1"], "missing": ["2"]},
        {"column": "version", "kind": "hash", "buckets": 10**6, "name": "hashed", "exact": True, "missing": ["2.0"]},
        {"column": "version", "kind": "numeric", "name": "number", "missing": ["2.0"]},
    ]
    files["train"] = ("train.parquet", columns)  # pandas would write 1.1 for a column of floats
    made = party(tmp_path, files=files, features=features)
    train, test = encoded(made)
    assert train == test
    assert train["version"] == [[3], [2], [1], [0]]
    assert len({*map(tuple, train["hashed"])}) == 4
    configuration, tables = made
    encoders = fit_encoders("bob", configuration.data.features, tables.table("train").columns, "train")
    number = encoders.encode(tables.table("train").columns, "train")[2]
    assert number.values[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0]  # one value, and a missing one


@pytest.mark.parametrize(
    ("features", "text"),
    [
        ([{"column": "a", "kind": "numeric", "exact": True}], "exact: is for texts"),
        ([{"column": "a", "kind": "integer_buckets", "boundaries": [1], "exact": True}], "exact: is for texts"),
        ([VERSION, {**VERSION, "name": "other", "exact": True}], "features of column version differ in exact"),
        (
            [VERSION, {"column": "b", "kind": "sequence", "maximum_length": 2, "target": "version", "exact": True}],
            "feature b: exact must be as for its target version",
        ),
    ],
)
def test_settings_that_contradict_are_refused(tmp_path, features, text):
    with pytest.raises(ConfigurationError, match=text):
        party(tmp_path, files={"train": ("t.csv", IDS)}, features=features)


@pytest.mark.parametrize(
    "labels", [{"classes": ["1", "1.0"]}, {"classes": ["0", "1"], "class_weights": {"1": 2.0, "1.0": 3.0}}]
)
def test_a_class_is_named_once(tmp_path, labels):
    with pytest.raises(ConfigurationError, match="class"):
        party(tmp_path, files={"train": ("t.csv", IDS)}, labels={"y": {"kind": "multi_class", "column": "y", **labels}})


# Private columns, audits


def test_a_private_column_is_declared_in_any_notation_once(tmp_path):
    files = {"train": ("train.csv", {**IDS, "level": [1.0, 2.0, None, 7.0]})}
    domain = {"values": ["1", "2.00", ""], "other": "9.0"}
    section = {"columns": {"epsilon": 16.0, "columns": {"level": domain}}}
    features = [{"column": "level", "kind": "vocabulary", "values": ["1", "2", "9"]}]
    made = party(tmp_path, files=files, features=features, privacy=section)
    assert set(made[1].table("train").columns["level"].by_row()) <= {"1", "2", "9", ""}
    domain["values"].append("1.0")
    with pytest.raises(ConfigurationError, match="level names one value in several notations"):
        party(tmp_path, files=files, features=features, privacy=section)


def test_secrets_of_an_audit_compare_values(tmp_path):
    write(tmp_path / "truth.csv", {**IDS, "level": ["1.0", "2", "", "1e0"]})
    truth = read_truth(tmp_path / "truth.csv", IDS["id"], {"one": "level == 1.00"}, id_column="id")
    assert truth.secrets["one"].tolist() == [1, 0, 0, 1]


# What is stored


def test_encoders_of_the_former_meaning_are_refused_in_words(tmp_path):
    features = party(tmp_path, files={"train": ("t.csv", IDS)}, features=[VERSION])[0].data.features
    state = json.loads(
        fit_encoders("bob", features, columns_of(pd.DataFrame({"version": ["1"]}, dtype="str")), "t").to_json()
    )
    with pytest.raises(StorageError, match=r"fitted by another version.*train anew"):
        encoders_from_json(json.dumps({**state, "version": 1}), features)


def test_check_counts_notations_and_shows_none(tmp_path, capsys):
    tmp_path.chmod(0o700)
    rows = {
        "ID": ["a", "b", "c", "d", "e"],
        "version": ["1.1", "1.10", "1.100", f"{CANARY}", "2"],
        "tags": ["4;5", "4.0", "", "5e0;6", "6"],
        "exact": ["1.0", "1", "1.00", "1", "2"],
        "price": ["1.0", "1", "1.00", "1", "2"],
    }
    features = [
        VERSION,
        {"column": "tags", "kind": "multi_hot", "separator": ";"},
        {"column": "exact", "kind": "vocabulary", "exact": True},
        {"column": "price", "kind": "numeric"},
    ]
    frames = {
        "alice": {"train": pd.DataFrame(rows)},
        "bob": {"train": pd.DataFrame({"ID": rows["ID"], "film": rows["exact"], "rating": rows["price"]})},
    }
    given = {"alice": features, "bob": [{"column": "film", "kind": "hash", "buckets": 5}]}
    made = Organisations(tmp_path / "parties", features=given, frames=frames)
    print_check(made.party_path("alice"))
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if MERGED in line] == [
        f"feature version: 3 {MERGED}",
        f"feature tags: 4 {MERGED}",
    ]
    assert CANARY not in printed
    assert "1.10" not in printed

"""Features whose columns are named by patterns, in files that people bring."""

import pandas as pd
import pytest
import yaml

from party.configuration.column_range import matching_columns
from party.data.encoders import encoders_from_json, fit_encoders
from party.errors import ConfigurationError, DataError, StorageError
from party.runtime.column_ranges import load_with_columns, range_lines
from party.runtime.fingerprint import model_fingerprint
from party.runtime.tables import Tables

HEADER = "id,x1,x10,x2,y,w,key,other"
ROW = "r{},1,2,3,{},1,k,5"
RANGE = {"columns": "x*", "kind": "numeric"}


def write(folder, features, *, header=HEADER, test_header=None, **data):
    """A label party with two datasets; returns the path of its file."""
    for name, line in (("train", header), ("test", test_header or header)):
        lines = [",".join(line.split(",")), *(ROW.format(number, number % 2) for number in range(4))]
        width = line.count(",") + 1
        cells = [row.split(",") + ["0"] * width for row in lines[1:]]
        (folder / f"{name}.csv").write_text("\n".join([lines[0], *(",".join(row[:width]) for row in cells)]) + "\n")
    name = {"name": "alice", "ca": "ca.pem"}
    content = {
        "party": "bob",
        "listen": "127.0.0.1:0",
        "label_party": "bob",
        "peers": [name],
        "coordinators": [{**name, "name": "coordinator"}],
        "tls": {"certificate": "c.pem", "key": "k.pem"},
        "state": "state",
        "policy": {"reveal_row_counts": ["alice"] if "joins" in data else []},
        "data": {
            "id": "id",
            "datasets": {"train": "train.csv", "test": "test.csv"},
            "labels": {"y": {"rule": "y == 1"}},
            "sample_weight": "w",
            "features": features,
            **data,
        },
    }
    path = folder / "bob.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    path.chmod(0o600)
    return path


def columns(path):
    return [feature.column for feature in load_with_columns(path).data.features]


@pytest.mark.parametrize(
    ("patterns", "others", "expected"),
    [
        (["x*"], (), ("x1", "x10", "x2")),
        (["x?"], (), ("x1", "x2")),
        (["x[12]", "x*"], (), ("x1", "x2", "x10")),
        (["*"], ("id", "y"), ("w", "x1", "x10", "x2")),
        (["y", "x2"], ("y",), ("y", "x2")),
        (["X*"], (), ()),
        (["a[b]"], (), ("a[b]",)),
    ],
)
def test_patterns_stand_for_columns_whatever_their_order(patterns, others, expected):
    header = ["x2", "id", "x10", "y", "x1", "w"] + (["a[b]"] if patterns == ["a[b]"] else [])
    for order in (header, header[::-1]):
        assert matching_columns(patterns, order, others) == expected


def test_each_column_of_a_range_is_a_feature_with_its_options(tmp_path):
    features = [
        {"column": "other", "kind": "vocabulary"},
        {**RANGE, "log": True},
        {"column": "x2", "kind": "hash", "buckets": 5},
    ]
    data = load_with_columns(write(tmp_path, features)).data
    assert [(one.key, one.kind) for one in data.features] == [
        ("other", "vocabulary"),
        ("x1", "numeric"),
        ("x10", "numeric"),
        ("x2", "hash"),
    ]
    assert data.features[1].log
    (line,) = range_lines(data)
    assert line.startswith("columns x* of data.features are 2 columns: x1, x10; ids, labels, weights, keys")


def test_ids_labels_weights_and_keys_are_never_among_them(tmp_path):
    path = write(tmp_path, [{"columns": ["*"], "kind": "hash", "buckets": 9}])
    assert columns(path) == ["key", "other", "x1", "x10", "x2"]
    joins = [{"peer": "alice", "table": "users", "key": "key"}]
    path = write(tmp_path, [{"columns": ["*"], "kind": "hash", "buckets": 9}], joins=joins)
    assert columns(path) == ["other", "x1", "x10", "x2"]


def test_a_list_names_columns_in_its_own_order(tmp_path):
    assert columns(write(tmp_path, [{"columns": ["x2", "other", "x1*"], "kind": "numeric"}])) == [
        "x2",
        "other",
        "x1",
        "x10",
    ]


@pytest.mark.parametrize(
    ("features", "headers", "said"),
    [
        ([{**RANGE, "columns": "z*"}], {}, "no column matches z*"),
        ([{**RANGE, "columns": ["x1", "q"]}], {}, "no column matches q"),
        ([{**RANGE, "columns": "y*"}], {}, "no column matches y*"),
        ([{**RANGE, "columns": ["y"]}], {}, "the label's column cannot be a feature"),
        ([RANGE, {**RANGE, "columns": "x1*"}], {}, "features named twice: x1, x10"),
        ([RANGE], {"test_header": HEADER + ",x3"}, "received 3 of them, and 1 others"),
        ([RANGE], {"test_header": HEADER.replace("x10,", "")}, "received 2 of them, and 0 others"),
        ([{**RANGE, "clip": [2.0, 1.0]}], {}, "key data.features.0: clip needs the lower bound first"),
        ([{**RANGE, "columns": []}], {}, "needs column, or columns"),
        ([{**RANGE, "columns": [""]}], {}, "data.features.0.columns.0"),
    ],
)
def test_ranges_that_cannot_be_used_are_refused(tmp_path, features, headers, said):
    with pytest.raises(ConfigurationError) as caught:
        load_with_columns(write(tmp_path, features, **headers))
    assert said in str(caught.value)


def test_a_file_without_a_header_line_shows_no_cell(tmp_path):
    path = write(tmp_path, [{**RANGE, "columns": "*"}], header="Canary1,Canary2,3,4,5,6,7,8")
    with pytest.raises(DataError) as caught:
        load_with_columns(path)
    assert "first line names none of the 1 columns; missing are id" in str(caught.value)
    assert "Canary" not in str(caught.value)


def test_patterns_are_no_key_of_the_files_own(tmp_path):
    with pytest.raises(ConfigurationError, match="ranges"):
        load_with_columns(write(tmp_path, [RANGE], ranges=[{"patterns": ["x*"], "columns": ["x1"]}]))


def test_parquet_files_have_columns_too(tmp_path):
    path = write(tmp_path, [RANGE])
    content = yaml.safe_load(path.read_text())
    pd.read_csv(tmp_path / "train.csv").to_parquet(tmp_path / "train.parquet")
    content["data"]["datasets"]["train"] = "train.parquet"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert columns(path) == ["x1", "x10", "x2"]


def test_a_column_that_comes_later_is_an_error_and_no_silent_change(tmp_path):
    before = load_with_columns(write(tmp_path, [RANGE]))
    tables = Tables(before, lambda: pytest.fail("no column is private"))
    frame = tables.table("train").columns
    encoders = fit_encoders("bob", before.data.features, frame, "train.csv").to_json()
    more = HEADER.replace("x1,", "x1,x7,")
    path = write(tmp_path, [RANGE], header=more)
    with pytest.raises(DataError, match=r"columns x\* of data.features stand for other columns than at the start"):
        tables.table("train")
    after = load_with_columns(path)
    with pytest.raises(StorageError, match="expected 4 features as configured"):
        encoders_from_json(encoders, after.data.features)
    assert model_fingerprint(before, tmp_path) != model_fingerprint(after, tmp_path)
    again = load_with_columns(write(tmp_path, [RANGE], header="id,x2,x10,x1,w,y,key,other"))
    assert model_fingerprint(before, tmp_path) == model_fingerprint(again, tmp_path)

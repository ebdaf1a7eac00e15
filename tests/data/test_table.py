import hashlib
import traceback
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.features import DataSection
from party.configuration.joins import KeyRule
from party.data.summary import summarise
from party.data.table import FileRules, read_table
from party.errors import DataError

CANARY = "Canary7f3a"


def write(folder, content):
    path = folder / "train.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, columns=("age",)):
    return read_table("alice", "train", path, columns=columns, rules=FileRules(id_rule=KeyRule(("id",))))


def failure(path, columns=("age",)):
    with pytest.raises(DataError) as caught:
        read(path, columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_cells_are_the_texts_of_their_values(tmp_path):
    path = write(tmp_path, 'id,zip,age,note\n007,NA,,x\n 7,"a, ""b""\nc",1e5,y\n7.0,null,nan,z\n')
    table = read(path, ["age", "zip"])
    assert table.rows == 3
    assert table.ids.tolist() == ["007", " 7", "7"]
    assert list(table.columns) == ["age", "zip"]
    assert table.columns["age"].by_row().tolist() == ["", "100000", "nan"]
    assert table.columns["zip"].by_row().tolist() == ["NA", 'a, "b"\nc', "null"]
    assert (table.dataset, table.path) == ("train", path)


def test_the_digest_is_the_files(tmp_path):
    path = write(tmp_path, "id,age\n1,2\n")
    assert read(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfid,age\n1,2\n", b"id,age\r\n1,2\r\n", b"\nid,age\n\n1,2", b'"id",age\n1,2']
)
def test_marks_line_ends_and_quotes_do_not_matter(tmp_path, content):
    table = read(write(tmp_path, content))
    assert table.ids.tolist() == ["1"]
    assert table.columns["age"].by_row().tolist() == ["2"]


def test_ids_compare_by_bytes(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    ids = ["1", "01", "1.10", "1.1", "1e0", "+1", " 1", "1 ", "a", "A", composed, decomposed, "a\0", "a\0b"]
    path = write(tmp_path, "id,age\n" + "".join(f"{one},5\n" for one in ids))
    assert read(path).ids.tolist() == ids


def test_the_id_column_may_be_read_twice(tmp_path):
    table = read(write(tmp_path, "id,age\n1,2\n"), ["id", "age"])
    assert table.columns["id"].by_row().tolist() == ["1"]


def test_a_long_cell_is_read(tmp_path):
    path = write(tmp_path, "id,age\n1," + "x" * 3_000_000 + "\n2,y\n")
    assert [len(one) for one in read(path).columns["age"].by_row()] == [3_000_000, 1]


@given(st.permutations(range(6)), st.integers(0, 6))
def test_aligned_takes_rows_in_order(tmp_path_factory, order, count):
    path = write(tmp_path_factory.mktemp("table"), "id,age\n" + "".join(f"{row},{row * 10}\n" for row in range(6)))
    columns = read(path).aligned(np.array(order[:count], np.int64))
    assert columns["age"].by_row().tolist() == [str(row * 10) for row in order[:count]]
    assert columns.count == count


def test_missing_files_and_folders_are_named(tmp_path):
    message = failure(tmp_path / "train.csv")
    assert message.startswith("alice: train.csv: file not found")
    assert "data.datasets.train" in message
    (tmp_path / "train.csv").mkdir()
    assert "is a folder" in failure(tmp_path / "train.csv")


def test_missing_columns_are_named_with_the_nearest(tmp_path):
    message = failure(write(tmp_path, "id,Age,zip\n1,2,3\n"), ["age", "town", "zip"])
    assert "columns missing: age (did you mean Age?), town; received 3 fields in the first line" in message
    assert message.endswith("check data.features")
    message = failure(write(tmp_path, "id,age,towns\n1,2,3\n"), ["age", "town"])
    assert "columns missing: town (did you mean towns?)" in message


@pytest.mark.parametrize(
    ("header", "fix"), [("ID,age,zip", "check data.id"), ("ID,age,town", "check data.id and data.features")]
)
def test_a_missing_id_column_is_told_by_its_own_key(tmp_path, header, fix):
    message = failure(write(tmp_path, f"{header}\n1,2,3\n"), ["age", "zip", *(["town"] if "town" in header else [])])
    assert message.endswith(fix)


def test_a_file_without_a_header_line_keeps_its_first_row_to_itself(tmp_path):
    message = failure(write(tmp_path, f"{CANARY},17\n{CANARY}2,18\n"))
    assert "names none of the 2 columns; missing are id, age" in message
    assert "2 fields" in message
    assert CANARY not in message


def test_a_first_row_that_looks_a_little_like_names_is_not_shown_either(tmp_path):
    """Fewer than half of the columns are there: what is near to the others may be a person's cells."""
    path = write(tmp_path, f"id,towns,agent,{CANARY}\n1,2,3,4\n")
    message = failure(path, ["age", "town", "zip"])
    assert "names only 1 of the 4 columns; missing are age, town, zip" in message
    assert "4 fields" in message
    assert not [part for part in ("towns", "agent", CANARY) if part in message]


@pytest.mark.parametrize("header", ["id,age,age", "id,id,age", " age ,id,age "])
def test_a_column_named_twice_is_refused(tmp_path, header):
    row = ",".join("1" for _ in header.split(","))
    twice = "id" if "id,id" in header else "age"
    assert f"columns named twice: {twice}" in failure(write(tmp_path, f"{header}\n{row}\n"))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    assert "is empty" in failure(write(tmp_path, content))


@pytest.mark.parametrize("content", ["id,age", "id,age\n", "id,age\n\n"])
def test_a_header_line_alone_is_refused(tmp_path, content):
    assert "has no rows" in failure(write(tmp_path, content))


def test_repeated_ids_are_counted(tmp_path):
    rows = ["a", "b", "a", "c", "b", "a"]
    message = failure(write(tmp_path, "id,age\n" + "".join(f"{one},1\n" for one in rows)))
    assert "alice: train.csv: column id" in message
    assert "2 ids that appear more than once" in message


def test_empty_ids_are_counted(tmp_path):
    message = failure(write(tmp_path, "id,age\n,1\nb,1\n,2\n,3\n"))
    assert "alice: train.csv: column id" in message
    assert "3 rows without one" in message


@pytest.mark.parametrize(
    "content",
    [
        b"id,age\n1,\xff\n",
        b"id,\xff,age\n1,2,3\n",
        b"id,age\n" + b"".join(b"%d,1\n" % i for i in range(9000)) + b"\xff,1\n",
    ],
    ids=["cell", "header", "late"],
)
def test_another_encoding_is_refused(tmp_path, content):
    assert "is not UTF-8" in failure(write(tmp_path, content))


@pytest.mark.parametrize(("row", "fields"), [("1,2,3", 3), ("1", 1)])
def test_a_row_of_another_length_is_numbered(tmp_path, row, fields):
    message = failure(write(tmp_path, f"id,age\n5,6\n{row}\n7,8\n"))
    assert "row 3" in message
    assert f"expected 2 fields; received {fields};" in message


def test_a_quote_that_is_never_closed_is_refused(tmp_path):
    assert "quotes do not match" in failure(write(tmp_path, 'id,age\n1,"x\n2,y\n'))


def test_a_single_quote_inside_a_cell_is_a_character(tmp_path):
    assert read(write(tmp_path, 'id,age\n1,5" disk\n')).columns["age"].by_row().tolist() == ['5" disk']


@pytest.mark.parametrize(
    "content",
    [
        f"id,age\n{CANARY},1\n{CANARY},2\n",
        f"id,age\n,{CANARY}\n",
        f"id,age\n{CANARY},1,{CANARY}\n",
        f"id,age\n{CANARY}\n",
        f'id,age\n1,"{CANARY}\n',
        f"id,zip\n{CANARY},{CANARY}\n",
        f"id,age\n{CANARY},".encode() + b"\xff\n",
    ],
    ids=["repeated", "empty", "long", "short", "quote", "column", "encoding"],
)
def test_errors_hold_no_cell(tmp_path, content):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, content))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_summary_counts_sizes_and_missing_cells(tmp_path):
    path = write(tmp_path, "id,age,town,tags\n1,5,a,x|y\n2,,b,\n3,-,a,?\n4,x,,y\n")
    features = (
        {"kind": "integer_buckets", "column": "age", "boundaries": [3], "malformed": "missing"},
        {"kind": "numeric", "column": "age", "name": "years", "missing": ["-"], "malformed": "missing"},
        {"kind": "vocabulary", "column": "town"},
        {"kind": "hash", "column": "town", "name": "hashed town", "buckets": 10, "missing": ["b"]},
        {"kind": "multi_hot", "column": "tags", "separator": "|", "missing": ["?"]},
    )
    data = DataSection(id="id", datasets={"train": "train.csv"}, features=features)
    summaries = summarise("alice", data, read(path, ["age", "town", "tags"])).columns
    assert [(one.name, one.kind, one.size, one.width, one.missing) for one in summaries] == [
        ("age", "integer_buckets", 3, 1, 3),
        ("years", "numeric", 1, 1, 3),
        ("town", "vocabulary", 4, 1, 1),
        ("hashed town", "hash", 11, 1, 2),
        ("tags", "multi_hot", 4, 2, 2),
    ]

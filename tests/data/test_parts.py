"""Datasets of several files, compressed or not, in any format: the same table, and a digest that can be told."""

import bz2
import gzip
import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from party.configuration.csv_format import CsvSection
from party.configuration.joins import KeyRule
from party.data.files.limits import FileLimits
from party.data.table import FileRules, read_table
from party.errors import DataError
from tests.support.sources import read_files

CANARY = "Canary7f3a"
COMPRESSIONS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "zstd": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    "two members": lambda content: gzip.compress(content[:7]) + gzip.compress(content[7:]),
}
CELLS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=5)


def as_csv(rows, names, compression="plain"):
    lines = [names, *rows]
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines)
    return COMPRESSIONS[compression](text.encode())


def as_parquet(path, rows, names):
    parquet.write_table(pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)}), path)
    return path.read_bytes()


def stated_digest(contents, form=None):
    """As documented: of one plain file its own; of several, of how they are written and of their digests."""
    digests = [hashlib.sha256(content).digest() for content in contents]
    if len(digests) == 1 and not form:
        return digests[0].hex()
    text = json.dumps(form or {}, separators=(",", ":"))
    return hashlib.sha256(b"splitrain/1 files\0" + text.encode() + b"\0" + b"".join(digests)).hexdigest()


def failure(*entries, **more):
    with pytest.raises(DataError) as caught:
        read_files(*entries, **more)
    assert CANARY not in f"{caught.value} {caught.value.public_message}"
    return caught.value


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_split_is_the_same_table(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("parts")
    rows = data.draw(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    contents = []
    for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        order = data.draw(st.permutations([0, 1]))
        names, part = (
            [["id", "age"][place] for place in order],
            [[row[place] for place in order] for row in rows[start:stop]],
        )
        form = data.draw(st.sampled_from(["parquet", *COMPRESSIONS]))
        path = folder / f"part-{number}"
        content = (
            as_parquet(path, part, names)
            if form == "parquet" and part
            else as_csv(part, names, "plain" if form == "parquet" else form)
        )
        path.write_bytes(content)
        contents.append(content)
    whole = read_files(folder)
    assert whole.rows == [list(row) for row in rows]
    assert whole.sha256 == stated_digest(contents)
    for entries in (
        [folder / "part-*"],
        [folder / f"part-{number}" for number in range(len(contents))],
        [f"file://{folder}"],
    ):
        assert read_files(*entries) == whole
    if len(contents) == 1:
        assert read_files(folder / "part-0").sha256 == hashlib.sha256(contents[0]).hexdigest()


def test_how_files_are_written_is_a_part_of_their_digest(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("id;age\n1;2\n")
    read = read_files(path, form=CsvSection(separator=";"))
    assert read.sha256 == stated_digest([path.read_bytes()], {"separator": ";"})


def test_the_same_bytes_in_other_parts_are_another_table(tmp_path):
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("id,age\n1,2\n")
    other.write_text("id,age\n3,4\n")
    both = read_files(one, other)
    one.write_text("id,age\n1,2\nid,age\n3,4\n")
    assert len({both.sha256, read_files(one).sha256, read_files(other, one).sha256}) == 3


def test_hidden_files_and_marks_of_other_programs_are_no_parts(tmp_path):
    for name in ("part-1.csv", "part-0.csv", "_SUCCESS", "_metadata", ".part-0.csv.crc", ".hidden"):
        (tmp_path / name).write_text(f"id,age\n{name},1\n")
    assert read_files(tmp_path).columns["id"] == ["part-0.csv", "part-1.csv"]
    assert read_files(tmp_path / "*").columns["id"] == ["part-0.csv", "part-1.csv"]
    assert read_files(tmp_path / "_S*").columns["id"] == ["_SUCCESS"]
    (tmp_path / "part-2.csv").touch()
    assert read_files(tmp_path).notes == (f"{tmp_path.name}/part-2.csv: is empty",)


def test_patterns_reach_into_folders(tmp_path):
    for name in ("2023/1.csv", "2024/1.csv", "2024/2.csv", "2024/_temporary/3.csv", "2024/deep/4.csv", "x[1].csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(f"id,age\n{name},1\n")
    assert read_files(tmp_path / "*" / "*.csv").columns["id"] == ["2023/1.csv", "2024/1.csv", "2024/2.csv"]
    assert read_files(tmp_path / "**" / "?.csv").columns["id"] == [
        "2023/1.csv",
        "2024/1.csv",
        "2024/2.csv",
        "2024/deep/4.csv",
    ]
    assert read_files(tmp_path / "202[34]" / "1.csv").columns["id"] == ["2023/1.csv", "2024/1.csv"]
    assert read_files(tmp_path / "x[1].csv").columns["id"] == ["x[1].csv"], "a file of this very name"
    assert "is a folder with folders in it" in str(failure(tmp_path / "2024"))
    error = failure(tmp_path / "*.parquet")
    assert str(error).startswith(f"alice: *.parquet: no file matches; expected {tmp_path}/*.parquet;")
    assert str(tmp_path) not in error.public_message
    assert str(tmp_path) not in str(error.disclosed())


def test_what_is_no_part_is_refused(tmp_path):
    folder = tmp_path / "clicks"
    folder.mkdir()
    assert "clicks: is a folder without files" in str(failure(folder))
    (folder / "a.csv").write_text(f"id,age\n{CANARY},1\n")
    (folder / "b.csv").write_text(f"id,town\n{CANARY},1\n")
    assert str(failure(folder)).startswith(
        "alice: clicks/b.csv: columns missing: age; received 2 fields in the first line;"
    )
    assert "1 files are named twice" in str(failure(folder / "a.csv", folder / "a*"))
    os.mkfifo(folder / "c.csv")
    assert "clicks/c.csv: is no file" in str(failure(folder / "a.csv", folder / "c*"))
    assert "is no file" in str(failure(Path("/dev/zero")))
    error = failure(folder / "d.csv")
    assert f"expected {folder}/d.csv" in str(error)
    assert str(tmp_path) not in str(error.disclosed()) + error.public_message


@pytest.mark.parametrize("compression", ["gzip", "bz2", "zstd"])
def test_a_small_file_that_unfolds_to_much_is_stopped_on_the_way(tmp_path, compression):
    path = tmp_path / "train.csv"
    path.write_bytes(COMPRESSIONS[compression](b"id,age\n" + b"1,xxxxxxxx\n" * (1 << 19)))
    assert path.stat().st_size < 1 << 15
    before = pa.total_allocated_bytes()
    assert "is too large; expected at most 1,048,576 bytes" in str(failure(path, limits=FileLimits(bytes=1 << 20)))
    assert pa.total_allocated_bytes() - before < 2 << 20
    assert "has too many rows" in str(failure(path, limits=FileLimits(rows=1000)))


def test_limits_are_those_of_all_parts_together(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text("id,age\n1,2\n3,4\n")
    assert len(read_files(tmp_path, limits=FileLimits(rows=6, bytes=45)).rows) == 6
    assert "2.csv: has too many rows" in str(failure(tmp_path, limits=FileLimits(rows=5)))
    assert "2.csv: is too large" in str(failure(tmp_path, limits=FileLimits(bytes=44)))


@pytest.mark.parametrize("compression", ["gzip", "bz2", "zstd"])
def test_damaged_compressed_files_are_told(tmp_path, compression):
    path, content = (
        tmp_path / "train.csv",
        as_csv([[CANARY, str(row)] for row in range(500)], ["id", "age"], compression),
    )
    path.write_bytes(content[:-9])
    assert f"cannot be decompressed ({compression}); received an end in the middle" in str(failure(path))
    path.write_bytes(content + b"more")
    assert "received damaged data" in str(failure(path))
    path.write_bytes(COMPRESSIONS["gzip"](content))
    assert "is compressed twice" in str(failure(path))


def test_a_table_has_one_name_for_several_files(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"id,age\n{name},1\n")
    rules = FileRules(id_rule=KeyRule(("id",)))
    table = read_table("alice", "train", [tmp_path / "a.csv", tmp_path / "b.csv"], columns=["age"], rules=rules)
    assert (table.path.name, table.ids.tolist()) == ("a.csv and 1 more", ["a.csv", "b.csv"])
    (tmp_path / "b.csv").write_text("id,age\na.csv,1\n")
    with pytest.raises(DataError, match=r"alice: .*: column id: ids are not unique"):
        read_table("alice", "train", tmp_path, columns=["age"], rules=rules)


def test_a_folder_may_have_the_signs_of_patterns_in_its_name(tmp_path):
    folder = tmp_path / "[2024] what? *new*" / "clicks"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id,age\n1,2\n")
    (folder / "b.csv").write_text("id,age\n2,3\n")
    assert read_files(folder / "*.csv").columns == {"id": ["1", "2"], "age": ["2", "3"]}
    assert read_files(folder).columns == {"id": ["1", "2"], "age": ["2", "3"]}
    assert "no file matches" in str(failure(folder / "[0-9]*.csv"))

"""What is odd about Parquet files: read under any name, or refused with what to do about it."""

import base64

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from pyarrow.parquet import encryption

from party.configuration.csv_format import CsvSection
from party.data.files.limits import FileLimits
from party.data.files.source import open_source
from party.errors import DataError
from tests.support.sources import PLACE, read_files

CANARY = "Canary7f3a"
ROWS = [["1", "20"], ["2", ""], ["3", "30"], ["4", "20"]]
TABLE = pa.table({"id": [1, 2, 3, 4], "age": ["20", None, "30", "20"]})


class Keys(encryption.KmsClient):
    """Wraps keys with nothing: this is a test of a reader that has none."""

    def __init__(self, configuration):
        super().__init__()

    def wrap_key(self, key, name):
        return base64.b64encode(key).decode()

    def unwrap_key(self, key, name):
        return base64.b64decode(key)


def encrypted(path, *, plaintext_footer):
    properties = encryption.CryptoFactory(Keys).file_encryption_properties(
        encryption.KmsConnectionConfig(),
        encryption.EncryptionConfiguration(
            footer_key="footer", column_keys={"columns": ["age"]}, plaintext_footer=plaintext_footer
        ),
    )
    with parquet.ParquetWriter(path, TABLE.schema, encryption_properties=properties) as writer:
        writer.write_table(TABLE)


def failure(path, **more):
    with pytest.raises(DataError) as caught:
        read_files(path, **more)
    assert CANARY not in f"{caught.value} {caught.value.public_message}"
    return str(caught.value)


@pytest.mark.parametrize("name", ["train.parquet", "train.csv", "part-0000", "train.snappy"])
@pytest.mark.parametrize(
    "written",
    [
        {},
        {"row_group_size": 1},
        {"write_statistics": False},
        {"use_dictionary": False, "compression": "zstd"},
        {"use_dictionary": ["age"], "row_group_size": 2, "data_page_version": "2.0"},
        {"store_schema": False, "compression": "none"},
        {"version": "1.0", "compression": "gzip"},
    ],
    ids=str,
)
def test_the_same_rows_in_many_forms(tmp_path, name, written):
    parquet.write_table(TABLE, tmp_path / name, **written)
    assert read_files(tmp_path / name).rows == ROWS


def test_types_are_those_of_the_file_and_dictionaries_are_unfolded(tmp_path):
    parts = [["x", "y"], ["y", "z"], [None, "x"]]  # a dictionary of its own in each
    schema = pa.schema([("id", pa.int16()), ("age", pa.dictionary(pa.int8(), pa.string()))])
    with parquet.ParquetWriter(tmp_path / "train.parquet", schema) as writer:
        for part in parts:
            columns = {
                "id": pa.array([1, 2], pa.int16()),
                "age": pa.array(part).dictionary_encode().cast(schema[1].type),
            }
            writer.write_table(pa.table(columns, schema=schema))
    assert read_files(tmp_path / "train.parquet").columns["age"] == ["x", "y", "y", "z", "", "x"]


def test_a_column_named_twice_matters_where_it_is_read(tmp_path):
    table = pa.table([[1], ["20"], ["x"], ["y"]], names=["id", "age", "more", "more"])
    parquet.write_table(table, tmp_path / "train.parquet")
    read = read_files(tmp_path / "train.parquet")
    assert read.rows == [["1", "20"]]
    assert read.notes == ("2 columns share a name with another, and are not read",)
    assert "columns named twice: more" in failure(tmp_path / "train.parquet", names=("id", "more"))


def test_names_with_blanks_and_dots_are_found(tmp_path):
    table = pa.table({"id": [1], " age ": ["20"], "a.b": ["x"], "a": pa.array([{"b": CANARY}])})
    parquet.write_table(table, tmp_path / "train.parquet")
    assert read_files(tmp_path / "train.parquet", names=("a.b", "age")).rows == [["x", "20"]]
    assert "age (did you mean age?)" not in failure(tmp_path / "train.parquet", names=("ages", "id"))
    assert "did you mean" in failure(tmp_path / "train.parquet", names=("ages", "id"))


def test_files_without_rows_are_read_as_such(tmp_path):
    with parquet.ParquetWriter(tmp_path / "none.parquet", TABLE.schema):
        pass  # no row group at all
    parquet.write_table(TABLE.slice(0, 0), tmp_path / "empty.parquet")
    parquet.write_table(TABLE, tmp_path / "train.parquet")
    assert parquet.ParquetFile(tmp_path / "none.parquet").num_row_groups == 0
    assert read_files(tmp_path).rows == ROWS
    assert read_files(tmp_path / "none.parquet").rows == []


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_encrypted_files_are_told(tmp_path, plaintext_footer):
    encrypted(tmp_path / "train.parquet", plaintext_footer=plaintext_footer)
    assert "train.parquet: is encrypted Parquet; write it without" in failure(tmp_path / "train.parquet")


def test_damaged_files_are_told(tmp_path):
    path = tmp_path / "train.parquet"
    parquet.write_table(pa.table({"id": [1], "age": [CANARY * 50]}), path, use_dictionary=False, compression="none")
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert "cannot be read as Parquet; received an end that is missing: the file was cut short" in failure(path)
    path.write_bytes(content[:100] + bytes(len(content) - 108) + content[-8:])
    assert "cannot be read as Parquet" in failure(path)
    path.write_text("id,age\n1,2\n")
    assert "cannot be read as Parquet; received other first bytes" in failure(path)


def test_text_that_is_no_utf8_is_told(tmp_path):
    column = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xff")]
    )
    parquet.write_table(pa.table({"id": [1], "age": column}), tmp_path / "train.parquet")
    assert "cannot be read as Parquet" in failure(tmp_path / "train.parquet")


@pytest.mark.parametrize("store_schema", [True, False])
def test_a_long_text_that_a_dictionary_repeats_comes_in_pieces(tmp_path, store_schema):
    """Short texts first: nothing that was read tells of the long one before it comes."""
    places = pa.array(np.arange(3000) // 1000, pa.int8())
    repeated = pa.DictionaryArray.from_arrays(places, ["a", "b", "x" * 100_000])
    table = pa.table({"id": list(range(3000)), "age": repeated})
    parquet.write_table(table, tmp_path / "train.parquet", store_schema=store_schema)
    rows, largest = 0, 0
    with open_source([tmp_path / "train.parquet"], PLACE, form=CsvSection(), limits=FileLimits()) as source:
        for batch in source.batches({"age": "data.features", "id": "data.id"}):
            rows += batch.num_rows
            largest = max(largest, batch.nbytes)
    assert rows == 3000
    assert largest <= 33 << 20 < 1000 * 100_000

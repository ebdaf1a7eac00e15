"""Files of an object storage, read from a server on a real socket with credentials of the environment."""

import gzip
import hashlib
import io
import logging

import pyarrow as pa
import pytest
from pyarrow import parquet

from party.configuration.joins import KeyRule
from party.data.files.source import stamps
from party.data.table import FileRules, read_table
from party.errors import DataError
from tests.support.object_storage import serve_objects
from tests.support.sources import PLACE, read_files

KEY, SECRET = "AKIDTEST7351", "SecretKey7351Canary"
CONTENT = b"id,age\n1,20\n2,30\n"
ROWS = [["1", "20"], ["2", "30"]]


@pytest.fixture(scope="module")
def storage():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        with serve_objects(KEY) as server:
            server.objects |= {
                "bucket/plain.csv": CONTENT,
                "bucket/a folder/part-0.csv.gz": gzip.compress(CONTENT),
                "bucket/a folder/part-1": as_parquet({"id": [3], "age": ["40"]}),
                "bucket/a folder/_SUCCESS": b"",
                "bucket/days/1/x.csv": CONTENT,
                "bucket/days/2/x.csv": b"id,age\n5,6\n",
                "bucket/days/2/y.txt": b"",
                "bucket/people@home.csv": CONTENT,
            }
            yield server


def as_parquet(columns, **written):
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file, **written)
    return file.getvalue()


def failure(*entries):
    with pytest.raises(DataError) as caught:
        read_files(*entries)
    error = caught.value
    for text in (str(error), error.public_message, str(error.disclosed())):
        assert not [
            word for word in (KEY, SECRET, "secret-of-server", "endpoint_override", "127.0.0.1") if word in text
        ]
    assert "s3://" not in error.public_message + str(error.disclosed())
    return str(error)


def test_files_folders_and_patterns_are_read(storage):
    assert read_files(storage.address("bucket/plain.csv")).rows == ROWS
    assert read_files(storage.address("bucket/plain.csv")).sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert read_files(storage.address("bucket/a%20folder")).rows == [*ROWS, ["3", "40"]]
    assert read_files(storage.address("bucket/a%20folder/")).rows == [*ROWS, ["3", "40"]]
    assert read_files(storage.address("bucket/days/*/*.csv")).rows == [*ROWS, ["5", "6"]]
    assert read_files(storage.address("bucket/days/[2]/**")).columns["id"] == ["5"]
    assert read_files(storage.address("bucket/people%40home.csv")).rows == ROWS


def test_local_and_remote_files_make_one_dataset(storage, tmp_path):
    (tmp_path / "more.csv").write_text("age,id\n1,7\n")
    read = read_files(storage.address("bucket/plain.csv"), tmp_path / "more.csv")
    assert read.rows == [*ROWS, ["7", "1"]]


def test_a_large_parquet_object_is_read_in_pieces_and_verified(storage):
    rows = 40_000
    content = as_parquet(
        {"id": list(range(rows)), "age": ["honest"] * rows, "unread": [f"{row:0100}" for row in range(rows)]},
        compression="none",
        use_dictionary=False,
        row_group_size=rows // 4,
    )
    storage.objects["bucket/train.parquet"] = content
    assert read_files(storage.address("bucket/train.parquet")).columns["age"] == ["honest"] * rows

    class Changing(dict):
        """Gives other bytes of the same length from the second request on."""

        def __getitem__(self, name):
            value = super().__getitem__(name)
            asked = sum(one == ("GET", "bucket/train.parquet") for one in storage.requests)
            return value if asked <= first + 4 else value.replace(b"honest", b"forged")

    before, storage.objects = storage.objects, Changing(storage.objects)
    first = sum(one == ("GET", "bucket/train.parquet") for one in storage.requests)
    try:
        message = failure(storage.address("bucket/train.parquet"))
        assert message.startswith("alice: train.parquet: changed while it was read")
    finally:
        storage.objects = before


def test_what_is_not_there_or_not_allowed_is_told(storage, monkeypatch):
    message = failure(storage.address("bucket/none.csv"))
    assert message == "alice: none.csv: file not found; expected s3://bucket/none.csv; check data.datasets.train"
    assert "no file matches; expected s3://bucket/days/*.csv" in failure(storage.address("bucket/days/*.csv"))
    assert "is a folder with folders in it" in failure(storage.address("bucket/days"))
    assert "none.csv: file not found" in failure(storage.address("no-bucket/none.csv"))
    monkeypatch.setattr(storage, "key", "another")
    message = failure(storage.address("bucket/plain.csv"))
    assert message.startswith("alice: plain.csv: cannot be read (ACCESS_DENIED); check data.datasets.train")
    assert "check network, region and the credentials" in message


def test_a_table_names_the_object_alone(storage, caplog):
    caplog.set_level(logging.DEBUG)
    rules = FileRules(id_rule=KeyRule(("id",)))
    table = read_table("alice", "train", [storage.address("bucket/plain.csv")], columns=["age"], rules=rules)
    assert str(table.path) == "plain.csv"
    assert SECRET not in caplog.text


def test_a_stamp_changes_with_the_object(storage):
    entries = [storage.address("bucket/a%20folder")]
    before = stamps(entries, PLACE)
    assert stamps(entries, PLACE) == before
    storage.objects["bucket/a folder/part-2"] = CONTENT
    try:
        assert stamps(entries, PLACE) != before
    finally:
        del storage.objects["bucket/a folder/part-2"]
    assert len(before) == 2
    assert stamps([storage.address("bucket/none.csv")], PLACE) == ()

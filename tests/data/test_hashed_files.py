"""What is parsed is what was hashed, whoever writes the file meanwhile; and memory does not grow with a file."""

import gzip
import hashlib
import itertools
import os
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from party.configuration.csv_format import CsvSection
from party.data.files import csv_file
from party.data.files.limits import Allowance, FileLimits
from party.data.files.source import open_source
from party.data.files.storage import LocalPart
from party.data.files.verified_file import BLOCK_BYTES, VerifiedFile
from party.errors import DataError
from tests.support.sources import PLACE

NEEDED = {"id": "data.id", "age": "data.features"}
ROWS = 400_000  # several pieces of a file
MOST_BYTES = 160 << 20
MOST_PARQUET_BYTES = 320 << 20  # Arrow keeps several batches of a row group


def opened(path):
    return open_source([path], PLACE, form=CsvSection(), limits=FileLimits())


def rewrite_in_place(path, old, new):
    """Writes other bytes of the same length into the same file, and sets its time back: no stamp shows it."""
    status = path.stat()
    content = path.read_bytes()
    assert content.count(old) and len(old) == len(new)
    with path.open("r+b") as file:
        file.write(content.replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (status.st_mtime_ns, status.st_size, status.st_ino)


def test_a_parquet_file_that_changes_after_it_was_hashed_is_refused(tmp_path):
    path = tmp_path / "train.parquet"
    table = pa.table({"id": [str(row) for row in range(ROWS)], "age": ["honest"] * ROWS})
    parquet.write_table(table, path, compression="none", use_dictionary=False, row_group_size=ROWS // 8)
    with opened(path) as source:
        batches = source.batches(NEEDED)
        next(batches)
        rewrite_in_place(path, b"honest", b"forged")
        with pytest.raises(DataError, match=r"alice: train\.parquet: changed while it was read") as caught:
            for batch in batches:
                assert "forged" not in batch.column("age").to_pylist()
    assert caught.value.public_message == "a file of its data changed while it was read"


def test_a_csv_file_that_changes_has_the_digest_of_what_was_parsed(tmp_path, monkeypatch):
    """Of which content each piece came cannot be told, but the digest is that of the pieces that were parsed."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 15)  # of which Arrow reads 32 ahead
    path = tmp_path / "train.csv"
    lines = b"id,age\n" + b"".join(b"%d,honest%s\n" % (row, b"x" * 400) for row in range(10_000))
    path.write_bytes(lines)
    with opened(path) as source:
        batches = source.batches(NEEDED)
        parsed = [next(batches)]
        rewrite_in_place(path, b"honest", b"forged")
        parsed += list(batches)
        digest = source.sha256()
    columns = [[cell for batch in parsed for cell in batch.column(name).to_pylist()] for name in NEEDED]
    text = "id,age\n" + "".join(f"{','.join(row)}\n" for row in zip(*columns, strict=True))
    assert text.count("forged") > 0
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert digest != hashlib.sha256(lines).hexdigest()


def test_a_digest_is_known_only_once_all_was_read(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("id,age\n1,2\n")
    with opened(path) as source, pytest.raises(RuntimeError, match="once all of them were read"):
        source.sha256()


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 3 * BLOCK_BYTES),
    st.lists(st.tuples(st.integers(0, 4 * BLOCK_BYTES), st.integers(-1, 2 * BLOCK_BYTES))),
)
def test_a_verified_file_is_read_as_the_file(tmp_path_factory, size, reads):
    path = tmp_path_factory.getbasetemp() / "content"
    content = b"".join(itertools.islice((number.to_bytes(4, "big") for number in itertools.count()), size // 4 + 1))[
        :size
    ]
    path.write_bytes(content)
    file = VerifiedFile(LocalPart("content", path).open(PLACE), Allowance(FileLimits()), "alice: content")
    assert file.sha256() == hashlib.sha256(content).digest()
    for offset, length in reads:
        file.seek(offset)
        assert file.read(length) == content[offset : None if length < 0 else offset + length]
        assert file.tell() == max(offset, min(size, offset + length) if length >= 0 else size)


READER = """
import sys
from pathlib import Path
from tests.support.sources import count_rows

def kibibytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])

before = kibibytes("VmRSS")
rows = count_rows(Path(sys.argv[1]), sys.argv[2:])
print(rows, (kibibytes("VmHWM") - before) << 10)
"""


def peak(path):
    """Rows of a file, and the most memory that a process needs to read all of its batches, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path), *NEEDED], capture_output=True, text=True, check=True
    )
    rows, taken = map(int, done.stdout.split())
    return rows, taken


def test_memory_does_not_grow_with_a_csv_file(tmp_path):
    path = tmp_path / "train.csv"
    block = gzip.compress(b"1,%s\n" % (b"x" * 20_000) * 800)
    path.write_bytes(gzip.compress(b"id,age\n") + block * 15)
    rows, bytes_taken = peak(path)
    assert rows == 15 * 800
    assert bytes_taken < MOST_BYTES < rows * 20_000


def test_memory_does_not_grow_with_a_parquet_file(tmp_path):
    """One row group that is not compressed: what is buffered ahead of its rows would be as large as the file."""
    path = tmp_path / "train.parquet"
    rows = 20_000
    cells = pa.array([f"{row:020000}" for row in range(rows)])
    table = pa.table({"id": list(range(rows)), "age": cells})
    parquet.write_table(table, path, row_group_size=rows, compression="none", use_dictionary=False)
    del table, cells
    read, bytes_taken = peak(path)
    assert read == rows
    assert bytes_taken < MOST_PARQUET_BYTES < path.stat().st_size

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from party.alignment.store import AlignmentStore, StoredAlignment
from party.errors import StorageError
from party.security.row_secret import RowSecret

PARTIES = ("bank", "films", "shop")
DATA_SHA256 = bytes(range(32))
ALIGNMENT = StoredAlignment(
    alignment_id=bytes(range(16)),
    rows=np.array([5, 0, 2**40], dtype=np.int64),
    data_sha256=DATA_SHA256,
    id_column="user id, é",
    parties=PARTIES,
    row_secret=RowSecret(bytes(range(64, 96)), pinned=True),
)


@pytest.fixture
def store(tmp_path):
    return AlignmentStore(tmp_path / "alignments")


def same(one, two):
    fields = [field.name for field in dataclasses.fields(one) if field.name != "rows"]
    return (
        all(getattr(one, field) == getattr(two, field) for field in fields)
        and one.rows.dtype == two.rows.dtype
        and np.array_equal(one.rows, two.rows)
    )


def load(store, dataset="train"):
    return store.load(dataset, data_sha256=DATA_SHA256, parties=PARTIES)


def test_what_is_saved_is_loaded(store):
    store.save("train", ALIGNMENT)
    assert same(load(store), ALIGNMENT)
    assert load(store, "test") is None


def test_latest_alignment_is_loaded(store, tmp_path):
    store.save("train", dataclasses.replace(ALIGNMENT, alignment_id=bytes(16)))
    store.save("train", ALIGNMENT)
    assert same(load(AlignmentStore(tmp_path / "alignments")), ALIGNMENT)


def test_other_data_or_parties_have_no_alignment(store):
    store.save("train", ALIGNMENT)
    assert store.load("train", data_sha256=bytes(32), parties=PARTIES) is None
    assert store.load("train", data_sha256=DATA_SHA256, parties=("films", "shop")) is None


def test_every_damaged_byte_is_refused_or_harmless(store, tmp_path):
    store.save("train", ALIGNMENT)
    path = tmp_path / "alignments" / "train.npz"
    content = path.read_bytes()
    refused = 0
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            assert same(load(store), ALIGNMENT)
        except StorageError as error:
            assert "damaged" in str(error)
            refused += 1
    assert refused > len(content) // 2


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_file_is_refused(store, tmp_path, share):
    store.save("train", ALIGNMENT)
    path = tmp_path / "alignments" / "train.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(StorageError, match="damaged; delete it and align again"):
        load(store)


@pytest.mark.parametrize("rows", [[5, 0], [0, 5, 2**40]])
def test_well_formed_file_with_other_rows_is_refused(store, tmp_path, rows):
    store.save("train", ALIGNMENT)
    path = tmp_path / "alignments" / "train.npz"
    with np.load(path, allow_pickle=False) as arrays:
        content = dict(arrays)
    np.savez(path, **{**content, "rows": np.array(rows, dtype=np.int64)})
    with pytest.raises(StorageError, match="damaged"):
        load(store)


def test_file_of_another_dataset_is_refused(store, tmp_path):
    store.save("train", ALIGNMENT)
    folder = tmp_path / "alignments"
    (folder / "train.npz").rename(folder / "test.npz")
    with pytest.raises(StorageError, match="damaged"):
        load(store, "test")


def test_folder_and_file_are_private(store, tmp_path):
    store.save("train", ALIGNMENT)
    folder = tmp_path / "alignments"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["train.npz"]
    assert (folder / "train.npz").stat().st_mode & 0o777 == 0o600
    (folder / "train.npz").chmod(0o640)
    with pytest.raises(StorageError, match="open to others"):
        load(store)


def write_like(path, **changes):
    """Writes a stored alignment anew, with another header and its digest."""
    with np.load(path, allow_pickle=False) as arrays:
        header, rows = json.loads(arrays["header"].tobytes()), arrays["rows"]
    header = json.dumps({key: value for key, value in (header | changes).items() if value is not None}).encode()
    digest = hashlib.sha256(hashlib.sha256(header).digest() + rows.tobytes()).digest()
    np.savez(path, header=np.frombuffer(header, np.uint8), rows=rows, sha256=np.frombuffer(digest, np.uint8))


WITHOUT_ROW_SECRET = {"format": 1, "row_secret": None, "row_secret_pinned": None}
IDS_AS_PRINTED = {"format": 2}


@pytest.mark.parametrize("changes", [WITHOUT_ROW_SECRET, IDS_AS_PRINTED], ids=str)
def test_an_alignment_of_an_earlier_version_does_not_hold(store, tmp_path, changes):
    """As former versions wrote it: that dataset is aligned anew, and nothing is damaged."""
    store.save("train", ALIGNMENT)
    path = tmp_path / "alignments" / "train.npz"
    write_like(path, **changes)
    assert load(store) is None
    store.save("train", ALIGNMENT)
    assert same(load(store), ALIGNMENT)


@pytest.mark.parametrize(
    "changes", [{"format": 3}, {"row_secret": "ab"}, {"row_secret": None}, {"row_secret_pinned": None}], ids=str
)
def test_another_format_or_half_a_secret_is_damaged(store, tmp_path, changes):
    store.save("train", ALIGNMENT)
    write_like(tmp_path / "alignments" / "train.npz", **changes)
    with pytest.raises(StorageError, match="damaged; delete it and align again"):
        load(store)


def test_the_row_secret_is_not_shown():
    assert ALIGNMENT.row_secret.secret.hex() not in repr(ALIGNMENT)
    assert str(ALIGNMENT.row_secret.secret) not in repr(ALIGNMENT)

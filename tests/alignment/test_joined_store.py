import dataclasses
import hashlib
import json
import stat

import numpy as np
import pytest

from party.alignment.joined_rows import JoinCounts
from party.alignment.joined_store import JoinedAlignment, JoinedStore
from party.data.entities import RowMap
from party.errors import StorageError
from party.security.row_secret import RowSecret

PARTIES = ("films", "shop", "users")
ALIGNMENT = JoinedAlignment(
    alignment_id=bytes(range(16)),
    rows=np.array([5, 0, 2**31 - 1], dtype=np.int64),
    table="train",
    data_sha256=bytes(range(32)),
    terms='{"id": ["é"]}',
    parties=PARTIES,
    row_secret=RowSecret(bytes(range(64, 96)), pinned=False),
    maps={
        "users": RowMap(np.array([1, -1, 0], np.int32), 2),
        "films": RowMap(np.array([0, 0, 0], np.int32), 1),
    },
    counts=(
        JoinCounts(
            dataset="train",
            peer="users",
            table="people",
            left=True,
            rows=9,
            keys=3,
            keys_found=2,
            rows_with_partner=2,
            rows_in_common=3,
        ),
    ),
)


@pytest.fixture
def store(tmp_path):
    return JoinedStore(tmp_path / "alignments")


def plain(alignment):
    """An alignment with arrays as lists, which compare."""
    fields = {field.name: getattr(alignment, field.name) for field in dataclasses.fields(alignment)}
    maps = {party: (one.entity_of_row.tolist(), one.entities) for party, one in alignment.maps.items()}
    return {**fields, "rows": alignment.rows.tolist(), "maps": maps, "counts": tuple(alignment.counts)}


def test_what_is_saved_is_loaded(store):
    store.save("train", ALIGNMENT)
    assert plain(store.load("train", PARTIES)) == plain(ALIGNMENT)
    assert store.load("train", PARTIES).rows.dtype == np.int32
    assert store.load("test", PARTIES) is None
    assert store.load("train", PARTIES[:2]) is None


def test_row_maps_cost_four_bytes_per_row(store, tmp_path):
    sizes = []
    for rows in (1000, 2000):
        maps = {party: RowMap(np.zeros(rows, np.int32), 1) for party in ("films", "users")}
        store.save("train", dataclasses.replace(ALIGNMENT, rows=np.arange(rows), maps=maps))
        sizes.append((tmp_path / "alignments" / "train.joined.npz").stat().st_size)
    assert sizes[1] - sizes[0] == 3 * 4 * 1000  # the rows, and a map for each peer


def test_every_damaged_byte_is_refused_or_harmless(store, tmp_path):
    store.save("train", ALIGNMENT)
    path = tmp_path / "alignments" / "train.joined.npz"
    content = path.read_bytes()
    refused = 0
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            assert plain(store.load("train", PARTIES)) == plain(ALIGNMENT)
        except StorageError as error:
            assert "damaged" in str(error)
            refused += 1
    assert refused > len(content) // 2


def write_format(path, number):
    """Writes a stored alignment anew, with another number of its format and its digest."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.dumps({**json.loads(arrays["header"].tobytes()), "format": number}).encode()
    digest = hashlib.sha256(hashlib.sha256(header).digest())
    for array in (arrays[name] for name in sorted(arrays) if name.startswith("array")):
        digest.update(len(array).to_bytes(8, "little") + array.tobytes())
    parts = {"header": np.frombuffer(header, np.uint8), "sha256": np.frombuffer(digest.digest(), np.uint8)}
    np.savez(path, **{**arrays, **parts})


def test_an_alignment_of_keys_as_they_were_printed_does_not_hold(store, tmp_path):
    """As the version before wrote it: it is aligned anew, and nothing is damaged."""
    store.save("train", ALIGNMENT)
    path = tmp_path / "alignments" / "train.joined.npz"
    write_format(path, 3)
    assert store.load("train", PARTIES) is None
    write_format(path, 99)
    with pytest.raises(StorageError, match="damaged"):
        store.load("train", PARTIES)


@pytest.mark.parametrize("numbers", [[2, 0, 0], [-2, 0, 0]])
def test_map_to_entities_that_do_not_exist_is_refused(store, numbers):
    maps = {"users": RowMap(np.array(numbers, np.int32), 2)}
    store.save("train", dataclasses.replace(ALIGNMENT, maps=maps))
    with pytest.raises(StorageError, match="damaged"):
        store.load("train", PARTIES)


def test_file_of_another_dataset_is_refused(store, tmp_path):
    store.save("train", ALIGNMENT)
    folder = tmp_path / "alignments"
    (folder / "train.joined.npz").rename(folder / "test.joined.npz")
    with pytest.raises(StorageError, match="damaged"):
        store.load("test", PARTIES)


def test_secret_of_the_order_is_drawn_once_and_private(store, tmp_path):
    secret = store.order_secret(lambda count: bytes(range(count)))
    assert secret == bytes(range(32))
    assert JoinedStore(tmp_path / "alignments").order_secret(bytes) == secret
    path = tmp_path / "alignments" / "order.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(secret[:31])
    with pytest.raises(StorageError, match="secret of the order of rows is damaged"):
        store.order_secret(bytes)

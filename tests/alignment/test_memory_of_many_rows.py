"""What a party holds of many rows from its file to the end of an alignment: files, and a few bytes for each row.

The elements are random bytes in place of points: what is multiplied where does not change what is held.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from party.alignment.curve import ELEMENT_BYTES, new_key
from party.alignment.hidden_order import hidden_order
from party.alignment.matches import Matches
from party.alignment.order_proof import OrderProof
from party.alignment.received_elements import ReceivedElements, equal_elements
from party.alignment.store import AlignmentStore, StoredAlignment
from party.configuration.joins import KeyRule
from party.data.scratch import Scratch
from party.data.store.column_stores import ColumnStores
from party.data.table import FileRules, read_table
from party.security.files import private_folder
from party.security.row_secret import RowSecret
from tests.support.anonymous_memory import AnonymousPeak

ROWS = 300_000
CHUNK_ROWS = 8192
ALLOWED_BYTES_PER_ROW = 40  # 24 that stay, and what is sorted or compared at a time
SECRET = RowSecret(bytes(32), pinned=False)


def write(path, rows):
    with path.open("w") as file:
        file.write("ID,age\n")
        file.writelines(f"customer-{number:012d},{number % 90}\n" for number in range(rows))


def read(folder):
    rules = FileRules(id_rule=KeyRule(("ID",)))
    stores = ColumnStores(folder / "columns", from_bytes=0)
    return read_table("alice", "train", folder / "train.csv", columns=["age"], rules=rules, stores=stores)


def received(rows, seed, scratch):
    elements, generator = ReceivedElements(rows, "here", scratch), np.random.default_rng(seed)
    for start in range(0, rows, CHUNK_ROWS):
        elements.append(generator.bytes(min(CHUNK_ROWS, rows - start) * ELEMENT_BYTES))
    return elements


def aligned(folder, table):
    """Everything of an alignment that grows with rows; all rows are in common."""
    scratch, ids = Scratch(folder, from_bytes=0), table.known_ids
    order = hidden_order(new_key(), ids, scratch)
    positions, places = equal_elements(received(len(ids), 1, scratch), received(len(ids), 1, scratch))
    matches = Matches(order[places], positions)
    rows = ids.by_text(np.flatnonzero(matches.found(len(ids))).astype(np.int32))
    assert matches.marks(np.ones(len(ids), np.bool_), len(ids)).all()
    OrderProof(bytes(32), "train", bytes(16), ids.take(rows))
    return rows


def stored_and_loaded(folder, table, rows):
    store = AlignmentStore(private_folder(folder / "alignments"))
    alignment = StoredAlignment(
        alignment_id=bytes(16),
        rows=rows,
        data_sha256=bytes.fromhex(table.sha256),
        id_column="ID",
        parties=("alice", "bob"),
        row_secret=SECRET,
    )
    store.save("train", alignment)
    return store.load("train", data_sha256=alignment.data_sha256, parties=alignment.parties).rows


def measured(folder, rows):
    """Bytes per row of each stage, at most; in a process that has done the same with few rows."""
    growth = {}

    @contextmanager
    def stage(name):
        with AnonymousPeak() as peak:
            yield
        growth[name] = peak.growth / rows

    for name, count in (("few", CHUNK_ROWS), ("many", rows)):
        place = private_folder(folder / name)
        write(place / "train.csv", count)
        read(place)  # stores the columns
        with stage("read again"):
            table = read(place)
        with stage("aligned"):
            found = aligned(place, table)
        with stage("stored"):
            loaded = stored_and_loaded(place, table, found)
        assert found.tolist() == loaded.tolist() == list(range(count))
    return growth


def test_a_row_takes_a_few_bytes_from_its_file_to_the_end_of_an_alignment(tmp_path):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        growth = pool.submit(measured, Path(tmp_path), ROWS).result()
    assert max(growth.values()) < ALLOWED_BYTES_PER_ROW, growth

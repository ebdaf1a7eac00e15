"""What must not matter to an aligned run, and what must stop one."""

import os
import unicodedata
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.alignment.store import AlignmentStore
from party.errors import AlignmentError
from tests.support.fitting import expect_same_bits, fit
from tests.support.hand_combined import common_ids
from tests.support.organisations import make_frames

TRAINING = {"epochs": 2, "validation_fraction": 0.167, "batch_size": 62}


def permuted(frame, others):
    return frame.sample(frac=1.0, random_state=99)


def without_foreign_ids(frame, others):
    kept = frame[frame["ID"].isin(set.intersection(*others))]
    assert 0 < len(kept) < len(frame)
    return kept


def with_more_foreign_ids(frame, others):
    """Foreign rows with values that no row in common has."""
    foreign = frame.head(40).copy()
    foreign["ID"] = [f"foreign-{place}" for place in range(len(foreign))]
    foreign["city"], foreign["income"] = "Atlantis", "1000000"
    return pd.concat([foreign.head(20), frame, foreign.tail(20)])


def test_order_and_foreign_rows_of_a_file_change_nothing(make_organisations):
    organisations = make_organisations(training=TRAINING).start_servers()
    undisturbed = fit(organisations)
    others = [set(organisations.read_table("bob", "train")["ID"])]
    for change in (permuted, without_foreign_ids, with_more_foreign_ids):
        former = organisations.table_path("alice", "train").read_bytes()
        organisations.write_frame("alice", "train", change(organisations.read_table("alice", "train"), others))
        assert organisations.table_path("alice", "train").read_bytes() != former
        expect_same_bits(undisturbed, fit(organisations))


def load_alignment(organisations, name, dataset="train"):
    """A party's stored alignment as its file is, and the store that it came from."""
    folder = organisations.state_path(name) / "alignments"
    table = organisations.servers[name].context.tables.table(dataset)
    store = AlignmentStore(folder)
    return store, store.load(dataset, data_sha256=bytes.fromhex(table.sha256), parties=organisations.names)


def swap_two(rows, total):
    rows[[3, 200]] = rows[[200, 3]]


def rotate(rows, total):
    rows[:] = np.roll(rows, 1)


def take_a_foreign_row(rows, total):
    rows[-1] = np.setdiff1d(np.arange(total), rows)[0]


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_misaligned_party_never_trains(make_organisations, party):
    organisations = make_organisations(training=TRAINING).start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        store, stored = load_alignment(organisations, party)
        for disorder in (swap_two, rotate, take_a_foreign_row):
            rows = stored.rows.copy()
            disorder(rows, len(organisations.read_table(party, "train")))
            disordered = replace(stored, rows=rows)
            store.save("train", disordered)
            with pytest.raises(AlignmentError, match="not the same, or not in the same order") as caught:
                parties.fit()
            assert "coordinator align --force" in str(caught.value)
            assert not list(organisations.folder.glob("*/state/runs/*")), "a run began"
        parties.align(force=True)
        assert parties.fit().step_loss


def aligned_ids(organisations, name):
    _, stored = load_alignment(organisations, name)
    return organisations.read_table(name, "train")["ID"].iloc[stored.rows].tolist()


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
ONLY_ALICE = [COMPOSED, "only", " spaced", "7", "A", "1.10", "ﬁ"]
ONLY_BOB = [DECOMPOSED, "only ", "spaced", "007", "a", "1.1", "fi"]
BOTH = [
    "Straße",
    "Å",
    "A\u030a",
    "in ner",
    " both",
    "both",
    "both ",
    "0042",
    "42",
    "42.50",
    "42.5",
    "日本",
    "😀",
    "None",
    "nan",
]


def test_ids_are_compared_exactly(make_organisations):
    frames = make_frames(("alice", "bob"), rows=40)
    for name, own in (("alice", ONLY_ALICE), ("bob", ONLY_BOB)):
        extra = frames[name]["train"].head(len(own) + len(BOTH)).copy()
        extra["ID"] = own + BOTH
        frames[name]["train"] = pd.concat([frames[name]["train"], extra])
    organisations = make_organisations(frames=frames, training=TRAINING).start_servers()
    expected = common_ids(organisations, "train")
    assert set(BOTH) < set(expected)
    assert not set(ONLY_ALICE + ONLY_BOB) & set(expected)
    with connect(organisations.write_run()) as parties:
        (result,) = parties.align()
    assert result.rows_in_common == len(expected)
    assert aligned_ids(organisations, "alice") == aligned_ids(organisations, "bob") == expected


def test_three_parties_train_on_the_ids_of_all_three(make_organisations):
    organisations = make_organisations(names=("alice", "bob", "charlie"), training=TRAINING).start_servers()
    expected = common_ids(organisations, "train")
    tables = {name: set(organisations.read_table(name, "train")["ID"]) for name in organisations.names}
    pairs = [len(tables["bob"] & tables[name]) for name in ("alice", "charlie")]
    assert len(expected) < min(pairs), "the third party would not matter"
    with connect(organisations.write_run()) as parties:
        (result,) = parties.align()
        history = parties.fit()
    assert result.rows == {name: len(ids) for name, ids in tables.items()}
    assert result.rows_in_common == len(expected)
    for name in organisations.names:
        assert aligned_ids(organisations, name) == expected
    assert history.samples == 2 * (len(expected) - int(0.167 * len(expected)))


def test_alignment_holds_until_the_bytes_of_a_file_change(make_organisations):
    frames = make_frames(("alice", "bob"), rows=80, datasets=("train", "test"))
    organisations = make_organisations(frames=frames, training=TRAINING).start_servers()
    path = organisations.table_path("bob", "test")

    def align(**arguments):
        return {result.dataset: result.reused for result in parties.align(**arguments)}

    def alignment_id():
        return load_alignment(organisations, "alice")[1].alignment_id

    with connect(organisations.write_run()) as parties:
        assert align() == {"train": False, "test": False}
        assert align() == {"train": True, "test": True}
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert align() == {"train": True, "test": True}
        path.write_bytes(path.read_bytes() + b"late,film1,war,5\n")
        assert align() == {"train": True, "test": False}
        former = alignment_id()
        assert align(force=True) == {"train": False, "test": False}
        assert alignment_id() != former
    for name in organisations.names:
        organisations.stop_server(name)
        organisations.start_server(name)
    with connect(organisations.write_run()) as parties:
        assert align() == {"train": True, "test": True}

"""What an alignment of many chunks holds in memory, in its workers and in its owner."""

import multiprocessing
import re
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from party.alignment.curve import ELEMENT_BYTES, new_key
from party.alignment.hidden_order import hidden_order
from party.alignment.pool import WorkerPool
from party.alignment.received_elements import ReceivedElements, equal_elements
from party.data.ids import ids_of
from party.pb.party_pb2 import MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_PSI_RESPONSE, MESSAGE_KIND_PSI_SETUP
from tests.support.alignment_driving import LABEL, Exchange

PEER = "films"
CHUNK_ROWS = 256
CHUNKS = 24
FIRST_CHUNKS = 8
ID_LETTERS = 1000
KIB = 1024
GROWTH_BYTES = 256 * KIB
ROWS = 50_000
BYTES_PER_PAIR = 140  # 32 for each element; as many for a sorted copy of those of one side; 8 for each position
BYTES_PER_ID = 48  # hashes of 16 bytes while they are collected; positions while they are sorted


def peak_bytes(process):
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * KIB


def workers_now():
    return {child.pid for child in multiprocessing.active_children()}


def test_a_worker_holds_one_chunk_however_many_there_are():
    """One that kept what it gets would grow by 250 KiB with every chunk; by 48 KiB if it kept what it returns."""
    rows = CHUNKS * CHUNK_ROWS
    ids = [f"{number:06d}".ljust(ID_LETTERS, "x") for number in range(rows)]
    others = workers_now()
    with WorkerPool(1) as pool:
        both = {LABEL: {"train": ids}, PEER: {"train": ids}}
        with Exchange(pool, both, chunk_rows=CHUNK_ROWS, maximum_peer_rows=rows) as exchange:
            peaks = []
            for index in range(CHUNKS):
                exchange.to_label(MESSAGE_KIND_PSI_SETUP, "train", PEER, index)
                exchange.to_feature(MESSAGE_KIND_PSI_REQUEST, "train", PEER, index)
                exchange.to_label(MESSAGE_KIND_PSI_RESPONSE, "train", PEER, index)
                (worker,) = workers_now() - others
                peaks.append(peak_bytes(worker))
    assert exchange.counts[-1] == rows
    assert peaks[-1] - peaks[FIRST_CHUNKS] < GROWTH_BYTES


def traced(function, *arguments):
    tracemalloc.start()
    result = function(*arguments)
    return tracemalloc.get_traced_memory()[1], result


def peak_bytes_of(function, *arguments):
    """What a call holds at most beyond what there was before, as Python and NumPy count it.

    In a process of its own: tracing is not safe beside the threads of other libraries.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(traced, function, *arguments).result()


def intersect(chunks, rows):
    setup, responses = ReceivedElements(rows, "setup"), ReceivedElements(rows, "responses")
    for one, other in zip(chunks, reversed(chunks), strict=True):
        setup.append(one)
        responses.append(other)
    return equal_elements(setup, responses)


def test_an_owner_holds_elements_and_positions_and_nothing_of_each_chunk():
    generator = np.random.default_rng(0)
    chunks = [generator.bytes(CHUNK_ROWS * ELEMENT_BYTES) for _ in range(ROWS // CHUNK_ROWS)]
    rows = len(chunks) * CHUNK_ROWS
    peak, (positions, places) = peak_bytes_of(intersect, chunks, rows)
    backwards = np.arange(rows).reshape(-1, CHUNK_ROWS)[::-1].ravel()
    assert (backwards[places] == positions).all()
    assert len(np.unique(places)) == rows
    assert peak < BYTES_PER_PAIR * rows


def test_the_order_of_ids_takes_a_hash_and_a_number_for_each():
    ids = [f"id-{number}" for number in range(ROWS)]
    peak, order = peak_bytes_of(hidden_order, new_key(), ids_of(ids))
    assert len(order) == ROWS
    assert peak < BYTES_PER_ID * ROWS

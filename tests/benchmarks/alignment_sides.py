"""The two sides of an alignment between processes, and what they use; `tests.benchmarks.alignment` calls them."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa

from party.alignment.feature_side import FeatureSide
from party.alignment.label_side import LabelSide
from party.alignment.messages import chunk_count
from party.alignment.pool import WorkerPool
from party.alignment.terms import AlignmentTerms
from party.data.ids import Ids
from party.data.scratch import Scratch
from party.data.store.stored_columns import mapped_texts
from party.pb.party_pb2 import (
    MESSAGE_KIND_ALIGNED_ELEMENTS,
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF,
    MESSAGE_KIND_ALIGNMENT_PROOF,
    MESSAGE_KIND_PSI_REQUEST,
    MESSAGE_KIND_PSI_RESPONSE,
    MESSAGE_KIND_PSI_SETUP,
)
from party.policy.alignment_rules import AlignmentRules
from party.security.row_secret import fresh_row_secret

DATASET = "train"
PAIR_KEY = bytes(32)
REQUESTS_AHEAD = 4
BLOCK_ROWS = 1 << 16
SAMPLE_SECONDS = 0.02
KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Usage:
    """What one party used.

    Attributes:
        processor_seconds: user and system time of its process and its workers.
        owner_mebibytes: peak of its own memory that no file backs, beyond what it had before.
        worker_mebibytes: the highest peak of its workers.
    """

    processor_seconds: float
    owner_mebibytes: float
    worker_mebibytes: float


def peak_mebibytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / KIB_PER_MIB


def bare_mebibytes() -> float:
    """Peak of a Python process that does nothing."""
    program = "import pathlib, sys; sys.stdout.write(pathlib.Path('/proc/self/status').read_text())"
    status = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / KIB_PER_MIB


def workers_but(others: Iterable[int]) -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid not in set(others)]


def anonymous_mebibytes() -> float:
    """Memory of this process that no file backs."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / KIB_PER_MIB


class AnonymousPeak:
    """The most memory of this process that no file backs, beyond what it has at the beginning."""

    def __init__(self) -> None:
        self._before = self._most = anonymous_mebibytes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._most = max(self._most, anonymous_mebibytes())

    def end(self) -> float:
        """Ends the samples, and returns the peak."""
        self._ended.set()
        self._thread.join()
        return self._most - self._before


def usage(owner_peak: float, workers_peak: float) -> Usage:
    """What this process used, and its children that have ended."""
    counts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(count.ru_utime + count.ru_stime for count in counts)
    return Usage(seconds, owner_peak, workers_peak)


@dataclass(frozen=True)
class Sizes:
    """Sizes of an alignment.

    Attributes:
        label_rows: ids of the label party.
        feature_rows: ids of the feature party, the last half of which the label party has too.
        chunk_rows: ids of one message.
        workers: worker processes of each side.
        folder: for files of ids, and of passing results.
    """

    label_rows: int
    feature_rows: int
    chunk_rows: int
    workers: int
    folder: Path


def mapped_ids(path: Path, first_id: int, rows: int) -> Ids:
    """Ids that count upwards, in a file."""
    schema = pa.schema([("texts", pa.large_string())])
    content, offsets = bytearray(), np.zeros(rows + 1, np.int64)
    for start in range(0, rows, BLOCK_ROWS):
        block = [
            b"sample-%012d" % number for number in range(first_id + start, first_id + min(rows, start + BLOCK_ROWS))
        ]
        content += b"".join(block)
        offsets[start + 1 : start + 1 + len(block)] = np.arange(1, len(block) + 1) * len(block[0]) + offsets[start]
    texts = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(content))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch([texts], schema=schema))
    return Ids("id", mapped_texts(path))


def terms(party: str, peer: str, first_id: int, sizes: Sizes) -> AlignmentTerms:
    own, others = (sizes.label_rows, sizes.feature_rows) if party == "label" else (sizes.feature_rows, sizes.label_rows)
    return AlignmentTerms(
        party=party,
        peers={peer: {DATASET: others}},
        ids={DATASET: mapped_ids(sizes.folder / f"{party}.ids", first_id, own)},
        chunk_rows=sizes.chunk_rows,
        rules=AlignmentRules(party, minimum_intersection=1, maximum_peer_rows=others),
        scratch=Scratch(sizes.folder),
    )


def serve_feature_side(connection: Connection, sizes: Sizes) -> None:
    with WorkerPool(sizes.workers) as pool:
        own = terms("feature", "label", sizes.label_rows - sizes.feature_rows // 2, sizes)
        memory = AnonymousPeak()
        side = FeatureSide(own, pair_key=lambda peer: PAIR_KEY, pool=pool)
        while (call := connection.recv()) is not None:
            method, arguments, keywords = call
            connection.send(getattr(side, method)(*arguments, **keywords))
        side.close()
        workers_peak = max(map(peak_mebibytes, workers_but(())))
    connection.send(usage(memory.end(), workers_peak))


def align(connection: Connection, others: Iterable[int], sizes: Sizes) -> tuple[int, Usage]:
    def call(method, *arguments, **keywords):
        connection.send((method, arguments, keywords))
        return connection.recv()

    start = time.perf_counter()

    def note(stage: str) -> None:
        print(f"{stage:<10} {time.perf_counter() - start:6.1f} s", flush=True)

    with WorkerPool(sizes.workers) as pool:
        own = terms("label", "feature", 0, sizes)
        memory = AnonymousPeak()
        side = LabelSide(
            own,
            pair_key=lambda peer: PAIR_KEY,
            new_alignment_id=lambda: os.urandom(16),
            new_row_secret=lambda dataset: fresh_row_secret(os.urandom),
            pool=pool,
        )
        for index in range(chunk_count(sizes.feature_rows, sizes.chunk_rows)):
            setup, _ = call("produce", MESSAGE_KIND_PSI_SETUP, DATASET, "label", index)
            side.consume(MESSAGE_KIND_PSI_SETUP, DATASET, "feature", index, message=setup)
        note("setup")
        requested, chunks = 0, chunk_count(sizes.label_rows, sizes.chunk_rows)
        for index in range(chunks):
            while requested < min(chunks, index + REQUESTS_AHEAD):
                request, _ = side.produce(MESSAGE_KIND_PSI_REQUEST, DATASET, "feature", requested)
                call("consume", MESSAGE_KIND_PSI_REQUEST, DATASET, "label", requested, message=request)
                requested += 1
            response, _ = call("produce", MESSAGE_KIND_PSI_RESPONSE, DATASET, "label", index)
            side.consume(MESSAGE_KIND_PSI_RESPONSE, DATASET, "feature", index, message=response)
        note("responses")
        index, total = 0, 1
        while index < total:
            elements, total = side.produce(MESSAGE_KIND_ALIGNED_ELEMENTS, DATASET, "feature", index)
            call("consume", MESSAGE_KIND_ALIGNED_ELEMENTS, DATASET, "label", index, message=elements)
            index += 1
        proof, _ = call("produce", MESSAGE_KIND_ALIGNMENT_PROOF, DATASET, "label", 0)
        side.consume(MESSAGE_KIND_ALIGNMENT_PROOF, DATASET, "feature", 0, message=proof)
        proof, _ = side.produce(MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, DATASET, "feature", 0)
        call("consume", MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, DATASET, "label", 0, message=proof)
        note("elements")
        in_common = len(side.results()[DATASET].rows)
        side.close()
        workers_peak = max(map(peak_mebibytes, workers_but(others)))
    return in_common, usage(memory.end(), workers_peak)

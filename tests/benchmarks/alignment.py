"""What an alignment between two processes on this machine takes: `python -m tests.benchmarks.alignment --rows 100000`.

Prints seconds, processor seconds of both parties and their workers, and peaks of resident memory. The workers' peak is
compared with a Python process that has imported nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from party.alignment.feature_side import FeatureSide
from party.alignment.label_side import LabelSide
from party.alignment.messages import chunk_count
from party.alignment.pool import WorkerPool
from party.alignment.terms import AlignmentTerms
from party.data.ids import ids_of
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
KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Usage:
    """What one party used.

    Attributes:
        processor_seconds: user and system time of its process and its workers.
        owner_mebibytes: peak of its own resident memory.
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


def usage(workers_peak: float) -> Usage:
    """What this process used, and its children that have ended."""
    counts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(count.ru_utime + count.ru_stime for count in counts)
    return Usage(seconds, peak_mebibytes(os.getpid()), workers_peak)


def terms(party: str, peer: str, first_id: int, rows: int, chunk_rows: int) -> AlignmentTerms:
    return AlignmentTerms(
        party=party,
        peers={peer: {DATASET: rows}},
        ids={DATASET: ids_of([f"sample-{number:012d}" for number in range(first_id, first_id + rows)])},
        chunk_rows=chunk_rows,
        rules=AlignmentRules(party, minimum_intersection=1, maximum_peer_rows=rows),
    )


def serve_feature_side(connection: Connection, rows: int, chunk_rows: int, workers: int) -> None:
    with WorkerPool(workers) as pool:
        own = terms("feature", "label", rows // 2, rows, chunk_rows)
        side = FeatureSide(own, pair_key=lambda peer: PAIR_KEY, pool=pool)
        while (call := connection.recv()) is not None:
            method, arguments, keywords = call
            connection.send(getattr(side, method)(*arguments, **keywords))
        side.close()
        workers_peak = max(map(peak_mebibytes, workers_but(())))
    connection.send(usage(workers_peak))


def align(connection: Connection, others: Iterable[int], sizes: tuple[int, int, int]) -> tuple[int, Usage]:
    rows, chunk_rows, workers = sizes

    def call(method, *arguments, **keywords):
        connection.send((method, arguments, keywords))
        return connection.recv()

    start = time.perf_counter()

    def note(stage: str) -> None:
        print(f"{stage:<10} {time.perf_counter() - start:6.1f} s", flush=True)

    with WorkerPool(workers) as pool:
        own = terms("label", "feature", 0, rows, chunk_rows)
        side = LabelSide(
            own,
            pair_key=lambda peer: PAIR_KEY,
            new_alignment_id=lambda: os.urandom(16),
            new_row_secret=lambda dataset: fresh_row_secret(os.urandom),
            pool=pool,
        )
        chunks = chunk_count(rows, chunk_rows)
        for index in range(chunks):
            setup, _ = call("produce", MESSAGE_KIND_PSI_SETUP, DATASET, "label", index)
            side.consume(MESSAGE_KIND_PSI_SETUP, DATASET, "feature", index, message=setup)
        note("setup")
        requested = 0
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
    return in_common, usage(workers_peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--chunk-rows", type=int, default=8192)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="worker processes of each side")
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    sizes = (arguments.rows, arguments.chunk_rows, arguments.workers)
    start = time.perf_counter()
    feature = context.Process(target=serve_feature_side, args=(theirs, *sizes))
    feature.start()
    in_common, label_usage = align(ours, {feature.pid}, sizes)
    seconds = time.perf_counter() - start
    ours.send(None)
    feature_usage = ours.recv()
    feature.join()
    print(f"{arguments.rows} x {arguments.rows} ids, {in_common} in common: {seconds:.1f} s", flush=True)
    processor_seconds = label_usage.processor_seconds + feature_usage.processor_seconds
    per_id = 1e6 * processor_seconds / arguments.rows
    print(f"processor: {processor_seconds:.1f} s in all, {per_id:.0f} microseconds for an id at both parties")
    for name, used in (("label party", label_usage), ("feature party", feature_usage)):
        print(
            f"{name}: {used.processor_seconds:.1f} s of processor; peaks: itself {used.owner_mebibytes:.0f} MiB,"
            f" a worker {used.worker_mebibytes:.0f} MiB, of which {bare_mebibytes():.0f} MiB are a bare interpreter"
        )


if __name__ == "__main__":
    main()

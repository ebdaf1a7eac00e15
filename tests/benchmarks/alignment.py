"""Seconds that an alignment takes between two processes on this machine: `python alignment.py --rows 100000`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

from party.alignment.feature_side import FeatureSide
from party.alignment.label_side import LabelSide
from party.alignment.messages import chunk_count
from party.alignment.pool import WorkerPool
from party.alignment.terms import AlignmentTerms
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


def terms(party: str, peer: str, first_id: int, rows: int, chunk_rows: int) -> AlignmentTerms:
    return AlignmentTerms(
        party=party,
        peers={peer: {DATASET: rows}},
        ids={DATASET: [f"sample-{number:012d}" for number in range(first_id, first_id + rows)]},
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


def align(connection: Connection, rows: int, chunk_rows: int, workers: int) -> int:
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
    connection.send(None)
    return in_common


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
    in_common = align(ours, *sizes)
    feature.join()
    seconds = time.perf_counter() - start
    print(f"{arguments.rows} x {arguments.rows} ids, {in_common} in common: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()

"""The messages of a party's own ids, encrypted chunk by chunk by the workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

from party.alignment.messages import CHUNKS_AHEAD_PER_WORKER, Outgoing, chunk_count
from party.alignment.pool import WorkerPool
from party.alignment.psi import encrypt
from party.alignment.terms import AlignmentTerms
from party.data.sorting import Order


def encrypted_ids(
    terms: AlignmentTerms, dataset: str, order: Order, key: bytes, *, pool: WorkerPool, where: str
) -> Outgoing:
    """Makes the messages of all ids of a dataset; only a few chunks are under way or waiting at a time.

    Args:
        terms: this party's alignment terms.
        dataset: name of the dataset or table.
        order: own row numbers in the order to send them; shape (rows,), int32.
        key: a key that `new_key` made.
        pool: the pool of workers; each call gets the ids of its chunk and no others.
        where: kind, peer and dataset, for errors.

    Returns:
        The messages.
    """
    ids, chunk_rows = terms.ids[dataset], terms.chunk_rows
    total = chunk_count(len(ids), chunk_rows)

    def upcoming() -> Iterator[Future[bytes]]:
        for start in range(0, len(ids), chunk_rows):
            yield pool.submit(encrypt, key, ids.of(order[start : start + chunk_rows]))

    return Outgoing(total, where, upcoming(), CHUNKS_AHEAD_PER_WORKER * pool.workers)

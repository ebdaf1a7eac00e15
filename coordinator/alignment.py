"""Relays the messages of an alignment between the parties."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from coordinator.connection import PartyConnection
from coordinator.session import Session
from party.errors import SessionError
from party.pb import party_pb2 as pb

REQUESTS_AHEAD = 4

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DatasetAlignment:
    """What an alignment of one dataset came to.

    Attributes:
        dataset: name of the dataset.
        rows: of the file of each party.
        rows_in_common: of all parties; None where an alignment was reused and not counted.
        reused: whether an alignment from before still holds.
    """

    dataset: str
    rows: Mapping[str, int]
    rows_in_common: int | None
    reused: bool


class AlignmentRelay:
    """Moves sealed messages from the party that makes them to the party that takes them.

    Args:
        session: opened for alignment.
        advance: told of progress: what, done, total.
    """

    def __init__(self, session: Session, advance: Advance) -> None:
        self._session = session
        self._advance = advance
        self._given_up = threading.Event()

    def align(self) -> list[DatasetAlignment]:
        """Aligns every dataset that needs it.

        Returns:
            One result per dataset.
        """
        session = self._session
        counts = {dataset: self._align_dataset(dataset) for dataset in session.pending}
        session.finish()
        datasets = [one.dataset for one in session.datasets[session.run.label_party]]
        return [
            DatasetAlignment(
                dataset=dataset,
                rows={
                    party: next(one.rows for one in stated if one.dataset == dataset)
                    for party, stated in sorted(session.datasets.items())
                },
                rows_in_common=counts.get(dataset),
                reused=dataset not in counts,
            )
            for dataset in datasets
        ]

    def _align_dataset(self, dataset: str) -> int:
        """The setups of all feature parties come while the requests are answered: both sides compute."""
        features, label = self._session.features, self._session.label
        with ThreadPoolExecutor(max_workers=2 * len(features)) as threads:
            relays: list[Future[Any]] = [
                threads.submit(self._relay, pb.MESSAGE_KIND_PSI_SETUP, dataset, party, label) for party in features
            ]
            relays += [threads.submit(self._ask, dataset, party) for party in features]
            try:
                for relay in as_completed(relays):
                    relay.result()
            except BaseException:
                self._given_up.set()
                raise
        rows = 0
        for party in features:
            rows = self._relay(pb.MESSAGE_KIND_ALIGNED_DIGESTS, dataset, label, party)
        for party in features:
            self._relay(pb.MESSAGE_KIND_ALIGNMENT_PROOF, dataset, party, label)
        return rows

    def _ask(self, dataset: str, party: PartyConnection) -> None:
        """Requests and their responses; a few requests go ahead, so that the party's cores stay busy."""
        asked, answered, total = 0, 0, 1
        while answered < total:
            while asked < min(total, answered + REQUESTS_AHEAD):
                total = self._move(pb.MESSAGE_KIND_PSI_REQUEST, dataset, self._session.label, party, asked)[0]
                asked += 1
            self._move(pb.MESSAGE_KIND_PSI_RESPONSE, dataset, party, self._session.label, answered)
            answered += 1
            self._advance(f"{dataset}: answers of {party.name}", answered, total)

    def _relay(self, kind: pb.MessageKind, dataset: str, sender: PartyConnection, receiver: PartyConnection) -> int:
        index, total, rows = 0, 1, 0
        while index < total:
            total, rows = self._move(kind, dataset, sender, receiver, index)
            index += 1
            name = pb.MessageKind.Name(kind).removeprefix("MESSAGE_KIND_").lower().replace("_", " ")
            self._advance(f"{dataset}: {name}, {sender.name} to {receiver.name}", index, total)
        return rows

    def _move(
        self, kind: pb.MessageKind, dataset: str, sender: PartyConnection, receiver: PartyConnection, index: int
    ) -> tuple[int, int]:
        """One message; returns how many of its kind there are and the rows in common so far."""
        if self._given_up.is_set():
            raise SessionError("the alignment was given up", where=f"dataset {dataset}")
        reference = self._session.reference
        produced = sender.call(
            sender.stub.Produce,
            pb.ProduceRequest(session=reference, kind=kind, dataset=dataset, receiver=receiver.name, index=index),
        )
        consumed = receiver.call(
            receiver.stub.Consume,
            pb.ConsumeRequest(
                session=reference,
                kind=kind,
                dataset=dataset,
                sender=sender.name,
                index=index,
                envelope=produced.envelope,
            ),
        )
        return produced.total, consumed.rows_in_common

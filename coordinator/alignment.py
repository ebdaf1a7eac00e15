"""Relays the messages of an alignment between the parties."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from coordinator.party_client import PartyClient
from coordinator.session import CoordinatedSession
from party.errors import SessionError
from party.pb import party_pb2 as pb

REQUESTS_AHEAD = 4

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DatasetAlignment:
    """The result of an alignment of one dataset.

    Attributes:
        dataset: name of the dataset.
        rows: number of rows in the file of each party.
        rows_in_common: number of rows that all parties have; None if an earlier alignment was reused.
        reused: whether an earlier alignment is still valid.
    """

    dataset: str
    rows: Mapping[str, int]
    rows_in_common: int | None
    reused: bool


@dataclass(frozen=True)
class MessageRoute:
    """The route of all messages of one kind from one party to another.

    Attributes:
        kind: of the messages.
        dataset: the dataset being aligned.
        sender: party that produces the messages.
        receiver: party that consumes the messages.
    """

    kind: pb.MessageKind
    dataset: str
    sender: PartyClient
    receiver: PartyClient

    def __str__(self) -> str:
        name = pb.MessageKind.Name(self.kind).removeprefix("MESSAGE_KIND_").lower().replace("_", " ")
        return f"{self.dataset}: {name}, {self.sender.name} to {self.receiver.name}"


class AlignmentRelay:
    """Relays sealed messages from the party that produces them to the party that consumes them.

    Args:
        session: opened for alignment.
        advance: called with the progress: a text, the number of messages done, and their total.
    """

    def __init__(self, session: CoordinatedSession, advance: Advance) -> None:
        self._session = session
        self._advance = advance
        self._abandoned = threading.Event()

    def align(self) -> list[DatasetAlignment]:
        """Aligns every dataset without a valid alignment.

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
        """Aligns one dataset; setups and requests are relayed concurrently, so that both sides compute."""
        features, label = self._session.features, self._session.label
        threads = ThreadPoolExecutor(max_workers=2 * len(features))
        try:
            relays: list[Future[Any]] = [
                threads.submit(self._relay, MessageRoute(pb.MESSAGE_KIND_PSI_SETUP, dataset, party, label))
                for party in features
            ]
            relays += [threads.submit(self._relay_requests, dataset, party) for party in features]
            for relay in as_completed(relays):
                relay.result()
        except BaseException:
            self._abandoned.set()
            raise
        finally:
            # Not waiting: a call under way may be to a party that hangs. After a failure the session is closed next.
            threads.shutdown(wait=False, cancel_futures=True)
        rows = 0
        for party in features:
            rows = self._relay(MessageRoute(pb.MESSAGE_KIND_ALIGNED_ELEMENTS, dataset, label, party))
        for party in features:
            self._relay(MessageRoute(pb.MESSAGE_KIND_ALIGNMENT_PROOF, dataset, party, label))
            self._relay(MessageRoute(pb.MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, dataset, label, party))
        return rows

    def _relay_requests(self, dataset: str, party: PartyClient) -> None:
        """Relays requests and their responses; sends a few requests ahead to keep the party's cores busy."""
        label = self._session.label
        requests = MessageRoute(pb.MESSAGE_KIND_PSI_REQUEST, dataset, label, party)
        responses = MessageRoute(pb.MESSAGE_KIND_PSI_RESPONSE, dataset, party, label)
        asked, answered, total = 0, 0, 1
        while answered < total:
            while asked < min(total, answered + REQUESTS_AHEAD):
                total = self._relay_message(requests, asked)[0]
                asked += 1
            self._relay_message(responses, answered)
            answered += 1
            self._advance(f"{dataset}: answers of {party.name}", answered, total)

    def _relay(self, route: MessageRoute) -> int:
        index, total, rows = 0, 1, 0
        while index < total:
            total, rows = self._relay_message(route, index)
            index += 1
            self._advance(str(route), index, total)
        return rows

    def _relay_message(self, route: MessageRoute, index: int) -> tuple[int, int]:
        """Relays one message; returns the number of messages of its kind, and the rows in common so far."""
        if self._abandoned.is_set():
            raise SessionError("the alignment was abandoned", where=f"dataset {route.dataset}")
        reference, sender, receiver = self._session.reference, route.sender, route.receiver
        produced = sender.produce(reference, route.kind, dataset=route.dataset, receiver=receiver.name, index=index)
        consumed = receiver.consume(
            reference,
            route.kind,
            dataset=route.dataset,
            sender=sender.name,
            index=index,
            envelope=produced.envelope,
        )
        return produced.total, consumed.rows_in_common

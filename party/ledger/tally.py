"""Counts of sessions and releases over the lines of a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from party.ledger.entry import Kind, LedgerEntry

DAY = timedelta(days=1)
TRAIN, EVALUATE = "train", "evaluate"
RELEASED_TO_PEERS: tuple[Kind, ...] = ("hiddens", "gradients")


class Tally:
    """Counts sessions and releases.

    A session that ended counts with what it released; one that did not end, with the most that it could have released.

    Args:
        entries: all lines of a ledger.
    """

    def __init__(self, entries: Sequence[LedgerEntry]) -> None:
        self._entries = entries
        self._ended = {entry.session: entry for entry in entries if entry.event == "ended"}

    def sessions(self, purpose: str, dataset: str | None) -> int:
        """Counts the sessions that all parties agreed on; a training run that was resumed counts once.

        A run that holds out a whole dataset tells figures of its labels after each epoch: it is an evaluation too.

        Args:
            purpose: purpose of the sessions.
            dataset: the dataset that they read; None for any.

        Returns:
            The number of them.
        """
        return sum(_counts(entry, purpose, dataset) for entry in self.agreed())

    def datasets(self) -> Sequence[str]:
        """The names of all datasets that agreed sessions read, ascending."""
        return sorted({dataset for entry in self.agreed() for dataset in entry.datasets})

    def restores(self, run_id: str) -> int:
        """Number of times that a run resumed from a checkpoint or started again."""
        return sum(entry.run_id == run_id and entry.resume for entry in self.agreed())

    def restored_runs(self) -> Sequence[str]:
        """The run_ids of all runs that resumed or started again, ascending."""
        return sorted({entry.run_id for entry in self.agreed() if entry.resume})

    def opened_since(self, now: datetime, coordinator: str) -> int:
        """Counts the sessions that a coordinator requested within the last 24 hours.

        Args:
            now: the current time, with a time zone.
            coordinator: certificate name.

        Returns:
            The number of them.
        """
        return self._count("opened", coordinator, now)

    def refused_since(self, now: datetime, coordinator: str) -> int:
        """Counts the refusals of a coordinator's requests within the last 24 hours.

        Args:
            now: the current time, with a time zone.
            coordinator: certificate name.

        Returns:
            The number of them.
        """
        return self._count("refused", coordinator, now)

    def alignments_since(self, now: datetime, peer: str) -> int:
        """Counts the alignments with a peer within the last 24 hours.

        Args:
            now: the current time, with a time zone.
            peer: name of the other party.

        Returns:
            The number of them.
        """
        return sum(
            entry.purpose == "align" and peer in entry.peers for entry in self.agreed() if _is_recent(entry, now)
        )

    def releases_per_row(self, dataset: str | None) -> Fraction:
        """How often each row was released to peers, on average: each session's releases by the rows that it read.

        Args:
            dataset: the dataset that has the rows; None for any.
        """
        released: Counter[int] = Counter()
        for entry in self.agreed():
            if entry.purpose != "align" and _reads(entry, dataset):
                released[entry.rows] += to_peers(self.released(entry))
        return sum((per_row(count, rows) for rows, count in released.items()), Fraction())

    def agreed(self) -> Iterable[LedgerEntry]:
        """The lines of all sessions that all parties agreed on."""
        return (entry for entry in self._entries if entry.event == "agreed")

    def released(self, agreed: LedgerEntry) -> Mapping[Kind, int]:
        """What a session released, by kind; the most that it could have released if it has not ended.

        Args:
            agreed: the session's line of the agreement.
        """
        return self._ended.get(agreed.session, agreed).releases

    def unfinished(self) -> Iterable[LedgerEntry]:
        """The last line of every session that has not ended."""
        last = {entry.session: entry for entry in self._entries if entry.event in ("opened", "agreed")}
        return [entry for session, entry in last.items() if session not in self._ended]

    def _count(self, event: str, coordinator: str, now: datetime) -> int:
        return sum(
            (entry.event, entry.coordinator) == (event, coordinator)
            for entry in self._entries
            if _is_recent(entry, now)
        )


def to_peers(releases: Mapping[Kind, int]) -> int:
    """Number of releases of rows to peers among releases of all kinds."""
    return sum(releases.get(kind, 0) for kind in RELEASED_TO_PEERS)


def per_row(releases: int, rows: int) -> Fraction:
    """How often each of a session's rows is released, on average; exact, so that sums over sessions are."""
    return Fraction(releases, max(1, rows))


def _counts(entry: LedgerEntry, purpose: str, dataset: str | None) -> bool:
    """Whether a session is one of a purpose."""
    if entry.purpose == TRAIN and entry.resume:
        return False
    if entry.purpose == TRAIN and purpose == EVALUATE:
        held_out = entry.datasets[1:]
        return dataset in held_out or (dataset is None and bool(held_out))
    return entry.purpose == purpose and _reads(entry, dataset)


def _reads(entry: LedgerEntry, dataset: str | None) -> bool:
    return dataset is None or dataset in entry.datasets


def _is_recent(entry: LedgerEntry, now: datetime) -> bool:
    return now - datetime.fromisoformat(entry.time) < DAY

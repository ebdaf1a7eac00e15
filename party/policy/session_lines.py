"""The lines of one session in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from party.errors import PolicyError, SessionLostError
from party.ledger.charge import Charge
from party.ledger.entry import Content, Kind, LedgerEntry
from party.ledger.file import Ledger
from party.ledger.tally import Tally
from party.policy.requests import Release, SessionRequest
from party.security.printable import printable

SESSION_BYTES = 8
REFUSALS_WRITTEN_PER_DAY = 1000  # further ones are only logged, so that nobody can fill the disk with them
SHOWN_RESULT_CHARACTERS = 300


class SessionLines:
    """Writes the requests, grants and releases of a session; each line is written before the event that it records.

    Args:
        ledger: the party's ledger.
        request: the coordinator's request.
        peers: names of the other parties.
        now: the current time, with a time zone.
    """

    def __init__(
        self, ledger: Ledger, request: SessionRequest, peers: tuple[str, ...], *, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._now = now
        # Each text is bounded here too, whatever was checked before: lines stay on disk and in memory for good.
        self._content = Content(
            event="opened",
            coordinator=printable(request.coordinator),
            peers=tuple(printable(peer) for peer in peers),
            purpose=request.purpose_name,
            run_id=printable(request.run_id.hex()),
            datasets=tuple(printable(dataset) for dataset in request.datasets),
            resume=request.resume,
            without=tuple(printable(name) for name in request.without),
        )
        self._most: dict[Kind, int] = {}
        self._charges: tuple[Charge, ...] = ()
        self._opened = self._agreed = self._refused = self._ended = False

    @property
    def tally(self) -> Tally:
        """Sums over all lines of the party's ledger so far."""
        return Tally(self.before)

    @property
    def before(self) -> Sequence[LedgerEntry]:
        """All lines of the party's ledger so far."""
        return self._ledger.entries

    def opened(self, release: Release, session: bytes) -> None:
        """Writes that the session is granted.

        Args:
            release: the most that it would release.
            session: random id that identifies the session's lines.

        Raises:
            StorageError: the ledger cannot be written.
        """
        content = self._content.model_copy(
            update={
                "session": session.hex(),
                "rows": release.rows,
                "epochs": release.epochs,
                "codecs": dict(release.codecs),
                "joins": None if release.joins is None else dict(release.joins),
            }
        )
        self._ledger.append(content)
        self._content, self._most, self._charges = content, dict(release.most), release.charges
        self._opened = True

    def agreed(self) -> None:
        """Writes that all parties signed the session, so that releases may follow; does nothing the second time.

        Raises:
            StorageError: the ledger cannot be written; nothing may be released.
            SessionLostError: the session has ended.
        """
        if self._ended:
            raise SessionLostError("the session has ended", where="ledger")
        if not self._agreed:
            self._write("agreed", releases=self._most, charges=self._charges)
            self._agreed = True

    def refused(self, error: PolicyError) -> None:
        """Writes that a rule refused the session or, once it is open, something that a peer sent.

        An open session gets one such line, and none after its end. The line is omitted once very many of this
        coordinator were written today.

        Raises:
            StorageError: the ledger cannot be written.
        """
        refusals = self.tally.refused_since(self._now(), self._content.coordinator)
        if self._refused or self._ended or refusals >= REFUSALS_WRITTEN_PER_DAY:
            return
        self._refused = self._opened
        self._write("refused", result=printable(str(error), SHOWN_RESULT_CHARACTERS))

    def ended(self, result: str, releases: Mapping[Kind, int]) -> None:
        """Writes how the session ended; does nothing the second time.

        Args:
            result: how it ended.
            releases: number of rows that were released, by kind.

        Raises:
            StorageError: the ledger cannot be written; the session then counts with the most that it could release.
        """
        if not self._ended:
            self._ended = True
            self._write("ended", releases=dict(releases), result=result)

    def _write(self, event: str, **changes: object) -> None:
        self._ledger.append(self._content.model_copy(update={"event": event, **changes}))

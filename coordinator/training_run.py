"""A training run from its beginning, or from where it stopped, to its end, whatever fails in between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Event

from coordinator.checkpoints import Checkpointer
from coordinator.configuration import CoordinatorConfiguration
from coordinator.connection import PartyConnection, await_parties
from coordinator.history import History
from coordinator.journal import FAILED, STOPPED, TRAINED, Commit, Journal, RunEntry
from coordinator.progress import Display
from coordinator.session import Proposal, Session, new_run_id
from coordinator.traffic import Traffic
from coordinator.training import train
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import CheckpointError, ConnectionLostError, SessionLostError, SplitError, StoppedError
from party.pb.handshake_pb2 import Purpose
from party.protocol.checkpoints import ORIGIN, Mark
from party.security.clock import utc_now

MAXIMUM_FRUITLESS_ATTEMPTS = 10  # that lost a party before one more checkpoint was committed


class TrainingRun:
    """Opens sessions for one run until one of them gets to the end.

    A session that loses a party is followed by another one, which begins at the last checkpoint that every party has.
    Where a party's part of it is damaged, the checkpoint before it is used.

    Args:
        connections: by party.
        configuration: of the coordinator.
        journal: of the coordinator.
        entry: the run, noted in the journal as running.
        display: shows progress.
        stop: set once the run is to end in order.
    """

    def __init__(
        self,
        connections: Mapping[str, PartyConnection],
        configuration: CoordinatorConfiguration,
        journal: Journal,
        entry: RunEntry,
        display: Display,
        stop: Event,
    ) -> None:
        self._connections = connections
        self._configuration = configuration
        self._journal = journal
        self._run_id = bytes.fromhex(entry.run_id)
        self._sent = entry.configuration
        self._run: RunConfiguration = run_configuration_from_bytes(entry.configuration)
        self._display = display
        self._stop = stop
        self._unusable: set[Mark] = set()
        self._fruitless_attempts = 0

    def complete(self) -> History:
        """Trains to the end.

        Returns:
            The history of the whole run, also written to its folder.

        Raises:
            StoppedError: it was asked to stop, and did.
            SplitError: what cannot be waited for or worked around.
        """
        try:
            history = self._attempts()
        except StoppedError:
            self._journal.end(self._run_id, STOPPED)
            raise
        except SplitError:
            self._journal.end(self._run_id, FAILED)
            raise
        except BaseException:
            self._journal.end(self._run_id, STOPPED)
            raise
        history.save(self._journal.run_folder(history.run_id))
        self._journal.end(self._run_id, TRAINED)
        return history

    def _attempts(self) -> History:
        while True:
            start = self._latest_usable()
            try:
                return self._attempt(start)
            except CheckpointError as error:
                if start.mark == ORIGIN:
                    raise
                self._unusable.add(start.mark)
                self._display.line(f"checkpoint of step {start.mark.step} cannot be used: {error}")
            except (ConnectionLostError, SessionLostError) as error:
                self._fruitless_attempts += 1
                if self._stop.is_set() or self._fruitless_attempts > MAXIMUM_FRUITLESS_ATTEMPTS:
                    raise
                self._display.line(f"waiting for the parties: {error}")
                await_parties(self._connections, self._configuration.reconnect_seconds)
                self._begin_anew_where_none_agreed()

    def _attempt(self, start: Commit) -> History:
        """One session, from a checkpoint to the end of the run."""
        began = self._journal.entry(self._run_id).began
        proposal = Proposal(
            Purpose.PURPOSE_TRAIN, self._run_id, self._journal.lease, self._sent, start=start.mark, resume=began
        )
        with Session(self._connections, self._run, proposal) as session:
            self._journal.agreed(self._run_id, session.steps)
            if start.mark != ORIGIN or began:
                self._display.line(f"going on from step {start.mark.step} of {session.steps}")
            started_seconds = time.monotonic()

            def note(mark: Mark, traffic: Traffic) -> None:
                seconds = start.seconds + time.monotonic() - started_seconds
                message_bytes = start.message_bytes + traffic.message_bytes
                self._journal.commit(self._run_id, Commit(mark, utc_now().isoformat(), seconds, message_bytes))
                self._fruitless_attempts = 0

            checkpointer = Checkpointer(session, self._configuration.checkpoints, note)
            try:
                history = train(session, self._display, checkpointer, self._stop_requested)
            except (KeyboardInterrupt, SystemExit):
                checkpointer.abandon()
                raise
            except BaseException:
                checkpointer.close()
                raise
            checkpointer.close()
        history.seconds += start.seconds
        history.message_bytes += start.message_bytes
        return history

    def _latest_usable(self) -> Commit:
        commits = [one for one in self._journal.entry(self._run_id).commits if one.mark not in self._unusable]
        return commits[-1] if commits else Commit(ORIGIN, "", 0.0, 0)

    def _stop_requested(self) -> bool:
        return self._stop.is_set() or self._journal.stop_requested(self._run_id)

    def _begin_anew_where_none_agreed(self) -> None:
        """A run that some parties know and others do not cannot go on, and has nothing to lose."""
        if self._journal.entry(self._run_id).began:
            return
        self._journal.end(self._run_id, FAILED)
        self._run_id = new_run_id()
        self._journal.begin(self._run_id, self._sent, utc_now())

"""Completes a training run, new or resumed, despite lost connections and parties that restart."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event

from coordinator.checkpoints import Checkpointer, NoteCommit
from coordinator.configuration import CoordinatorConfiguration
from coordinator.connection import await_parties
from coordinator.history import History
from coordinator.journal import FAILED, STOPPED, TRAINED, Commit, Journal, RunEntry
from coordinator.party_client import PartyClient
from coordinator.progress import Display
from coordinator.retry import FIRST_DELAY_SECONDS, GROWTH, LONGEST_DELAY_SECONDS
from coordinator.run_activity import RunPhase
from coordinator.run_watch import RunWatch
from coordinator.run_watchers import WatchedSession
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from coordinator.statements import save_statements
from coordinator.traffic import Traffic
from coordinator.training import EpochsEnded, train
from party.configuration.run import RunConfiguration, run_configuration_from_bytes
from party.errors import CheckpointError, ConnectionLostError, SessionLostError, SplitError, StoppedError
from party.output.quantities import count_text
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.protocol.checkpoints import ORIGIN, Mark
from party.security.clock import utc_now

STOP_CHECK_SECONDS = 0.5  # between two looks for a request of another process
MAXIMUM_ATTEMPTS_WITHOUT_PROGRESS = 10  # in a row that lost a party before committing a checkpoint


class TrainingRun:
    """Opens sessions for one run until one of them completes it.

    After a session that loses a party, the next one starts from the last checkpoint that every party has. If a party's
    part of a checkpoint is damaged, the one before is used.

    Args:
        clients: by party name.
        configuration: of the coordinator.
        journal: of the coordinator.
        entry: the run, with the state `running` in the journal.
        display: shows progress.
        stop: once set, the run stops after a checkpoint.
        watch: counts what the run does, and tells whoever watches it.
    """

    def __init__(
        self,
        clients: Mapping[str, PartyClient],
        configuration: CoordinatorConfiguration,
        journal: Journal,
        entry: RunEntry,
        *,
        display: Display,
        stop: Event,
        watch: RunWatch,
    ) -> None:
        self._clients = clients
        self._configuration = configuration
        self._journal = journal
        self._run_id = bytes.fromhex(entry.run_id)
        self._sent = entry.configuration
        self._continues = entry.continues
        self._run: RunConfiguration = run_configuration_from_bytes(entry.configuration)
        self._display = display
        self._stop = stop
        self._watch = watch
        self._look_again_seconds = 0.0
        self._unusable: set[Mark] = set()
        self._attempts_without_progress = 0

    def complete(self) -> History:
        """Trains to the end.

        Returns:
            The history of the whole run, also written to its folder.

        Raises:
            StoppedError: the run was stopped on request.
            SplitError: a failure that neither waiting nor an earlier checkpoint can remedy.
        """
        try:
            history = self._attempts()
            history.continues = self._continues
            history.save(self._journal.run_folder(history.run_id))
        except StoppedError:
            self._end(STOPPED)
            raise
        except (ConnectionLostError, SessionLostError) as error:
            if not self._stop.is_set() or not self._journal.entry(self._run_id).began:
                self._end(FAILED)
                raise
            self._end(STOPPED)
            raise self._stopped_while_away(error) from error
        except SplitError:
            self._end(FAILED)
            raise
        except BaseException:
            self._journal.end(
                self._run_id, STOPPED
            )  # and no more: whoever interrupts a second time waits for no server
            raise
        self._end(TRAINED, history)
        return history

    def _end(self, outcome: str, history: History | None = None) -> None:
        self._journal.end(self._run_id, outcome)
        self._watch.activity.enter(RunPhase.IDLE)
        self._watch.end(outcome, history)

    def _stopped_while_away(self, error: SplitError) -> StoppedError:
        """The error of a run that was stopped while a party was away, so that no checkpoint could be made."""
        run, step = self._run_id.hex()[:8], count_text(self._latest_usable().mark.step)
        return StoppedError(
            f"stopped while {error.where or 'a party'} did not answer; the last checkpoint is of step {step}",
            where=f"run {run}",
            fix=f"run `coordinator train --resume {run}` to resume",
        )

    def _attempts(self) -> History:
        while True:
            start = self._latest_usable()
            self._watch.activity.enter(RunPhase.OPENING)
            try:
                return self._attempt(start)
            except CheckpointError as error:
                if start.mark == ORIGIN:
                    raise
                self._unusable.add(start.mark)
                self._display.print_line(f"checkpoint of step {count_text(start.mark.step)} cannot be used: {error}")
            except (ConnectionLostError, SessionLostError) as error:
                self._attempts_without_progress += 1
                self._watch.activity.enter(RunPhase.WAITING)
                if self._stop.is_set() or self._attempts_without_progress > MAXIMUM_ATTEMPTS_WITHOUT_PROGRESS:
                    raise
                self._display.print_line(f"waiting for the parties: {error}")
                # For some seconds, a party may answer Describe and still lack what a session needs.
                self._stop.wait(
                    min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * GROWTH**self._attempts_without_progress)
                )
                await_parties(self._clients, self._configuration.reconnect_seconds)
                self._restart_run_without_agreement()

    def _attempt(self, start: Commit) -> History:
        """Runs one session, from a checkpoint to the end of the run."""
        began = self._journal.entry(self._run_id).began
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_TRAIN,
            run_id=self._run_id,
            lease=self._journal.lease,
            configuration=self._sent,
            start=start.mark,
            resume=began,
            continues=bytes.fromhex(self._continues),
        )
        with (
            CoordinatedSession(self._clients, self._run, proposal) as session,
            self._watch.session(session, self._watched(session)) as traffic,
        ):
            self._note_agreement(session)
            self._announce(start, began, session.steps)
            checkpointer = Checkpointer(session, self._configuration.checkpoints, self._noting(start))
            try:
                history = train(
                    session,
                    self._display,
                    checkpointer,
                    self._stop_requested,
                    traffic=traffic,
                    on_epochs=self._keeping(start, session, traffic),
                )
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

    def _note_agreement(self, session: CoordinatedSession) -> None:
        self._journal.agreed(self._run_id, session.steps)
        save_statements(self._journal.run_folder(self._run_id.hex()), session.hellos)

    def _announce(self, start: Commit, began: bool, steps: int) -> None:
        """Says where a run goes on that did not begin with this session."""
        if start.mark != ORIGIN or began:
            self._display.print_line(f"resuming from step {count_text(start.mark.step)} of {count_text(steps)}")
        elif self._continues:
            self._display.print_line(
                f"continuing run {self._continues[:8]}: with its weights and vocabularies, and new optimizers"
            )

    def _noting(self, start: Commit) -> NoteCommit:
        """Makes what writes the commits of a session that begins now to the journal."""
        started_seconds = time.monotonic()

        def note(mark: Mark, traffic: Traffic) -> None:
            seconds = start.seconds + time.monotonic() - started_seconds
            message_bytes = start.message_bytes + traffic.message_bytes
            self._journal.commit(self._run_id, Commit(mark, utc_now().isoformat(), seconds, message_bytes))
            self._attempts_without_progress = 0
            self._watch.activity.committed()

        return note

    def _keeping(self, start: Commit, session: CoordinatedSession, traffic: Traffic) -> EpochsEnded:
        """Makes what writes the history so far, so that a run which does not finish has the figures of its epochs."""
        started_seconds = time.monotonic()
        tell = self._watch.epochs(session, traffic, start.message_bytes)

        def ended(epochs: Sequence[pb.EpochReport], history: History) -> None:
            tell(epochs)
            so_far = replace(
                history,
                continues=self._continues,
                seconds=start.seconds + time.monotonic() - started_seconds,
                message_bytes=start.message_bytes + traffic.message_bytes,
            )
            so_far.save(self._journal.run_folder(history.run_id))

        return ended

    def _watched(self, session: CoordinatedSession) -> WatchedSession:
        run_id = self._run_id.hex()
        return WatchedSession(
            run_id=run_id,
            run=self._run,
            folder=self._journal.run_folder(run_id),
            continues=self._continues,
            epochs_before=session.epochs_before,
        )

    def _latest_usable(self) -> Commit:
        commits = [one for one in self._journal.entry(self._run_id).commits if one.mark not in self._unusable]
        return commits[-1] if commits else Commit(ORIGIN, "", 0.0, 0)

    def _stop_requested(self) -> bool:
        """Whether this process was asked to stop, or another one left a request, for which it looks now and then."""
        now = time.monotonic()
        if now >= self._look_again_seconds:
            self._look_again_seconds = now + STOP_CHECK_SECONDS
            if self._journal.stop_requested(self._run_id):
                return True
        return self._stop.is_set()

    def _restart_run_without_agreement(self) -> None:
        """Starts a new run if not every party agreed to this one: it cannot be resumed, and has no progress to lose."""
        if self._journal.entry(self._run_id).began:
            return
        self._journal.end(self._run_id, FAILED)
        self._run_id = new_run_id()
        self._journal.begin(self._run_id, self._sent, utc_now(), self._continues)

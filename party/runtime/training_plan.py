"""The plan of a session that trains a new run, or resumes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from party.cut.state import State, join_states, part_of
from party.errors import CheckpointError, SessionError
from party.ledger.entry import Kind
from party.pb.party_pb2 import Envelope
from party.policy.requests import Release
from party.protocol.checkpoints import ORIGIN
from party.protocol.request_journal import RequestJournal
from party.runtime.absence import absent_in_training
from party.runtime.batch_agreement import BatchAgreement
from party.runtime.batches import Batches
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.meter_taps import session_meters
from party.runtime.own_entities import entities_referred, most_sent
from party.runtime.own_events import OwnEvents
from party.runtime.own_figures import OwnFigures
from party.runtime.plan import OfferedCalls, PairSecrets, SessionResult
from party.runtime.proposal import Opening
from party.runtime.records import ENCODERS_FILE
from party.runtime.request_file import RequestFile
from party.runtime.run_origin import check_trainable, former_run
from party.runtime.session_report import SessionReport, label_report
from party.runtime.session_work import SessionWork, WrittenCheckpoints
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.runtime.training_setup import TrainingSetup, complete_models, training_setup
from party.security.files import write_atomically
from party.security.sealing import SealingKeys

METERS = "meters"


class TrainingPlan:
    """A training run, from its beginning or from a checkpoint.

    Args:
        setup: the session's setup.
        agreement: what the session's parties agree on.
        batches: the session's batches.
        restored: state of the checkpoint to start from; None at the beginning of the run.
    """

    def __init__(
        self, setup: TrainingSetup, agreement: BatchAgreement, batches: Batches, restored: State | None
    ) -> None:
        self._setup = setup.batches
        self._schedule = setup.schedule
        self._encoders_json = setup.encoders_json
        self._opening = opening = setup.batches.opening
        self._batches = batches
        self._restored = restored
        self._start = opening.proposal.start
        party, holds_labels = opening.context.party, opening.context.configuration.holds_labels
        self._files = CheckpointFiles(opening.folder, party)
        senders = len(opening.run.feature_parties) if holds_labels and not opening.run.masked_parties else 1
        self._requests = RequestFile(opening.folder, party, senders)
        self._meters = session_meters(setup.batches)
        self._figures = OwnFigures(opening.folder, opening.run_id.hex(), setup.batches.rows.negatives)
        self._events = OwnEvents(opening)
        self._checkpoints: TrainingCheckpoints | None = None
        self.facts = setup.batches.facts(training_release(setup), _lineage(setup))
        self.agreement = agreement
        self.progress = batches
        self.offered = OfferedCalls(
            batches=batches,
            check_meters=batches.check_meters,
            report=self.report,
            checkpoints=self,
            finish=self.finish,
            work=self._work,
        )

    @property
    def released(self) -> Mapping[Kind, int]:
        """Number of rows released so far, by kind."""
        return self._batches.released

    def start(self, keys: SealingKeys, secrets: PairSecrets) -> None:
        """Binds the run_id to this agreement, then prepares for the first message.

        Args:
            keys: the session's sealing keys.
            secrets: what this party shares with each peer.

        Raises:
            CheckpointError: the checkpoint to start from cannot be used.
            StorageError: the folder of the run cannot be written.
        """
        journal = self._begin_records(keys)
        self._batches.start(keys, secrets, journal=journal, on_pass=self._log_epoch, meters=self._meters)
        restored, self._restored = self._restored, None
        if restored is not None:
            self._batches.exchanges.set_state(restored)
            self._check_position()
        if self._meters is not None:
            self._meters.begin(part_of(restored or State(), METERS), self._start.step)

    def report(self, steps_seen: int) -> SessionReport:
        """Reports timings and the released metrics.

        Args:
            steps_seen: number of released step losses that the coordinator already has.
        """
        timings, label = self._batches.timings.totals(), self._batches.label_side
        if label is None:
            return SessionReport(timings=timings)
        rules, negatives = self._opening.grant.metrics, self._setup.rows.negatives
        return label_report(label, timings, rules, steps_seen=steps_seen, negatives=negatives)

    def snapshot(self, step: int) -> None:
        """Takes a snapshot of the state, between two training batches or at the end.

        Args:
            step: number of training steps so far.

        Raises:
            SessionError: the party is at another step, or within one.
        """
        exchanges = self._batches.exchanges
        if exchanges.step != step:
            expected = f"Snapshot {exchanges.step}"
            where = self._opening.context.party
            raise SessionError("call out of order", where=where, expected=expected, received=f"{step}")
        self._started_checkpoints.take(step, self._with_meters(exchanges.state()))

    def prepare(self, step: int) -> tuple[bytes, list[Envelope]]:
        """Makes the latest snapshot durable and, at the label party, its own figures so far.

        Args:
            step: the step of the snapshot.

        Returns:
            The lineage of the checkpoint, and a sealed voucher for every peer.

        Raises:
            SessionError: no snapshot of this step was taken.
            StorageError: the disk is full, or the folder cannot be written.
        """
        prepared = self._started_checkpoints.prepare(step)
        label = self._batches.label_side
        if label is not None:
            self._figures.write_training(label)
        return prepared

    def commit(self, step: int, vouchers: Sequence[Envelope]) -> None:
        """Records that a checkpoint is durable at all parties, and drops older ones.

        Args:
            step: step of the checkpoint.
            vouchers: the vouchers that every peer sealed.

        Raises:
            SessionError: no checkpoint of this step is durable here.
            SealError: a peer did not vouch for it.
        """
        self._started_checkpoints.commit(step, vouchers)

    def finish(self) -> SessionResult:
        """Writes the trained model.

        Raises:
            SessionError: not every batch is done.
            StorageError: the disk is full, or the folder cannot be written.
        """
        self._batches.require_finished()
        folder, models, label = self._opening.folder, self._setup.models, self._batches.label_side
        files = list(models.save(folder, self._setup.teacher))
        if self._encoders_json:
            write_atomically(folder / ENCODERS_FILE, self._encoders_json.encode())
            files.append(ENCODERS_FILE)
        if label is not None:
            files += self._figures.write_training(label)
        lineage = self._started_checkpoints.mark(self._batches.step).lineage
        layouts = {"base": models.base_layout, "fuse": models.fuse_layout}
        absent = absent_in_training(self._setup, self._schedule, self._batches.step)
        trained = {"state": "trained", "lineage": lineage.hex(), "steps": self._batches.step, "absent_trained": absent}
        self._opening.context.records.save(self._setup.record.model_copy(update={**trained, **layouts}))
        return SessionResult(tuple(files), len(self._setup.rows), lineage)

    def close(self) -> None:
        """Waits for computations that have begun, and closes the files that grow."""
        try:
            self._batches.close()
        finally:
            self._events.close()
            self._requests.close()

    @property
    def _started_checkpoints(self) -> TrainingCheckpoints:
        if self._checkpoints is None:
            raise RuntimeError("the session was not started")
        return self._checkpoints

    def _work(self) -> SessionWork:
        """What the session has done so far, with its checkpoints."""
        written = WrittenCheckpoints() if self._checkpoints is None else self._checkpoints.written
        return replace(self._batches.work, checkpoints=written)

    def _with_meters(self, state: State) -> State:
        """Adds the meters' state beside that of the training, which neither needs it nor misses it."""
        if self._meters is None:
            return state
        meters = join_states({METERS: self._meters.state()})
        return State({**state.values, **meters.values}, {**state.arrays, **meters.arrays})

    def _begin_records(self, keys: SealingKeys) -> RequestJournal:
        """Writes the run's record, and opens its checkpoints and the requests that led to them."""
        opening, configuration = self._opening, self._opening.context.configuration
        self._checkpoints = TrainingCheckpoints(
            keys,
            self._files,
            self._requests,
            party=configuration.party,
            peers=[name for name in opening.run.parties if name != configuration.party],
            dataset=self._setup.rows.dataset,
            start=self._start,
            keep=configuration.checkpoints.keep,
            monotonic=opening.context.monotonic,
        )
        opening.context.records.save(self._setup.record)
        known = self._requests.open(self._schedule.position_of(self._start.step))
        return RequestJournal(known, self._requests, configuration.checkpoints.allow_other_numerics, keys.invalidate)

    def _log_epoch(self) -> None:
        """Logs an epoch once all of its passes have ended."""
        label = self._batches.label_side
        if label is None:
            return
        epoch = label.own_epochs[-1]
        if epoch.validation is not None or not len(self._schedule.held_out_rows):
            self._figures.log_epoch(epoch)
            self._events.add(epoch)

    def _check_position(self) -> None:
        """Refuses a checkpoint of another schedule, which only another version of this software can have written."""
        step, exchanges = self._start.step, self._batches.exchanges
        if exchanges.position != self._schedule.position_of(step) and not exchanges.finished:
            where = f"{self._opening.context.party}: checkpoint of step {step}"
            raise CheckpointError("does not fit the schedule", where=where)


def training_plan(opening: Opening) -> TrainingPlan:
    """Prepares the plan of a training session.

    Args:
        opening: the granted proposal.

    Raises:
        PolicyError: the owner does not allow the run.
        SessionError: a new run's run_id was used before, or something that a resumed run depends on has changed.
        CheckpointError: a resumed run cannot continue from its point here.
        SplitError: the data does not fit.
    """
    check_trainable(opening)
    former = former_run(opening)
    start = opening.proposal.start
    restored = None if start == ORIGIN else CheckpointFiles(opening.folder, opening.context.party).read(start)
    setup = training_setup(opening, former)
    agreement = BatchAgreement(setup.batches, partial(complete_models, setup.batches))
    return TrainingPlan(setup, agreement, Batches(setup.batches, agreement), restored)


def _lineage(setup: TrainingSetup) -> bytes:
    """Digest of the history of the weights that the session starts with."""
    start, continued = setup.batches.opening.proposal.start, setup.batches.continued
    return continued.lineage if start == ORIGIN and continued is not None else start.lineage


def training_release(setup: TrainingSetup) -> Release:
    """The release of the session: every epoch from the one that it begins in, each counted whole."""
    batches, schedule = setup.batches, setup.schedule
    opening = batches.opening
    epoch = schedule.epoch_of(opening.proposal.start.step)
    training, held_out = schedule.rows_from(epoch)
    holds_labels, codecs = opening.context.configuration.holds_labels, opening.run.training.codecs
    passes = (1 + bool(held_out)) * (schedule.epochs - epoch)
    return Release(
        rows=entities_referred(batches.rows.own_map, len(batches.rows.first)),
        epochs=schedule.epochs - epoch,
        codecs={"hidden": codecs.hidden.kind, "gradient": codecs.gradient.kind},
        most={"gradients": training, "metrics": passes} if holds_labels else {"hiddens": _most_hiddens(setup, epoch)},
    )


def _most_hiddens(setup: TrainingSetup, epoch: int) -> int:
    """An upper bound on the hiddens that a feature party sends in all epochs from one on."""
    schedule, row_map = setup.schedule, setup.batches.rows.own_map
    distinct = setup.batches.opening.run.training.sends_distinct
    steps = [count for _, count in schedule.passes[epoch:]]
    validations = [schedule.validation_batches] * len(steps)
    training, _ = schedule.rows_from(epoch)
    most_training = most_sent(row_map, schedule.training_rows, steps, distinct=distinct)
    return min(training, most_training) + most_sent(row_map, schedule.held_out_rows, validations, distinct=distinct)

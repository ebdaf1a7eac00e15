"""Puts recordings of what arrives and what leaves into a session, where the party's own file asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from party.audit.received_header import MessageName, ReceivedHeader, received_columns
from party.audit.recording import Recording
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.pb.handshake_pb2 import Purpose
from party.runtime.batch_setup import BatchSetup
from party.runtime.run_conditions import run_conditions


@dataclass(frozen=True)
class SessionRecordings:
    """The recordings of a session.

    Attributes:
        received: of what peers send; None where nothing arrives.
        sent: of what this party sends; None where nothing leaves.
    """

    received: Recording | None
    sent: Recording | None

    def close(self) -> None:
        """Makes everything durable and refuses further batches."""
        for recording in (self.received, self.sent):
            if recording is not None:
                recording.close()


def session_recordings(setup: BatchSetup) -> SessionRecordings | None:
    """The recordings of a session; None unless the owner asks for them, and in a session that only measures.

    Args:
        setup: the session's setup.

    Raises:
        StorageError: a folder of the recordings cannot be written.
    """
    opening = setup.opening
    configuration = opening.context.configuration
    if not configuration.audit.record or opening.proposal.purpose == Purpose.PURPOSE_MEASURE:
        return None
    trains = setup.training is not None  # outside of training there are no gradients
    recordings = SessionRecordings(
        received=_recording(setup, sends=False) if trains or configuration.holds_labels else None,
        sent=_recording(setup, sends=True) if trains or not configuration.holds_labels else None,
    )
    if trains and recordings.sent is not None:
        recordings.sent.note_conditions(run_conditions(setup))
    return recordings


def received_observers(
    recordings: SessionRecordings | None, setup: BatchSetup, senders: Mapping[str, CutLayout]
) -> dict[str, Observer]:
    """The observers of what peers send, by peer; none without a recording.

    Args:
        recordings: the session's recordings.
        setup: the session's setup.
        senders: column layout of what each peer sends, by its name.

    Raises:
        StorageError: a file cannot be used.
    """
    if recordings is None or recordings.received is None:
        return {}
    own = setup.opening.context.configuration
    kind: MessageName = "hidden" if own.holds_labels else "gradient"
    return {
        name: recordings.received.observer(_header(setup, kind, (name, own.party), layout))
        for name, layout in senders.items()
    }


def sent_observer(
    recordings: SessionRecordings | None, setup: BatchSetup, receiver: str, layout: CutLayout
) -> Observer | None:
    """The observer of what this party sends to a peer; None without a recording.

    Args:
        recordings: the session's recordings.
        setup: the session's setup.
        receiver: name of the peer.
        layout: column layout of what it gets.

    Raises:
        StorageError: a file cannot be used.
    """
    if recordings is None or recordings.sent is None:
        return None
    own = setup.opening.context.configuration
    kind: MessageName = "gradient" if own.holds_labels else "hidden"
    return recordings.sent.observer(_header(setup, kind, (own.party, receiver), layout))


def both_observers(meter: Observer | None, recording: Observer | None) -> Observer | None:
    """An observer for a meter, which sees training alone, and a recording, which sees everything that leaves.

    Args:
        meter: observes training batches; None without a meter.
        recording: observes all batches; None without a recording.
    """
    if meter is None:
        return recording

    def observe(values: FloatArray, place: Place) -> None:
        if place.trains:
            meter(values, place)
        if recording is not None:
            recording(values, place)

    return observe


def _recording(setup: BatchSetup, *, sends: bool) -> Recording:
    opening, schedule = setup.opening, setup.schedule
    recording = Recording(
        opening.folder, opening.context.party, lambda position: schedule.exchange(position).epoch, sends=sends
    )
    recording.note_ids(setup.rows.dataset, setup.rows.row_names())
    return recording


def _header(setup: BatchSetup, kind: MessageName, way: tuple[str, str], layout: CutLayout) -> ReceivedHeader:
    """The header of what one party sends to another."""
    sender, receiver = way
    return ReceivedHeader(
        kind=kind,
        sender=sender,
        receiver=receiver,
        dataset=setup.rows.dataset,
        purpose="inference" if setup.training is None else "training",
        hiddens=received_columns(layout),
    )

"""Puts a recording of what peers send into a session, where the party's own file asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from party.audit.received_header import ReceivedHeader, received_columns
from party.audit.recording import Recording
from party.channel.tap import Observer
from party.cut.layout import CutLayout
from party.pb.handshake_pb2 import Purpose
from party.runtime.batch_setup import BatchSetup


def session_recording(setup: BatchSetup) -> Recording | None:
    """The recording of a session; None unless the owner asks for it, and in a session that only measures.

    Args:
        setup: the session's setup.

    Raises:
        StorageError: the folder of the recording cannot be written.
    """
    opening = setup.opening
    configuration = opening.context.configuration
    receives = setup.training is not None or configuration.holds_labels  # outside of training there are no gradients
    if not (configuration.audit.record and receives) or opening.proposal.purpose == Purpose.PURPOSE_MEASURE:
        return None
    schedule = setup.schedule
    recording = Recording(opening.folder, configuration.party, lambda position: schedule.exchange(position).epoch)
    recording.note_ids(setup.rows.dataset, setup.rows.ids().tolist())
    return recording


def recording_observers(
    recording: Recording, setup: BatchSetup, senders: Mapping[str, CutLayout]
) -> dict[str, Observer]:
    """The observers of what peers send.

    Args:
        recording: the session's recording.
        setup: the session's setup.
        senders: column layout of what each peer sends, by its name.

    Returns:
        An observer for each peer, by its name.

    Raises:
        StorageError: a file cannot be used.
    """
    configuration = setup.opening.context.configuration
    return {
        name: recording.observer(
            ReceivedHeader(
                kind="hidden" if configuration.holds_labels else "gradient",
                sender=name,
                receiver=configuration.party,
                dataset=setup.rows.dataset,
                purpose="inference" if setup.training is None else "training",
                hiddens=received_columns(layout),
            )
        )
        for name, layout in senders.items()
    }

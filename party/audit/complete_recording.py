"""Recordings that hold everything: attacks on a part of what left find less than its receiver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from party.audit.received_file import ReceivedFile, received_files
from party.audit.received_header import MessageName
from party.errors import StorageError


def complete_recording(
    folder: Path, kind: MessageName, receivers: Sequence[str], *, steps: int, where: str
) -> list[ReceivedFile]:
    """The files of what was sent in training, one for each receiver.

    Args:
        folder: the folder `sent` of a run.
        kind: what was sent.
        receivers: names of those who got it.
        steps: number of training steps of the run, each with a batch for every receiver.
        where: party and run, for errors.

    Raises:
        StorageError: a receiver's file is missing, or batches are.
    """
    files = {file.header.receiver: file for file in received_files(folder, kind)}
    for receiver in receivers:
        file = files.get(receiver)
        recorded = 0 if file is None else sum(batch.trains for batch in file.batches())
        if file is None or recorded < steps:
            raise StorageError(
                f"the recording of what {receiver} got is not complete, so no figure of it means anything",
                where=where,
                expected=f"{steps} batches of training",
                received=str(recorded),
                fix="audit a run that was recorded from its first step to its last one",
            )
    return [files[receiver] for receiver in receivers]

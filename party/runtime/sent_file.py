"""What each session of a run sealed for others: a file of the run, a line for each session that ended."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from party.configuration.strict import StrictModel
from party.errors import StorageError
from party.pb.party_pb2 import MessageKind
from party.security.files import open_appending, read_private

SENT_FILE = "sent.jsonl"
Count = Annotated[int, Field(ge=0)]
SentMessages = Mapping[tuple[str, MessageKind], tuple[int, int]]

logger = logging.getLogger(__name__)


class SentOfKind(StrictModel):
    """Messages of one kind to one peer.

    Attributes:
        receiver: name of the peer.
        kind: kind of the messages, such as `hidden` or `gradient`.
        messages: number of them.
        bytes: their size as sealed.
    """

    receiver: str
    kind: str
    messages: Count
    bytes: Count


class SentInSession(StrictModel):
    """What one session sealed.

    Attributes:
        at: when it ended, ISO 8601 with its zone.
        purpose: of the session.
        sent: by receiver and kind.
    """

    at: str
    purpose: str
    sent: Annotated[tuple[SentOfKind, ...], Field(strict=False)]


def add_sent(folder: Path, sent: SentMessages, purpose: str, at: datetime) -> None:
    """Appends a line for a session of a run that is stored; where that fails, only the log says so.

    Args:
        folder: the run's folder.
        sent: number and size of the messages by receiver and kind.
        purpose: of the session.
        at: the current time, with a time zone.
    """
    if not folder.is_dir():  # an alignment belongs to no run, and a refused session left none
        return
    kinds = tuple(
        SentOfKind(receiver=receiver, kind=_name(kind), messages=messages, bytes=size)
        for (receiver, kind), (messages, size) in sorted(sent.items())
    )
    line = SentInSession(at=at.isoformat(timespec="seconds"), purpose=purpose, sent=kinds)
    content = json.dumps(line.model_dump(mode="json")).encode() + b"\n"
    try:
        descriptor = open_appending(folder / SENT_FILE)
        try:
            # A line that a full disk cut off must not take this one with it.
            os.write(descriptor, content if _ends_whole(folder / SENT_FILE) else b"\n" + content)
        finally:
            os.close(descriptor)
    except (OSError, StorageError) as error:
        logger.warning("%s lacks a line: %s", SENT_FILE, type(error).__name__)


def read_sent(folder: Path) -> tuple[SentInSession, ...]:
    """Reads what the sessions of a run sealed, oldest first.

    Args:
        folder: the run's folder.

    Returns:
        A line for each session that ended; lines that a killed process left unfinished are skipped.

    Raises:
        StorageError: the file cannot be read.
    """
    path = folder / SENT_FILE
    lines = read_private(path).splitlines() if path.exists() else []
    return tuple(one for one in map(_parsed, lines) if one is not None)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END) == 0 or (file.seek(-1, os.SEEK_END) >= 0 and file.read(1) == b"\n")


def _parsed(line: bytes) -> SentInSession | None:
    try:
        return SentInSession.model_validate_json(line)
    except ValidationError:
        return None


def _name(kind: MessageKind) -> str:
    return MessageKind.Name(kind).removeprefix("MESSAGE_KIND_").lower()

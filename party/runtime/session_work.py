"""What a session has done at this party: numbers that only grow while it lasts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from party.channel.matrix_encoding import WireKind
from party.channel.message_bytes import Way
from party.ledger.entry import Kind

Key = TypeVar("Key", bound=Hashable)
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class WrittenCheckpoints:
    """Checkpoints that were written.

    Attributes:
        count: how many.
        seconds: time that writing them took.
        size_bytes: size of their files.
    """

    count: int = 0
    seconds: float = 0.0
    size_bytes: int = 0

    def __add__(self, other: WrittenCheckpoints) -> WrittenCheckpoints:
        """Those of both."""
        return WrittenCheckpoints(
            self.count + other.count, self.seconds + other.seconds, self.size_bytes + other.size_bytes
        )


@dataclass(frozen=True, kw_only=True)
class SessionWork:
    """The work of one session or, added up, of several.

    Attributes:
        steps: training steps; a step that is repeated after a run went back to a checkpoint counts again.
        sent_rows: rows of hiddens or gradients that were sent, by kind, as the ledger counts them.
        message_bytes: bytes of hiddens and gradients by way and codec.
        stage_seconds: seconds of computation by stage.
        checkpoints: checkpoints that were written.
    """

    steps: int = 0
    sent_rows: Mapping[Kind, int] = field(default_factory=dict)
    message_bytes: Mapping[tuple[Way, WireKind], int] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    checkpoints: WrittenCheckpoints = WrittenCheckpoints()

    def __add__(self, other: SessionWork) -> SessionWork:
        """The work of both."""
        return SessionWork(
            steps=self.steps + other.steps,
            sent_rows=_added(self.sent_rows, other.sent_rows),
            message_bytes=_added(self.message_bytes, other.message_bytes),
            stage_seconds=_added(self.stage_seconds, other.stage_seconds),
            checkpoints=self.checkpoints + other.checkpoints,
        )


def no_work() -> SessionWork:
    """The work of a session without batches."""
    return SessionWork()


def _added(one: Mapping[Key, Number], other: Mapping[Key, Number]) -> dict[Key, Number]:
    return {**one, **{key: value + one[key] if key in one else value for key, value in other.items()}}

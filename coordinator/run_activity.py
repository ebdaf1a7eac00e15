"""What a coordinator has done for its training runs since it started, for whoever watches it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from typing import Literal

from coordinator.session import CoordinatedSession
from coordinator.traffic import Traffic
from party.configuration.run import CodecKind, RunConfiguration
from party.monitoring.logs import RunPlace

RelayedKind = Literal["hidden", "gradient"]
RelayedCodec = CodecKind | Literal["ring"]


class RunPhase(Enum):
    """What the coordinator does for the run under way."""

    IDLE = "idle"
    OPENING = "opening"
    TRAINING = "training"
    WAITING = "waiting"


@dataclass(frozen=True)
class RunCounts:
    """The activity at one moment; the counts never fall.

    Attributes:
        phase: what the coordinator does.
        run_id: of the session that is open, hexadecimal; empty without one.
        step: training steps of its run that are done; 0 without one.
        run_steps: training steps of its whole run; 0 without one.
        steps: training steps of all sessions; a step that is repeated after a return to a checkpoint counts again.
        rows: rows of the epochs that ended, as the label party states them; counted likewise.
        relayed: bytes of the messages between parties, by kind and codec.
        sessions: training sessions that were opened.
        checkpoints: checkpoints that all parties committed.
    """

    _: KW_ONLY
    phase: RunPhase = RunPhase.IDLE
    run_id: str = ""
    step: int = 0
    run_steps: int = 0
    steps: int = 0
    rows: int = 0
    relayed: dict[tuple[RelayedKind, RelayedCodec], int]
    sessions: int = 0
    checkpoints: int = 0


class RunActivity:
    """Adds up what sessions do; a session's own counters are read when they are asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = RunCounts(relayed={})
        self._open: tuple[CoordinatedSession, Traffic] | None = None

    @contextmanager
    def session(self, session: CoordinatedSession) -> Iterator[Traffic]:
        """Counts a training session within the context.

        Args:
            session: the session, opened.

        Yields:
            The traffic for the session to count in.
        """
        traffic = Traffic(session.position, session.start.step)
        with self._lock:
            self._open = (session, traffic)
            self._ended = replace(self._ended, phase=RunPhase.TRAINING, sessions=self._ended.sessions + 1)
        try:
            yield traffic
        finally:
            with self._lock:
                self._ended, self._open = _with_session(self._ended, session, traffic), None

    def enter(self, phase: RunPhase) -> None:
        """Notes what the coordinator does from now on."""
        with self._lock:
            self._ended = replace(self._ended, phase=phase)

    def epoch_ended(self, rows: int) -> None:
        """Counts the rows of an epoch that ended."""
        with self._lock:
            self._ended = replace(self._ended, rows=self._ended.rows + rows)

    def committed(self) -> None:
        """Counts a checkpoint."""
        with self._lock:
            self._ended = replace(self._ended, checkpoints=self._ended.checkpoints + 1)

    def counts(self) -> RunCounts:
        """The activity at this moment."""
        with self._lock:
            if self._open is None:
                return self._ended
            session, traffic = self._open
            return replace(
                _with_session(self._ended, session, traffic),
                run_id=session.reference.run_id.hex(),
                step=traffic.steps,
                run_steps=session.steps,
            )

    def place(self) -> RunPlace:
        """The run and the step, for the log."""
        with self._lock:
            if self._open is None:
                return RunPlace()
            session, traffic = self._open
            return RunPlace(session.reference.run_id.hex(), traffic.steps)


def _with_session(ended: RunCounts, session: CoordinatedSession, traffic: Traffic) -> RunCounts:
    relayed = dict(ended.relayed)
    for key, size in _relayed(session.run, traffic):
        relayed[key] = relayed.get(key, 0) + size
    return replace(ended, steps=ended.steps + traffic.steps - session.start.step, relayed=relayed)


def _relayed(run: RunConfiguration, traffic: Traffic) -> Iterator[tuple[tuple[RelayedKind, RelayedCodec], int]]:
    """The bytes of a session by kind and codec; outside of training nothing is lossy but a masked sum."""
    masked, codecs = bool(run.masked_parties), run.training.codecs
    yield ("hidden", "ring" if masked else codecs.hidden.kind), traffic.hidden_bytes - traffic.inference_bytes
    yield ("hidden", "ring" if masked else "float32"), traffic.inference_bytes
    yield ("gradient", codecs.gradient.kind), traffic.gradient_bytes

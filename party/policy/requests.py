"""What a coordinator requests, and what the session would release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from party.configuration.run import RunConfiguration
from party.ledger.charge import Charge
from party.ledger.entry import Kind
from party.pb.handshake_pb2 import Purpose

_PREFIX = "PURPOSE_"


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """A coordinator's request for a session.

    Attributes:
        coordinator: certificate name of the coordinator that asks.
        purpose: purpose of the session.
        run_id: id of the run, 16 bytes.
        run: the run configuration.
        dataset: the dataset to evaluate or predict; empty otherwise.
        resume: whether the run began earlier.
        without: feature parties of the run that the session leaves out.
        continues: id of the finished run whose weights the run begins with; empty without one.
        shuffles: whether this party shuffles one of its columns among the rows.
    """

    coordinator: str
    purpose: Purpose
    run_id: bytes
    run: RunConfiguration
    dataset: str
    resume: bool
    without: tuple[str, ...] = ()
    continues: bytes = b""
    shuffles: bool = False

    @property
    def parties(self) -> tuple[str, ...]:
        """Names of the parties of the session, ascending."""
        return tuple(name for name in self.run.parties if name not in self.without)

    @property
    def purpose_name(self) -> str:
        """The purpose as policies and the ledger name it: `align`, `train`, `measure`, `evaluate` or `predict`."""
        return Purpose.Name(self.purpose).removeprefix(_PREFIX).lower()

    @property
    def trains(self) -> bool:
        """Whether the session trains, so that it learns from labels."""
        return self.purpose in (Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that the session reads: in training the one to hold out comes last."""
        if self.purpose == Purpose.PURPOSE_ALIGN:
            return tuple(sorted(self.run.alignment.datasets))
        return self.run.training.datasets if self.trains else (self.dataset,)

    @property
    def held_out_datasets(self) -> tuple[str, ...]:
        """Name of the dataset that a training run holds out, whose figures it tells; empty without one."""
        held_out = self.run.training.validation_dataset
        return () if self.purpose != Purpose.PURPOSE_TRAIN or held_out is None else (held_out,)


@dataclass(frozen=True)
class Release:
    """What a session would read, and the most that it would release.

    Attributes:
        rows: number of rows in its datasets; in training, of the dataset that it trains on: rows that are held out
            besides are released no more often than these.
        epochs: number of training epochs.
        codecs: codecs of training by direction.
        most: upper bound on the rows released, by kind; a row counts each time that it is released. Where rows refer to
            entities of a feature party's table, its rows are those entities.
        charges: what it would spend of each secret.
        joins: of an alignment with joins, by peer the tables that are joined, or that may be; otherwise None.
    """

    rows: int
    epochs: int = 0
    codecs: Mapping[str, str] = field(default_factory=dict)
    most: Mapping[Kind, int] = field(default_factory=dict)
    charges: tuple[Charge, ...] = field(default=(), kw_only=True)
    joins: Mapping[str, tuple[str, ...]] | None = field(default=None, kw_only=True)

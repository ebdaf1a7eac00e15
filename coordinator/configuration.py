"""The configuration file of a run, as its coordinator keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from party.configuration.run import AlignmentSection, CodecsSection, RunConfiguration, ScheduleSection, TrainingSection
from party.configuration.sections import Address, KnownName, Name, TlsSection
from party.configuration.strict import StrictModel, load


class PartyAddress(KnownName):
    """A party of the run.

    Attributes:
        address: host and port that it is reached at.
    """

    address: Address


class CheckpointsSection(StrictModel):
    """When all parties write down where a run stands; changes no number of the run.

    Attributes:
        every_seconds: time between two checkpoints, and so the most work that a crash can cost.
        every_steps: training steps between two checkpoints, in place of time.
    """

    every_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    every_steps: int | None = Field(default=None, ge=1)


class CoordinatorConfiguration(StrictModel):
    """A run's file, validated; paths in it are relative to `folder`.

    Attributes:
        coordinator: own name, equal to the certificate's only DNS name.
        tls: own certificate and key.
        parties: all of them.
        label_party: name of the one that holds labels and the fuse model.
        output: folder for the histories of runs.
        timeout_seconds: longest wait for any one answer.
        connect_timeout_seconds: longest wait for a party to be reachable when a command starts.
        reconnect_seconds: longest wait for a party that went away during a command.
        checkpoints: when all parties write down where a run stands.
        alignment: what is sent to every party of it.
        training: what is sent to every party of it.
        evaluate_dataset: dataset that `evaluate` and `predict` read unless told otherwise.
        insecure: no TLS, loopback only.
    """

    coordinator: Name
    tls: TlsSection | None = None
    parties: tuple[PartyAddress, ...] = Field(min_length=2, strict=False)
    label_party: Name
    output: str = "runs"
    timeout_seconds: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    connect_timeout_seconds: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    reconnect_seconds: float = Field(default=600.0, ge=0, allow_inf_nan=False)
    checkpoints: CheckpointsSection = CheckpointsSection()
    alignment: AlignmentSection = AlignmentSection()
    training: TrainingSection = TrainingSection()
    evaluate_dataset: str = "test"
    insecure: bool = False
    folder: Path = Field(default=Path(), exclude=True, strict=False)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [self.coordinator, *(party.name for party in self.parties)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names used twice among coordinator and parties: {', '.join(twice)}")
        if self.label_party not in names[1:]:
            raise ValueError("label_party must be one of parties")
        if self.tls is None and not self.insecure:
            raise ValueError("tls is missing: it names the coordinator's certificate and key")
        return self

    @property
    def run(self) -> RunConfiguration:
        """What all parties agree on, made from this file; one batch under way where the planner is still to decide."""
        schedule = ScheduleSection() if self.is_planned else self.training.schedule
        return self.run_with(schedule, self.training.codecs)

    @property
    def is_planned(self) -> bool:
        """Whether the planner chooses the schedule."""
        return self.training.schedule.kind == "auto"

    @property
    def given_codecs(self) -> CodecsSection | None:
        """The codecs of the file; None where it names none, and the planner may choose."""
        return self.training.codecs if "codecs" in self.training.model_fields_set else None

    def run_with(self, schedule: ScheduleSection, codecs: CodecsSection) -> RunConfiguration:
        """What all parties agree on, with a schedule and codecs in place of those of the file."""
        return RunConfiguration(
            parties=tuple(sorted(party.name for party in self.parties)),
            label_party=self.label_party,
            alignment=self.alignment,
            training=self.training.model_copy(update={"schedule": schedule, "codecs": codecs}),
        )

    def run_like(self, former: RunConfiguration) -> RunConfiguration:
        """What all parties agree on, with what the planner chose for a former run where this file leaves it open."""
        if not self.is_planned:
            return self.run
        return self.run_with(former.training.schedule, self.given_codecs or former.training.codecs)

    def path(self, relative: str) -> Path:
        """A path of the file, made absolute by the file's own folder."""
        return (self.folder / relative).resolve()


def load_coordinator_configuration(path: Path) -> CoordinatorConfiguration:
    """Reads and validates a run's configuration file.

    Args:
        path: the YAML file.

    Returns:
        The configuration, its paths relative to the file's folder.

    Raises:
        ConfigurationError: the file or a key of it cannot be used.
    """
    return load(CoordinatorConfiguration, path)

"""The coordinator's configuration file of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from party.configuration.addresses import ReachableAddress
from party.configuration.feature_parties import check_feature_parties
from party.configuration.monitoring import LogFormat, MlflowSection, MonitoringPort
from party.configuration.partners import FileWithPartners
from party.configuration.paths import FilePath
from party.configuration.run import (
    MAXIMUM_PARTIES,
    AlignmentSection,
    CodecsSection,
    RunConfiguration,
    ScheduleSection,
    TrainingSection,
)
from party.configuration.sections import KnownName, Name, TlsSection
from party.configuration.strict import StrictModel, load


class PartyAddress(KnownName):
    """A party of the run.

    Attributes:
        address: host and port of the party.
    """

    address: ReachableAddress


class CheckpointIntervalSection(StrictModel):
    """When all parties write a checkpoint; changes no result of the run.

    Attributes:
        every_seconds: time between two checkpoints, which bounds the work that a crash can lose.
        every_steps: training steps between two checkpoints, instead of a time.
    """

    every_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    every_steps: int | None = Field(default=None, ge=1)


class CoordinatorConfiguration(FileWithPartners):
    """The validated file of a run; its paths are relative to `folder`.

    Attributes:
        coordinator: the coordinator's name, equal to the only DNS name of its certificate.
        tls: certificate and key of the coordinator.
        parties: all parties of the run.
        label_party: name of the party that holds labels and the fuse model.
        output: folder for the histories of runs.
        timeout_seconds: longest wait for one reply.
        connect_timeout_seconds: longest wait for a party to become reachable when a command starts.
        reconnect_seconds: longest wait for a party that becomes unreachable during a command.
        checkpoints: when all parties write a checkpoint.
        alignment: parameters of the alignment, sent to every party.
        training: parameters of training, sent to every party.
        evaluate_dataset: dataset that `evaluate` and `predict` read by default.
        use_proxy: whether the way to parties may lead through a proxy that the environment names.
        log_format: progress as text on standard output, or as one JSON object a line on standard error.
        prometheus: port of the metrics for Prometheus while a run is trained.
        tensorboard: whether to write event files beside a run's history, or the folder to write them to.
        mlflow: where training runs are written to as runs of MLflow.
        insecure: whether to connect without TLS; loopback addresses only.
        folder: of the file.
    """

    coordinator: Name
    tls: TlsSection | None = None
    parties: tuple[PartyAddress, ...] = Field(min_length=2, max_length=MAXIMUM_PARTIES, strict=False)
    label_party: Name
    output: FilePath = "runs"
    timeout_seconds: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    connect_timeout_seconds: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    reconnect_seconds: float = Field(default=600.0, ge=0, allow_inf_nan=False)
    checkpoints: CheckpointIntervalSection = CheckpointIntervalSection()
    alignment: AlignmentSection = AlignmentSection()
    training: TrainingSection = TrainingSection()
    evaluate_dataset: str = "test"
    use_proxy: bool = False
    log_format: LogFormat = "text"
    prometheus: MonitoringPort | None = None
    tensorboard: bool | FilePath = False
    mlflow: MlflowSection | None = None
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
        feature_parties = set(names[1:]) - {self.label_party}
        training = self.training
        check_feature_parties(feature_parties, summed=training.secure_aggregation, dropout=training.party_dropout)
        if self.tls is None and not self.insecure:
            raise ValueError("tls is missing: it names the coordinator's certificate and key")
        return self

    @property
    def run(self) -> RunConfiguration:
        """The run configuration that all parties agree on; synchronous if the planner has yet to decide."""
        schedule = ScheduleSection() if self.is_planned else self.training.schedule
        return self.run_with(schedule, self.training.codecs)

    @property
    def is_planned(self) -> bool:
        """Whether the planner chooses the schedule."""
        return self.training.schedule.kind == "auto"

    @property
    def given_codecs(self) -> CodecsSection | None:
        """The codecs of the file; None if it names none and the planner may choose, as it may not for a masked sum."""
        is_fixed = self.training.secure_aggregation or "codecs" in self.training.model_fields_set
        return self.training.codecs if is_fixed else None

    def run_with(self, schedule: ScheduleSection, codecs: CodecsSection) -> RunConfiguration:
        """Returns the run configuration with another schedule and other codecs than those of the file."""
        return RunConfiguration(
            parties=tuple(sorted(party.name for party in self.parties)),
            label_party=self.label_party,
            alignment=self.alignment,
            training=self.training.model_copy(update={"schedule": schedule, "codecs": codecs}),
        )

    def run_like(self, former: RunConfiguration) -> RunConfiguration:
        """Returns the run configuration, with the planner's earlier choices where the file leaves them open."""
        if not self.is_planned:
            return self.run
        return self.run_with(former.training.schedule, self.given_codecs or former.training.codecs)

    def path(self, relative: str) -> Path:
        """Returns the absolute path of a path in the file."""
        return (self.folder / relative).resolve()


def load_coordinator_configuration(path: Path) -> CoordinatorConfiguration:
    """Reads and validates a run's configuration file.

    Args:
        path: the YAML file.

    Returns:
        The configuration; its paths are relative to the file's folder.

    Raises:
        ConfigurationError: the file or one of its keys is invalid.
    """
    return load(CoordinatorConfiguration, path)


def differing_keys(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns the dotted names of the keys whose values differ between two configurations, ascending."""
    found = []
    for key in sorted(set(first) | set(second)):
        one, other = first.get(key), second.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differing_keys(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key}")
    return found

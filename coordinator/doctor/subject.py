"""What the examinations of one coordinator look at, read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coordinator.configuration import CoordinatorConfiguration
from coordinator.doctor.reached import Reached, reach_all
from party.diagnosis.machine import Machine
from party.pb import party_pb2 as pb


@dataclass(frozen=True)
class CoordinatorSubject:
    """A coordinator on its machine, with the parties of a run.

    Attributes:
        path: the run's YAML file.
        configuration: what stands in it.
        machine: readings of the machine.
    """

    path: Path
    configuration: CoordinatorConfiguration
    machine: Machine

    @cached_property
    def reached(self) -> Mapping[str, Reached]:
        """How far the coordinator comes on its way to each party."""
        return reach_all(self.configuration, self.machine)

    @property
    def described(self) -> Iterator[tuple[Reached, pb.DescribeReply]]:
        """The parties that answer, with what they say of themselves."""
        for one in self.reached.values():
            if one.described is not None:
                yield one, one.described

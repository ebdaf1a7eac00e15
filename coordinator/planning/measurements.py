"""The measurements of a run before it starts: plain numbers, the only input of a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.planning.link import Link
from party.configuration.run import CodecSection, CodecsSection


@dataclass(frozen=True)
class CodecMeasurement:
    """The cost of a codec at one party, for the hiddens or the gradients of one batch.

    Attributes:
        message_bytes: size of the messages; at the label party, of those of all feature parties.
        encode_seconds: time to encode them.
        decode_seconds: time to decode them.
    """

    message_bytes: float
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True, kw_only=True)
class PassTimes:
    """The durations of the parts of an epoch.

    Attributes:
        depth: number of batches under way.
        codecs: of the batches.
        step_seconds: time from one step to the next, once `depth` batches are under way.
        held_out_seconds: time of the measured held-out batches, and of the decision after them.
        held_out_batches: number of measured held-out batches.
        held_out_batch_seconds: time of one more held-out batch.
        first_seconds: extra time of the first epoch over the second, for compilation and the like.
        activity_seconds: time of one step, by party and activity.
    """

    depth: int
    codecs: CodecsSection
    step_seconds: float
    held_out_seconds: float
    held_out_batches: int
    held_out_batch_seconds: float
    first_seconds: float
    activity_seconds: Mapping[str, Mapping[str, float]]

    def busy_seconds(self, party: str) -> float:
        """Returns the seconds that a party computes in a step."""
        return sum(self.activity_seconds[party].values())


@dataclass(frozen=True, kw_only=True)
class RunSize:
    """The size of a run.

    Attributes:
        training_rows: number of rows of an epoch.
        held_out_rows: number of rows evaluated after an epoch.
        batch_size: rows of a step.
        evaluation_batch_size: rows of a held-out batch.
        epoch_steps: steps of a whole epoch.
        steps: of the run.
        epochs: of the run; the last one may be incomplete.
    """

    training_rows: int
    held_out_rows: int
    batch_size: int
    evaluation_batch_size: int
    epoch_steps: int
    steps: int
    epochs: int

    @property
    def held_out_batches(self) -> int:
        """Number of held-out batches after an epoch."""
        return -(-self.held_out_rows // self.evaluation_batch_size)

    @property
    def samples(self) -> int:
        """Number of rows trained on, counted in every epoch."""
        whole, steps_left = divmod(self.steps, self.epoch_steps)
        epoch_rows = min(self.epoch_steps * self.batch_size, self.training_rows)
        return whole * epoch_rows + min(steps_left * self.batch_size, self.training_rows)


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """All measurements of a run.

    Attributes:
        label_party: name of the label party.
        links: network links by party.
        costs: codec costs by party and codec; a party omits codecs that its policy forbids or that save no bytes.
        synchronous: times of a miniature with one batch under way.
        two_under_way: times of a miniature with two batches under way.
        full_pipe: times of a miniature with so many batches under way that the slowest party, or link, never waits.
        overhead_bytes: size of the messages of a step without the encoded tensors.
        held_out_row_bytes: size of the messages per held-out row.
        size: of the run.
    """

    label_party: str
    links: Mapping[str, Link]
    costs: Mapping[str, Mapping[CodecSection, CodecMeasurement]]
    synchronous: PassTimes
    two_under_way: PassTimes
    full_pipe: PassTimes
    overhead_bytes: float
    held_out_row_bytes: float
    size: RunSize

    @property
    def feature_parties(self) -> list[str]:
        """Names of the feature parties, ascending."""
        return sorted(set(self.links) - {self.label_party})

    def usable(self, codec: CodecSection) -> bool:
        """Returns whether every party allows a codec and saves bytes with it."""
        return all(codec in costs for costs in self.costs.values())

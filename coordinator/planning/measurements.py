"""What was measured of a run before it begins: plain figures, all that a prediction is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.planning.link import Link
from party.configuration.run import CodecSection, CodecsSection


@dataclass(frozen=True)
class CodecCost:
    """What a codec costs at one party, for the hiddens or the gradients of one batch.

    Attributes:
        message_bytes: of the messages; at the label party, those of all feature parties.
        encode_seconds: of the messages.
        decode_seconds: of the messages.
    """

    message_bytes: float
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class PassTimes:
    """How long the parts of an epoch took.

    Attributes:
        depth: batches under way.
        codecs: of the batches.
        step_seconds: from one step to the next, once as many are under way as may be.
        held_out_seconds: of the held-out batches that were measured, and of the decision after them.
        held_out_batches: how many they were.
        held_out_batch_seconds: of one more.
        first_seconds: what the first epoch took longer than the second: compiling and the like.
        activity_seconds: of one step, by party and activity.
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
        """What a party computes in a step."""
        return sum(self.activity_seconds[party].values())


@dataclass(frozen=True)
class RunSize:
    """How much there is to train.

    Attributes:
        training_rows: of an epoch.
        held_out_rows: evaluated after an epoch.
        batch_size: rows of a step.
        evaluation_batch_size: rows of a held-out batch.
        epoch_steps: steps of a whole epoch.
        steps: of the run.
        epochs: of the run, the last one perhaps cut short.
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
        """After an epoch."""
        return -(-self.held_out_rows // self.evaluation_batch_size)

    @property
    def samples(self) -> int:
        """Rows trained on, each epoch's counted."""
        whole, steps_left = divmod(self.steps, self.epoch_steps)
        epoch_rows = min(self.epoch_steps * self.batch_size, self.training_rows)
        return whole * epoch_rows + min(steps_left * self.batch_size, self.training_rows)


@dataclass(frozen=True)
class Measurements:
    """Everything that was measured.

    Attributes:
        label_party: its name.
        links: by party.
        costs: by party and codec; a party leaves out what its owner does not allow and what saves no bytes.
        synchronous: a run in miniature with one batch under way.
        two_under_way: one with two batches under way.
        full_pipe: one with enough batches under way that the slowest party, or a link, never waits.
        overhead_bytes: of the messages of a step, besides what is encoded.
        held_out_row_bytes: of the messages of a held-out row.
        size: of the run.
    """

    label_party: str
    links: Mapping[str, Link]
    costs: Mapping[str, Mapping[CodecSection, CodecCost]]
    synchronous: PassTimes
    two_under_way: PassTimes
    full_pipe: PassTimes
    overhead_bytes: float
    held_out_row_bytes: float
    size: RunSize

    @property
    def feature_parties(self) -> list[str]:
        """All but the label party, ascending."""
        return sorted(set(self.links) - {self.label_party})

    def usable(self, codec: CodecSection) -> bool:
        """Whether every party allows a codec, and it saves bytes everywhere."""
        return all(codec in costs for costs in self.costs.values())

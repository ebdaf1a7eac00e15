"""A feature party's training batches under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import numpy as np

from party.channel.encoded_matrix import EncodedMatrix
from party.channel.outgoing_channel import OutgoingChannel
from party.cut.hidden import FloatArray
from party.cut.state import State, join_states, part_of
from party.cut.stateful import Stateful
from party.protocol.feature_batches import FeatureBatch
from party.protocol.halves import TrainableBase
from party.protocol.local_steps import FeatureLocalSteps
from party.protocol.schedule import Exchange
from party.protocol.timings import Timings

HIDDENS, MESSAGE = "hiddens", "message"


@dataclass(frozen=True)
class SentBatch:
    """A batch under way.

    Attributes:
        message: the message that was sealed.
        hiddens: the hiddens of its entities, if local updates will need them.
    """

    message: EncodedMatrix
    hiddens: FloatArray | None

    def state(self) -> State:
        """The message and, if present, the hiddens."""
        hiddens = {} if self.hiddens is None else {HIDDENS: self.hiddens}
        return State(arrays={MESSAGE: np.frombuffer(self.message.content, np.uint8), **hiddens})


class FeatureSteps:
    """Computes hiddens of training batches and updates the weights by their gradients, the oldest batch first.

    Args:
        base: the base model.
        hiddens: the channel that encodes and seals them.
        timings: records how long each activity takes.
        local_steps: makes further updates after each exchange; None without local updates.
    """

    def __init__(
        self,
        base: TrainableBase,
        hiddens: OutgoingChannel,
        timings: Timings,
        local_steps: FeatureLocalSteps | None = None,
    ) -> None:
        self._base = base
        self._hiddens = hiddens
        self._timings = timings
        self._local_steps = local_steps
        self._under_way: deque[SentBatch] = deque()
        self._to_repeat = 0

    @property
    def under_way(self) -> int:
        """Number of batches whose gradients are still expected."""
        return len(self._under_way)

    @property
    def to_repeat(self) -> int:
        """Number of those that must be sent again in this session."""
        return self._to_repeat

    def repeat(self) -> EncodedMatrix:
        """Returns the message of the next batch to send again."""
        message = self._under_way[len(self._under_way) - self._to_repeat].message
        self._to_repeat -= 1
        return message

    def forward(self, batch: FeatureBatch) -> EncodedMatrix:
        """Computes and encodes the hiddens of a batch.

        Args:
            batch: a batch of training.

        Returns:
            The message to seal.
        """
        with self._timings.measure("base"):
            hiddens = self._base.forward(batch.numbers)
        return self.encode(batch, hiddens)

    @property
    def updates_locally(self) -> bool:
        """Whether local steps follow each update."""
        return self._local_steps is not None

    def update(self, gradients: FloatArray) -> SentBatch:
        """Updates the weights by the gradients of the oldest batch under way.

        Args:
            gradients: gradients of the loss with respect to its hiddens, float32 (entities, columns).

        Returns:
            That batch, which is no longer under way.
        """
        with self._timings.measure("base"):
            self._base.backward(gradients)
        return self._under_way.popleft()

    def update_and_compute(self, gradients: FloatArray, following: FeatureBatch) -> FloatArray:
        """Like `update`, with the hiddens of a later batch in the same compiled call.

        Args:
            gradients: gradients of the loss with respect to the oldest batch's hiddens, float32 (entities, columns).
            following: the later batch.

        Returns:
            The hiddens, float32 (entities, columns), for `encode`.
        """
        with self._timings.measure("base"):
            hiddens = self._base.backward_and_forward(gradients, following.numbers)
        self._under_way.popleft()
        return hiddens

    def update_locally(self, exchange: Exchange, sent: SentBatch, gradients: FloatArray) -> None:
        """Makes the local steps that follow an update, if there are any.

        Args:
            exchange: exchange of the batch of that update.
            sent: the batch that `update` returned.
            gradients: gradients of the loss with respect to its hiddens, float32 (entities, columns).
        """
        if self._local_steps is not None and sent.hiddens is not None:
            self._local_steps.after(exchange, sent.hiddens, gradients)

    def save_epoch(self, epoch: int, retained: Collection[int]) -> None:
        """Saves the present weights as those of an epoch, and drops the weights of all epochs but `retained`.

        Args:
            epoch: the epoch that has ended.
            retained: epochs whose weights are retained.
        """
        self._base.save_epoch(epoch, retained)

    def restore_epoch(self, epoch: int) -> None:
        """Restores the weights of an epoch."""
        self._base.restore_epoch(epoch)

    def parts(self) -> dict[str, Stateful]:
        """The parts that belong in a checkpoint, by name."""
        parts: dict[str, Stateful] = {"base": self._base, "hiddens": self._hiddens, "under_way": self}
        return parts if self._local_steps is None else {**parts, "local_steps": self._local_steps}

    def state(self) -> State:
        """The batches under way."""
        batches = {str(place): sent.state() for place, sent in enumerate(self._under_way)}
        return join_states({"own": State({"batches": len(batches)}), **batches})

    def set_state(self, state: State) -> None:
        """Continues from a state; its batches under way must be sent again."""
        self._to_repeat = int(part_of(state, "own").values["batches"])
        self._under_way = deque(_sent_from(part_of(state, str(place))) for place in range(self._to_repeat))

    def encode(self, batch: FeatureBatch, hiddens: FloatArray) -> EncodedMatrix:
        """Encodes the hiddens of a batch, which is under way from here on.

        Args:
            batch: a batch of training.
            hiddens: of its entities, float32 (entities, columns).

        Returns:
            The message to seal.
        """
        with self._timings.measure("seal"):
            message = self._hiddens.encode(batch.outgoing(hiddens), batch.place)
        self._under_way.append(SentBatch(message, None if self._local_steps is None else hiddens))
        return message


def _sent_from(state: State) -> SentBatch:
    hiddens = cast("FloatArray | None", state.arrays.get(HIDDENS))
    return SentBatch(EncodedMatrix(state.arrays[MESSAGE].tobytes()), hiddens)

"""A chain of stages for every matrix of one direction at its receiver: decode or sum, surrogates, tap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from party.channel.decoders import Decoder, OpenedMessage
from party.channel.incoming_stage import IncomingStage
from party.channel.place import Place
from party.channel.stage_states import StageStates
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.cut.state import State
from party.security.sealing import Slot


@dataclass(frozen=True)
class ReceivedMatrix:
    """A matrix from opened envelopes.

    Attributes:
        slot: the slot that it was opened for; that of a sum names all of its senders.
        message: the opened message, or the sum of several: equal if the senders repeat themselves, in any session.
        values: float32 (rows, columns).
        following: the states of the chain's stages after it, of the rows of its batch.
    """

    slot: Slot
    message: bytes
    values: FloatArray
    following: tuple[State, ...]


class IncomingChain:
    """Decodes matrices, then applies stages one after the other.

    Args:
        decoder: turns messages into values.
        stages: further stages in order.
        layout: column layout of the matrices.
        rows: number of rows in the dataset.
    """

    def __init__(self, decoder: Decoder, stages: Sequence[IncomingStage], layout: CutLayout, rows: int) -> None:
        self._decoder = decoder
        self._stages = tuple(stages)
        self._states = StageStates(stages, layout, rows)

    def apply(self, opened: Sequence[OpenedMessage], place: Place) -> ReceivedMatrix:
        """Decodes the messages of a batch; no state changes before `accept`.

        Args:
            opened: one message from each sender, in their order.
            place: dataset rows and position of the batch.

        Returns:
            The matrix.

        Raises:
            TensorError: a message differs from what the parties agreed, or a value is not finite.
        """
        decoded = self._decoder.decode(opened, place)
        values, slot, following = decoded.values, decoded.source.slot, []
        for stage, state in zip(self._stages, self._states.of_rows(place.rows), strict=True):
            values, changed = stage.apply(values, state, place, slot)
            following.append(changed)
        return ReceivedMatrix(slot, decoded.source.content, values, tuple(following))

    def accept(self, received: ReceivedMatrix, place: Place) -> None:
        """Stores the states after a matrix, once its batch has been accepted.

        Args:
            received: the matrix that `apply` returned.
            place: dataset rows and position of its batch.
        """
        self._states.store(received.following, place.rows)

    def state(self) -> State:
        """A copy of the states of all stages."""
        return self._states.state()

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to another dataset, model or codec.
        """
        self._states.set_state(state)

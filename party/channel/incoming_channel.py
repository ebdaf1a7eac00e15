"""The only way in for matrices: opens the seal, decodes, and applies error feedback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from party.channel.error_feedback import row_table, table_of
from party.channel.matrix_encoding import MatrixEncoding, finite
from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.cut.state import State, copied, require_same_form
from party.pb.party_pb2 import Envelope
from party.security.sealing import SealingKeys, Slot


@dataclass(frozen=True)
class ReceivedMatrix:
    """A matrix from an opened envelope.

    Attributes:
        slot: the slot that it was opened for.
        message: the opened message.
        values: float32 (rows, columns).
    """

    slot: Slot
    message: bytes
    values: FloatArray


class IncomingChannel:
    """Receives the matrices of every purpose from one peer.

    Args:
        keys: the session's sealing keys.
        slot: returns the slot of a matrix.
        training: the encoding of training batches.
        surrogate_rows: number of rows in the dataset, if the sender sends differences from their surrogates
            (`SurrogateFeedback`); None if it sends the values.
        observe: called with the values and the place of every accepted matrix; None if nobody observes.
    """

    def __init__(
        self,
        keys: SealingKeys,
        slot: Callable[[Place], Slot],
        *,
        training: MatrixEncoding,
        surrogate_rows: int | None = None,
        observe: Observer | None = None,
    ) -> None:
        self._keys = keys
        self._slot = slot
        self._training = training
        self._inference = MatrixEncoding.exact(training.layout)
        self._surrogates = State() if surrogate_rows is None else row_table(surrogate_rows, training.layout)
        self._observe = observe

    def open(self, envelope: Envelope, place: Place) -> ReceivedMatrix:
        """Opens and decodes the matrix of an envelope; no state changes before `accept`.

        Args:
            envelope: the envelope, as the coordinator relayed it.
            place: dataset rows and position of its batch.

        Returns:
            The matrix.

        Raises:
            SealError: the message belongs to another position or session, or was altered.
            TensorError: the message differs from what the parties agreed, or a value is not finite.
        """
        slot = self._slot(place)
        message = self._keys.open(slot, envelope)
        encoding = self._training if place.trains else self._inference
        values = encoding.decode(message, len(place.rows), place.position, slot)
        if place.trains and self._surrogates.arrays:
            values = finite(table_of(self._surrogates)[place.rows] + values, slot)
        return ReceivedMatrix(slot, message, values)

    def accept(self, received: ReceivedMatrix, place: Place) -> None:
        """Shows a matrix to the observer and updates the surrogates by it, once its batch has been accepted.

        Args:
            received: the matrix that `open` returned.
            place: dataset rows and position of its batch.
        """
        if self._observe is not None:
            self._observe(received.values, place)
        if place.trains and self._surrogates.arrays:
            table_of(self._surrogates)[place.rows] = received.values

    def state(self) -> State:
        """A copy of the surrogates of all rows; empty without surrogate feedback."""
        return copied(self._surrogates)

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to another dataset, model or codec.
        """
        require_same_form(self._surrogates, state, "the error-feedback state")
        self._surrogates = copied(state)

"""The only way out for matrices: applies the chain of their direction, then seals."""

from __future__ import annotations

from collections.abc import Callable

from party.channel.by_purpose import ByPurpose
from party.channel.chain import Chain
from party.channel.encoded_matrix import EncodedMatrix
from party.channel.masking import MaskStage
from party.channel.message_bytes import ByteCounter
from party.channel.place import Place
from party.cut.hidden import FloatArray
from party.cut.state import State, join_states, part_of
from party.pb.party_pb2 import Envelope
from party.security.sealing import SealingKeys, Slot


class OutgoingChannel:
    """Sends the matrices of every purpose to one peer.

    Args:
        keys: the session's sealing keys.
        slot: returns the slot of a matrix.
        chains: the chains of its matrices.
        sizes: count the bytes of its messages.
        mask: masks every message before it is sealed; None if the receiver may read each of them.
    """

    def __init__(
        self,
        keys: SealingKeys,
        slot: Callable[[Place], Slot],
        *,
        chains: ByPurpose[Chain],
        sizes: ByPurpose[ByteCounter],
        mask: MaskStage | None = None,
    ) -> None:
        self._keys = keys
        self._slot = slot
        self._chains = chains
        self._sizes = sizes
        self._mask = mask

    def encode(self, matrix: FloatArray, place: Place) -> EncodedMatrix:
        """Encodes a matrix as a message, which may be sealed again in another session.

        Args:
            matrix: float32 (rows, columns).
            place: dataset rows and position of its batch; batches come in the order of the schedule, each once.

        Returns:
            The message, for `envelope`.

        Raises:
            TensorError: the matrix cannot be sent.
        """
        return self._chains.at(place).apply(matrix, place)

    def envelope(self, message: EncodedMatrix, place: Place) -> Envelope:
        """Seals a message that `encode` returned, once in a session; masks it before, if it is part of a masked sum.

        Args:
            message: the message that `encode` returned.
            place: dataset rows and position of its batch.

        Raises:
            SessionLostError: the session has ended, or has masked a message of this position before.
        """
        if self._mask is not None:
            message = self._mask.apply(message, place)
        envelope = self._keys.seal(self._slot(place), message.content)
        self._sizes.at(place).add(envelope)
        return envelope

    def send(self, matrix: FloatArray, place: Place) -> Envelope:
        """Encodes and seals a matrix.

        Args:
            matrix: float32 (rows, columns).
            place: dataset rows and position of its batch.

        Raises:
            TensorError: the matrix cannot be sent.
            SessionLostError: the session has ended.
        """
        return self.envelope(self.encode(matrix, place), place)

    def state(self) -> State:
        """The states of both chains."""
        return join_states({"training": self._chains.training.state(), "inference": self._chains.inference.state()})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run.

        Raises:
            CheckpointError: the state belongs to another channel.
        """
        self._chains.training.set_state(part_of(state, "training"))
        self._chains.inference.set_state(part_of(state, "inference"))

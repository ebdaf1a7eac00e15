"""The two ends of a direction in which tensors of training travel: what is sent, and what it is taken for."""

from __future__ import annotations

from party.protocol.hidden import Rows, Tensors
from party.protocol.state import State
from party.protocol.tensors import BatchCodec


class TensorSender:
    """Encodes the tensors of batches.

    Args:
        codec: of the direction.
    """

    def __init__(self, codec: BatchCodec) -> None:
        self._codec = codec

    def encode(self, tensors: Tensors, rows: Rows, position: int) -> bytes:
        """What to seal for the receiver; in the order of the batches, each once.

        Args:
            tensors: by name, float32 (rows, units).
            rows: row numbers of the batch, int32 (rows,).
            position: of the batch in its schedule.

        Returns:
            A serialized Tensor.
        """
        return self._codec.encode(tensors, position)

    def state(self) -> State:
        """What later messages depend on."""
        return State()

    def set_state(self, state: State) -> None:
        """Goes on from a state of the same run."""


class TensorReceiver:
    """Decodes the tensors of batches.

    Args:
        codec: of the direction.
    """

    def __init__(self, codec: BatchCodec) -> None:
        self._codec = codec

    def decode(self, message: bytes, rows: Rows, position: int, where: object) -> Tensors:
        """The tensors of a batch; leaves everything as it was until `accept` is called.

        Args:
            message: as opened from its seal.
            rows: row numbers of the batch, int32 (rows,).
            position: of the batch in its schedule.
            where: what the message is, for errors.

        Returns:
            Tensors by name, float32 (rows, units).

        Raises:
            TensorError: anything differs from what was agreed, or a value is not finite.
        """
        return self._codec.decode(message, len(rows), position, where)

    def accept(self, tensors: Tensors, rows: Rows) -> None:
        """Takes what `decode` returned for what the sender meant."""

    def state(self) -> State:
        """What later messages depend on."""
        return State()

    def set_state(self, state: State) -> None:
        """Goes on from a state."""

"""What a lossy codec loses of a row is made up for when the row comes next."""

from __future__ import annotations

from party.protocol.channels import TensorReceiver, TensorSender
from party.protocol.hidden import Rows, Tensors
from party.protocol.row_table import RowTable
from party.protocol.state import State
from party.protocol.tensors import BatchCodec, finite


class ResidualSender(TensorSender):
    """Remembers for every row what the codec lost, and adds it when the row comes next.

    Args:
        codec: of the direction.
        rows: of the dataset.

    Reference:
        Seide et al., "1-Bit Stochastic Gradient Descent", Interspeech 2014, with a residual per row: in split
        learning the gradient of a batch is one of its rows, not one of weights.
    """

    def __init__(self, codec: BatchCodec, rows: int) -> None:
        super().__init__(codec)
        self._table = RowTable(rows, codec.columns)

    def encode(self, tensors: Tensors, rows: Rows, position: int) -> bytes:
        """What to seal for the receiver; in the order of the batches, each once."""
        meant = self._codec.matrix(tensors) + self._table.values[rows]
        message = self._codec.encode(self._codec.named(meant), position)
        self._table.values[rows] = meant - self._codec.matrix(_taken_for(self._codec, message, rows, position))
        return message

    def state(self) -> State:
        """The residuals of all rows."""
        return self._table.state()

    def set_state(self, state: State) -> None:
        """Goes on from a state."""
        self._table.set_state(state)


class SurrogateSender(TensorSender):
    """Sends by how much a row differs from what the receiver took it for last.

    Args:
        codec: of the direction.
        rows: of the dataset.

    Reference:
        Valdeira et al., "Communication-efficient Vertical Federated Learning via Compressed Error Feedback",
        IEEE Transactions on Signal Processing 2025 (arXiv 2406.14420), algorithm 1.
    """

    def __init__(self, codec: BatchCodec, rows: int) -> None:
        super().__init__(codec)
        self._table = RowTable(rows, codec.columns)

    def encode(self, tensors: Tensors, rows: Rows, position: int) -> bytes:
        """What to seal for the receiver; in the order of the batches, each once."""
        difference = self._codec.matrix(tensors) - self._table.values[rows]
        message = self._codec.encode(self._codec.named(difference), position)
        self._table.values[rows] += self._codec.matrix(_taken_for(self._codec, message, rows, position))
        return message

    def state(self) -> State:
        """The surrogates of all rows."""
        return self._table.state()

    def set_state(self, state: State) -> None:
        """Goes on from a state."""
        self._table.set_state(state)


class SurrogateReceiver(TensorReceiver):
    """Adds what arrives to what it took a row for last: the other end of `SurrogateSender`.

    Args:
        codec: of the direction.
        rows: of the dataset.
    """

    def __init__(self, codec: BatchCodec, rows: int) -> None:
        super().__init__(codec)
        self._table = RowTable(rows, codec.columns)

    def decode(self, message: bytes, rows: Rows, position: int, where: object) -> Tensors:
        """The tensors of a batch; leaves everything as it was until `accept` is called."""
        difference = self._codec.decode(message, len(rows), position, where)
        return self._codec.named(finite(self._table.values[rows] + self._codec.matrix(difference), where))

    def accept(self, tensors: Tensors, rows: Rows) -> None:
        """Takes what `decode` returned for what the sender meant."""
        self._table.values[rows] = self._codec.matrix(tensors)

    def state(self) -> State:
        """The surrogates of all rows."""
        return self._table.state()

    def set_state(self, state: State) -> None:
        """Goes on from a state."""
        self._table.set_state(state)


def _taken_for(codec: BatchCodec, message: bytes, rows: Rows, position: int) -> Tensors:
    return codec.decode(message, len(rows), position, "own message")

"""The stage that encodes matrices."""

from __future__ import annotations

from party.channel.matrix_encoding import MatrixEncoding
from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.cut.layout import CutLayout
from party.cut.state import State


class EncodingStage:
    """Encodes a matrix with a codec; from then on its values are those that the receiver decodes.

    Args:
        encoding: encoding of the matrices.
    """

    name = "codec"

    def __init__(self, encoding: MatrixEncoding) -> None:
        self._encoding = encoding

    def init(self, layout: CutLayout, rows: int) -> State:
        """An empty state: a codec is stateless."""
        return State()

    def apply(self, matrix: OutgoingMatrix, state: State, place: Place) -> tuple[OutgoingMatrix, State]:
        """Encodes the matrix and replaces its values by the decoded ones."""
        message = self._encoding.encode(matrix.values, place.position)
        if self._encoding.is_exact:
            return OutgoingMatrix(matrix.values, message), state
        rows, position = len(place.rows), place.position
        return OutgoingMatrix(lambda: self._encoding.decode(message, rows, position, "own message"), message), state

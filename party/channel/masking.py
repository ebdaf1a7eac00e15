"""Masks encoded matrices as they leave, so that the label party can read the sum of all feature parties alone."""

from __future__ import annotations

from party.channel.codecs.ring import ring_array, ring_bytes
from party.channel.encoded_matrix import EncodedMatrix
from party.channel.matrix_encoding import MatrixEncoding
from party.channel.place import Place
from party.privacy.pads import Masks


class MaskStage:
    """The last stage before the seal; only bytes pass it, so that nothing after it could lose a bit.

    The stages before it make the message that checkpoints hold. A pad belongs to one session: a message that is sent
    again in another session is masked again there.

    Args:
        encoding: the encoding of the messages, in a ring.
        masks: the masks of the session.
    """

    def __init__(self, encoding: MatrixEncoding, masks: Masks) -> None:
        self._encoding = encoding
        self._masks = masks

    def apply(self, message: EncodedMatrix, place: Place) -> EncodedMatrix:
        """Masks a message.

        Args:
            message: a message in the ring, not masked yet.
            place: dataset rows and position of its batch.

        Returns:
            A message of the same length.

        Raises:
            SessionLostError: a message of this or of a later position was masked before.
            TensorError: the message, from a checkpoint, does not fit its batch.
        """
        rows = len(place.rows)
        data = self._encoding.data(message.content, rows, f"own message of exchange {place.position}")
        masked = self._masks.apply(ring_array(data, rows, self._encoding.layout.columns), place.position)
        return EncodedMatrix(self._encoding.message(ring_bytes(masked), rows))

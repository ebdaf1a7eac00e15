"""Sends the gradients of a batch to the feature parties."""

from __future__ import annotations

from collections.abc import Mapping

from party.channel.outgoing_channel import OutgoingChannel
from party.cut.hidden import Rows
from party.cut.results import TrainingResult
from party.pb.party_pb2 import Envelope
from party.protocol.progress import place_of
from party.protocol.schedule import Exchange
from party.protocol.timings import Timings


class GradientSender:
    """Sends every feature party the gradients of its own hiddens.

    Args:
        channels: channels by feature party.
        matrices: by feature party, the name of the matrix that its hiddens are in.
        timings: records how long each activity takes.
    """

    def __init__(self, channels: Mapping[str, OutgoingChannel], matrices: Mapping[str, str], timings: Timings) -> None:
        self._channels = {party: (channel, matrices[party]) for party, channel in channels.items()}
        self._timings = timings
        self.sent_rows = 0

    def send(self, exchange: Exchange, rows: Rows, result: TrainingResult) -> list[Envelope]:
        """Encodes and seals the gradients for every feature party.

        Args:
            exchange: an exchange of training.
            rows: row numbers of the batch, int32 (rows,).
            result: result of the batch.

        Raises:
            TensorError: a gradient cannot be sent.
            SessionLostError: the session has ended.
        """
        self.sent_rows += exchange.rows
        place = place_of(exchange, rows)
        with self._timings.measure("seal"):
            return [channel.send(result.gradients[matrix], place) for channel, matrix in self._channels.values()]

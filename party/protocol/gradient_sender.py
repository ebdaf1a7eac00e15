"""Sends the gradients of a batch to the feature parties."""

from __future__ import annotations

from collections.abc import Mapping

from party.channel.outgoing_channel import OutgoingChannel
from party.cut.hidden import Rows
from party.cut.results import TrainingResult
from party.pb.party_pb2 import Envelope
from party.protocol.peer_entities import PeerEntities
from party.protocol.progress import place_of
from party.protocol.schedule import Exchange
from party.protocol.timings import Timings


class GradientSender:
    """Sends every feature party the gradients of its own hiddens.

    Args:
        channels: channels by feature party.
        matrices: by feature party, the name of the matrix that its hiddens are in.
        entities: find the entities of a batch; each gets the sum of the gradients of its rows.
        timings: records how long each activity takes.
    """

    def __init__(
        self,
        channels: Mapping[str, OutgoingChannel],
        matrices: Mapping[str, str],
        entities: PeerEntities,
        timings: Timings,
    ) -> None:
        self._channels = {party: (channel, matrices[party]) for party, channel in channels.items()}
        self._entities = entities
        self._timings = timings
        self._sent_rows = dict.fromkeys(channels, 0)

    @property
    def sent_rows(self) -> int:
        """Number of gradient rows that were sent to the feature party with the most; a row counts each time."""
        return max(self._sent_rows.values(), default=0)

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
        envelopes = []
        with self._timings.measure("seal"):
            for party, (channel, matrix) in self._channels.items():
                batch = self._entities.of(party, rows)
                self._sent_rows[party] += len(batch.entities)
                gradients = batch.collect(result.gradients[matrix])
                envelopes.append(channel.send(gradients, place_of(exchange, batch.entities)))
        return envelopes

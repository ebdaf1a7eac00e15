"""What a feature party computes, sends and receives of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from party.channel.place import Place
from party.cut.hidden import FloatArray, Rows
from party.data.entities import BatchEntities, Entities
from party.protocol.progress import place_of
from party.protocol.schedule import Exchange, Schedule


@dataclass(frozen=True)
class FeatureBatch:
    """A batch at a feature party.

    Attributes:
        exchange: its exchange.
        place: of its matrices on their way.
        entities: the entities that it refers to.
        by_row: whether a matrix on its way has a row for each row of the batch; otherwise for each entity.
    """

    exchange: Exchange
    place: Place
    entities: BatchEntities
    by_row: bool

    @property
    def numbers(self) -> Rows:
        """Entity numbers, int32 (sent,)."""
        return self.entities.entities

    def outgoing(self, hiddens: FloatArray) -> FloatArray:
        """The matrix to send.

        Args:
            hiddens: of the entities, float32 (sent, columns).

        Returns:
            float32 (rows of the place, columns).
        """
        return self.entities.expand(hiddens) if self.by_row else hiddens

    def incoming(self, gradients: FloatArray) -> FloatArray:
        """The gradients of the entities.

        Args:
            gradients: as received, float32 (rows of the place, columns).

        Returns:
            float32 (sent, columns).
        """
        return self.entities.collect(gradients) if self.by_row else gradients


class FeatureBatches:
    """Finds the batches of a session at a feature party.

    Args:
        schedule: the session's schedule.
        entities: the entities that the rows of its dataset refer to.
        by_row: whether a matrix on its way has a row for each row of the batch, as the parts of a sum must;
            otherwise for each entity.
    """

    def __init__(self, schedule: Schedule, entities: Entities, *, by_row: bool = False) -> None:
        self._schedule = schedule
        self._entities = entities
        self._by_row = by_row

    def of(self, exchange: Exchange) -> FeatureBatch:
        """The batch of an exchange.

        Args:
            exchange: an exchange of the session.
        """
        rows = self._schedule.rows(exchange)
        entities = self._entities.of(rows)
        on_the_way = rows if self._by_row else entities.entities
        return FeatureBatch(exchange, place_of(exchange, on_the_way), entities, self._by_row)

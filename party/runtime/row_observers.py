"""Shows observers at the label party rows of its dataset, whatever crosses the cut for them."""

from __future__ import annotations

from collections.abc import Mapping

from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.data.entities import Entities
from party.protocol.progress import place_of
from party.protocol.schedule import Schedule


def by_rows(
    observers: Mapping[str, Observer], entities: Mapping[str, Entities], schedule: Schedule
) -> dict[str, Observer]:
    """Observers of matrices that have a row for each entity.

    Args:
        observers: observers by party; they see rows of the dataset.
        entities: the entities that the rows of the dataset refer to, by party; a party without any has those rows.
        schedule: the session's schedule.

    Returns:
        Observers by party; every row of an entity shows its values, and rows without an entity are left out.
    """
    return {
        party: _by_rows(observe, entities[party], schedule) if party in entities else observe
        for party, observe in observers.items()
    }


def _by_rows(observe: Observer, entities: Entities, schedule: Schedule) -> Observer:
    def observe_rows(values: FloatArray, place: Place) -> None:
        exchange = schedule.exchange(place.position)
        rows = schedule.rows(exchange)
        batch = entities.of(rows)
        if batch.present.any():
            observe(batch.expand(values)[batch.present], place_of(exchange, rows[batch.present]))

    return observe_rows

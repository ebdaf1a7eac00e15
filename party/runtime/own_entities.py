"""The entities that a feature party computes hiddens of in a session, and how many of them leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from party.channel.place import Place
from party.channel.tap import Observer
from party.cut.hidden import FloatArray
from party.data.entities import ABSENT, Entities, RowMap, entities_of
from party.runtime.batch_setup import BatchSetup


def own_entities(setup: BatchSetup) -> Entities:
    """The entities of this party's table that the rows of the session's dataset refer to.

    Args:
        setup: a feature party's setup of the session.
    """
    distinct = setup.opening.run.training.sends_distinct
    return entities_of(setup.rows.own_map, len(setup.rows), distinct=distinct)


def entities_referred(row_map: RowMap | None, rows: int) -> int:
    """Number of entities that rows of a session refer to: releases are counted per entity that they are of.

    All entities in common would be too many: where few rows are read, limits on releases would hardly count them.

    Args:
        row_map: the entity of every row of the session; None where every row is its own.
        rows: number of rows.
    """
    if row_map is None:
        return rows
    referred = np.zeros(row_map.entities + 1, np.bool_)  # ABSENT leads to the place after the last entity
    referred[row_map.entity_of_row] = True
    return int(np.count_nonzero(referred[:-1]))


def most_sent(row_map: RowMap | None, rows: npt.NDArray[np.int32], batches: Sequence[int], *, distinct: bool) -> int:
    """An upper bound on how often passes over some rows send an entity, whatever their order.

    An entity that travels once for a batch is sent in at most as many batches of a pass as it has rows, and as there
    are batches.

    Args:
        row_map: the entity of every row of the dataset; None where every row is its own.
        rows: row numbers of the dataset, int32 (rows,).
        batches: number of batches of each pass.
        distinct: whether an entity travels once for a batch.
    """
    if row_map is None:
        return len(rows) * len(batches)
    referred = row_map.entity_of_row[rows]
    counts = np.bincount(referred[referred != ABSENT])
    passes = Counter(batches if distinct else [len(rows)] * len(batches))
    return sum(times * int(np.minimum(counts, most).sum()) for most, times in passes.items())


def by_entity(observers: Mapping[str, Observer], entities: Entities) -> dict[str, Observer]:
    """Observers that see entities, of matrices with a row for each row of a batch.

    Args:
        observers: observers of entities, by peer.
        entities: the entities that the rows of the dataset refer to, once for each of their rows.
    """
    return {peer: _by_entity(observe, entities) for peer, observe in observers.items()}


def _by_entity(observe: Observer, entities: Entities) -> Observer:
    def observe_entities(values: FloatArray, place: Place) -> None:
        batch = entities.of(place.rows)
        if batch.present.any():
            observe(values[batch.present], Place(place.position, batch.entities, trains=place.trains))

    return observe_entities

"""Which feature parties the label party learns to do without, and which rows it does without in a session."""

from __future__ import annotations

import numpy as np

from party.cut.layout import CutLayout
from party.data.entities import ABSENT, Entities, EveryRow, entities_of
from party.protocol.party_dropout import PartyDropout
from party.protocol.peer_entities import PeerEntities
from party.protocol.presence import Presence
from party.protocol.schedule import Activity, TrainingSchedule
from party.runtime.batch_setup import BatchSetup
from party.runtime.proposal import Opening


def parties_to_do_without(opening: Opening) -> tuple[str, ...]:
    """The feature parties of which rows may be absent, ascending: each gets a learned vector for each of its hiddens.

    Args:
        opening: the granted proposal of a session that trains, at the label party.
    """
    run, joins = opening.run, opening.context.configuration.data.joins
    dropped = {party for party, share in run.training.party_dropout.items() if share}
    left = {join.peer for join in joins if join.kind == "left"}
    return tuple(sorted((dropped | left) & set(run.feature_parties)))


def peer_entities(setup: BatchSetup) -> PeerEntities:
    """The entities that rows refer to at each feature party; in a masked sum each row travels by itself.

    Args:
        setup: the label party's setup of the session.
    """
    return PeerEntities(len(setup.rows), mapped_entities(setup), away_layouts(setup))


def away_layouts(setup: BatchSetup) -> dict[str, CutLayout]:
    """Column layouts of the parties that take no part in the session, by party.

    Args:
        setup: the label party's setup of the session; it has its fuse model.
    """
    return {party: setup.models.peer_layouts[party] for party in sorted(setup.away)}


def mapped_entities(setup: BatchSetup) -> dict[str, Entities]:
    """The entities that rows refer to, by feature party with a row map.

    Args:
        setup: the label party's setup of the session.
    """
    training, rows = setup.opening.run.training, len(setup.rows)
    if training.secure_aggregation:
        return {party: EveryRow(row_map) for party, row_map in setup.rows.peer_maps.items()}
    return {
        party: entities_of(row_map, rows, distinct=training.sends_distinct)
        for party, row_map in setup.rows.peer_maps.items()
        if party not in setup.away
    }


def presence(setup: BatchSetup) -> Presence:
    """Says which rows of a batch are present at each feature party that there are learned vectors for.

    Args:
        setup: the label party's setup of the session; it has its fuse model.
    """
    training = setup.opening.run.training
    dropout = PartyDropout(training.party_dropout, bytes.fromhex(setup.record.secret), training.seed)
    return Presence(setup.models.absent_parties, setup.rows.peer_maps, dropout=dropout, away=setup.away)


def absent_in_training(setup: BatchSetup, schedule: TrainingSchedule, steps: int) -> tuple[str, ...]:
    """The feature parties of which training had absent or dropped rows, ascending.

    Args:
        setup: the label party's setup of the session.
        schedule: the session's schedule.
        steps: number of training steps that were made.
    """
    present, found = presence(setup), set[str]()
    expected = set(setup.models.absent_parties) - _always_present(setup, schedule)
    for position in range(schedule.exchanges):
        exchange = schedule.exchange(position)
        if found == expected or exchange.step >= steps:
            break
        if exchange.activity is Activity.TRAIN:
            masks = present.of(exchange, schedule.rows(exchange))
            found |= {party for party, mask in masks.items() if not mask.all()}
    return tuple(sorted(found))


def _always_present(setup: BatchSetup, schedule: TrainingSchedule) -> set[str]:
    """Parties that no batch can lack; spares a search through the whole schedule."""
    dropped = {party for party, share in setup.opening.run.training.party_dropout.items() if share}
    maps = setup.rows.peer_maps
    return {
        party
        for party in setup.models.absent_parties
        if party not in dropped
        and (party not in maps or not np.any(maps[party].entity_of_row[schedule.training_rows] == ABSENT))
    }

"""Which rows of a batch have the hiddens of a party, and which are absent."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from party.cut.hidden import Present, Rows
from party.data.entities import ABSENT, RowMap
from party.protocol.party_dropout import PartyDropout
from party.protocol.schedule import Activity, Exchange


class Presence:
    """Says of every batch in which rows a learned vector replaces the hiddens of a party.

    It is a pure function of an exchange, so that repeated and resumed steps, local steps and both heads see the same.

    Args:
        parties: the parties that there are learned vectors for; no other is ever absent.
        maps: the entity of every row of the dataset, by party; a party without a map has one for each row.
        dropout: drops rows of training batches; None without.
        away: parties that take no part in the session.
    """

    def __init__(
        self,
        parties: Collection[str] = (),
        maps: Mapping[str, RowMap] | None = None,
        *,
        dropout: PartyDropout | None = None,
        away: Collection[str] = (),
    ) -> None:
        self._parties = tuple(sorted(parties))
        self._maps = maps or {}
        self._dropout = dropout or PartyDropout()
        self._away = frozenset(away)

    def of(self, exchange: Exchange, rows: Rows) -> dict[str, Present]:
        """Which rows of a batch are present, by party with learned vectors, bool (batch,).

        Args:
            exchange: the exchange of the batch.
            rows: row numbers of the dataset, int32 (batch,).
        """
        return {party: self._present(party, exchange, rows) for party in self._parties}

    def _present(self, party: str, exchange: Exchange, rows: Rows) -> Present:
        if party in self._away:
            return np.zeros(len(rows), np.bool_)
        present = np.ones(len(rows), np.bool_)
        if party in self._maps:
            present = np.asarray(self._maps[party].entity_of_row[rows] != ABSENT)
        if exchange.activity is Activity.TRAIN and self._dropout.drops(party):
            present &= ~self._dropout.dropped(party, exchange.step, len(rows))
        return present

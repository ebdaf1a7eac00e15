"""The entities of each feature party that a batch refers to, at the label party."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from party.channel.place import Place
from party.cut.hidden import FloatArray, Rows
from party.cut.layout import CutLayout
from party.data.entities import BatchEntities, Entities, OneToOne
from party.protocol.progress import place_of
from party.protocol.schedule import Exchange


class PeerEntities:
    """Places matrices of feature parties: what crosses the cut has a row for each entity, models have one for each row.

    Args:
        rows: number of rows of the dataset.
        entities: by matrix, the entities of the rows of the dataset; a matrix without any has those rows themselves.
        away: column layouts of the matrices of parties that take no part in the session, by party.
    """

    def __init__(
        self,
        rows: int,
        entities: Mapping[str, Entities] | None = None,
        away: Mapping[str, CutLayout] | None = None,
    ) -> None:
        self._same = OneToOne(rows)
        self._entities = entities or {}
        self._away = away or {}

    def of(self, matrix: str, rows: Rows) -> BatchEntities:
        """The entities of a batch.

        Args:
            matrix: name of the matrix: a feature party, or the sum of all.
            rows: row numbers of the dataset, int32 (batch,).
        """
        return self._entities.get(matrix, self._same).of(rows)

    def place(self, matrix: str, exchange: Exchange, rows: Rows) -> Place:
        """The place of a matrix on its way, whose rows are entities.

        Args:
            matrix: as for `of`.
            exchange: the exchange of the batch.
            rows: as for `of`.
        """
        return place_of(exchange, self.of(matrix, rows).entities)

    def expand(self, received: Mapping[str, FloatArray], rows: Rows) -> dict[str, FloatArray]:
        """Gives every row of a batch the hiddens of its entities; zeros where it has none, and for parties away.

        Args:
            received: hiddens by matrix, float32 (entities of the batch, columns).
            rows: as for `of`.

        Returns:
            Hiddens by matrix, float32 (batch, columns).
        """
        hiddens = {matrix: self.of(matrix, rows).expand(values) for matrix, values in received.items()}
        for party, layout in self._away.items():
            hiddens[party] = np.zeros((len(rows), layout.columns), np.float32)
        return hiddens

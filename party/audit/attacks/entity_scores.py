"""Linear scores of entities from all their hiddens, epoch by epoch, without keeping the hiddens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from party.audit.linear_models import fit_ridge
from party.audit.own_columns import Floats, Ints
from party.audit.received import Received

RIDGE_PENALTY = 20.0


@dataclass(frozen=True, eq=False)
class Probe:
    """One fit of a linear score.

    Attributes:
        known: entities whose secret is known, int64.
        targets: their secrets, float64.
        last_only: whether the score uses the last epoch alone, as opposed to all of them side by side.
    """

    known: Ints
    targets: Floats
    last_only: bool


class EntityHiddens:
    """How often an epoch has an entity, and the mean hiddens of the entities that are asked for.

    Args:
        received: hiddens of every batch.
        entities: entity of each row of the common order, int64 (rows,).
    """

    def __init__(self, received: Received, entities: Ints) -> None:
        self._received = received
        self._entities = entities
        self._columns = sum(one.units for one in received.header.hiddens)
        count = int(entities.max()) + 1
        epochs: list[Ints] = []
        for batch in received.batches():
            while len(epochs) <= batch.epoch:
                epochs.append(np.zeros(count, np.int64))
            epochs[batch.epoch] += np.bincount(entities[batch.rows], minlength=count)
        self._counts = np.stack(epochs) if epochs else np.zeros((0, count), np.int64)

    @property
    def present(self) -> Ints:
        """Entities that every epoch has, ascending."""
        return np.flatnonzero((self._counts > 0).all(axis=0) & bool(len(self._counts)))

    def means(self, chosen: Ints) -> Floats:
        """Mean hiddens of some entities by epoch.

        Args:
            chosen: entities that every epoch has, int64, each once.

        Returns:
            float64 (epochs, chosen entities, columns).
        """
        place = np.full(self._counts.shape[1], -1)
        place[chosen] = np.arange(len(chosen))
        sums = np.zeros((len(self._counts), len(chosen), self._columns))
        for batch in self._received.batches():
            places = place[self._entities[batch.rows]]
            wanted = places >= 0
            np.add.at(sums[batch.epoch], places[wanted], batch.values[wanted].astype(np.float64))
        means: Floats = sums / self._counts[:, chosen, None]
        return means

    def scores(self, probes: Sequence[Probe]) -> Floats:
        """Fits every probe on the mean hiddens of its known entities, and scores all entities.

        Args:
            probes: at least one.

        Returns:
            float64 (entities, probes).
        """
        chosen = np.unique(np.concatenate([probe.known for probe in probes]))
        means = self.means(chosen)
        fits = [_fit(probe, means[:, np.searchsorted(chosen, probe.known)]) for probe in probes]
        centres = np.stack([centre for centre, _ in fits], axis=2)
        weights = np.stack([weight for _, weight in fits], axis=2)
        offsets = np.einsum("ecp,ecp->ep", centres, weights)
        scores = np.zeros((self._counts.shape[1], len(probes)))
        for batch in self._received.batches():
            entities = self._entities[batch.rows]
            values = batch.values.astype(np.float64) @ weights[batch.epoch] - offsets[batch.epoch]
            np.add.at(scores, entities, values / self._counts[batch.epoch, entities][:, None])
        return scores


def _fit(probe: Probe, means: Floats) -> tuple[Floats, Floats]:
    """Centre and weights of a probe, each float64 (epochs, columns); zero in epochs that it does not use."""
    epochs, known, columns = means.shape
    used = means[-1:] if probe.last_only else means
    model = fit_ridge(used.transpose(1, 0, 2).reshape(known, -1), probe.targets, RIDGE_PENALTY)
    centre, weights = np.zeros((epochs, columns)), np.zeros((epochs, columns))
    centre[-len(used) :] = model.means.reshape(len(used), columns)
    weights[-len(used) :] = model.weights.reshape(len(used), columns)
    return centre, weights

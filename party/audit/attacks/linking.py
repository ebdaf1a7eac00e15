"""Links rows of one entity: their hiddens are nearer to each other than those of two entities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from party.audit.attacks.attack_result import AttackResult, area_error
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.row_scores import training_batches
from party.audit.own_columns import Floats, Ints
from party.audit.received import Received
from party.metrics.area_under_curve import area_under_curve

WINDOW_BATCHES = 5  # in which a base model changes little
WINDOW_DISTANCE = 50  # batches from the beginning of a window to that of the next one
MOST_ROWS = 1000  # of a window: pairs grow with their square
LINKED = "linked rows"


def linking_attack(material: ColumnMaterial, seed: int = 0) -> AttackResult | None:
    """Scores pairs of rows of a window by the distance of their hiddens.

    No entity is known: that the nearer pair is the likelier one orients the scores. Without a run, the distance of the
    attacker's own columns of the same pairs. The figure of one step is that of the first window of the run, before
    training has shaped the base model; that of all epochs is the mean over windows.

    Args:
        material: what the label party received and has.
        seed: of the choice of rows.

    Returns:
        The result; None where no two rows of a window are of one entity.

    Reference:
        Nearest neighbours in a released embedding, as Pan et al., "Privacy Risks of General-Purpose Language Models",
        S&P 2020, measure it for pairs.
    """
    generator = np.random.default_rng(seed)
    areas, own_areas, pairs = [], [], (0, 0)
    for rows, values in _windows(material.hiddens):
        chosen = np.sort(generator.permutation(len(rows))[:MOST_ROWS])
        numbers, entities = rows[chosen], material.entities[rows[chosen]]
        upper = np.nonzero(np.triu(numbers[:, None] != numbers[None], 1))  # a row that returns is no second row
        linked = (entities[:, None] == entities[None])[upper].astype(np.float64)
        if not 0 < linked.sum() < len(linked):
            continue
        pairs = (int(linked.sum()), int(len(linked) - linked.sum()))
        areas.append(area_under_curve(-_distances(values[chosen])[upper], linked))
        if material.own is not None:
            own = material.own.take(rows[chosen]).dense()
            own_areas.append(area_under_curve(-_distances(own)[upper], linked))
    if not areas:
        return None
    area = float(np.mean(areas))
    return AttackResult(
        secret=LINKED,
        attack="linking",
        attacker_has="hiddens",
        one_step=areas[0],
        all_epochs=area,
        standard_error=area_error(area, *pairs),
        without_run=float(np.mean(own_areas)) if own_areas else None,
        reference="nearest neighbours",
    )


def _windows(received: Received) -> Iterator[tuple[Ints, Floats]]:
    """Windows of batches of training, the first one at the beginning of the run."""
    rows, values = [], []
    for number, batch in enumerate(training_batches(received)):
        if number % WINDOW_DISTANCE < WINDOW_BATCHES:
            rows.append(batch.rows.astype(np.int64))
            values.append(batch.values.astype(np.float64))
        elif rows:
            yield np.concatenate(rows), np.concatenate(values)
            rows, values = [], []
    if rows:
        yield np.concatenate(rows), np.concatenate(values)


def _distances(values: Floats) -> Floats:
    """Squared distances of all pairs of rows, float64 (rows, rows)."""
    squares = (values**2).sum(axis=1)
    distances: Floats = np.maximum(squares[:, None] + squares[None] - 2 * values @ values.T, 0.0)
    return distances

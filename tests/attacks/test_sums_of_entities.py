"""With joins, a label party solves masked sums for the hiddens of single parties: the limit that security.md states."""

import numpy as np
import pytest

from party.data.entities import ABSENT, EveryRow, MappedEntities, RowMap
from party.privacy.ring import Ring

ROWS, WIDTH = 400, 3
ENTITIES = {"alice": 30, "charlie": 12}


def maps(lowest):
    generator = np.random.default_rng(4)
    drawn = {name: generator.integers(lowest, count, ROWS).astype(np.int32) for name, count in ENTITIES.items()}
    return {name: RowMap(numbers, ENTITIES[name]) for name, numbers in drawn.items()}


def sums(row_maps, hiddens):
    """What the label party gets of a pass whose weights stand still."""
    ring, rows = Ring(len(row_maps)), np.arange(ROWS, dtype=np.int32)
    total = np.zeros((ROWS, WIDTH), np.uint32)
    for name, row_map in row_maps.items():
        sent = MappedEntities(row_map, distinct=False).of(rows)
        total += ring.encode(sent.expand(hiddens[name][sent.entities]), name)
    return ring.decode(total)


def solved(row_maps, received):
    """Least squares over the equations of all rows: the label party knows which entities each row adds up."""
    rows = np.arange(ROWS, dtype=np.int32)
    parts = []
    for row_map in row_maps.values():
        present = EveryRow(row_map).of(rows).present
        chosen = np.zeros((ROWS, row_map.entities))
        chosen[rows[present], row_map.entity_of_row[present]] = 1
        parts.append(chosen)
    solution = np.linalg.lstsq(np.hstack(parts), received.astype(np.float64), rcond=None)[0]
    return dict(zip(row_maps, np.split(solution, [ENTITIES["alice"]]), strict=True))


@pytest.mark.parametrize(("lowest", "kind"), [(0, "inner"), (ABSENT, "left")])
def test_sums_over_repeated_entities_tell_the_parts(lowest, kind):
    generator = np.random.default_rng(9)
    hiddens = {name: generator.normal(size=(count, WIDTH)).astype(np.float32) for name, count in ENTITIES.items()}
    row_maps = maps(lowest)
    found = solved(row_maps, sums(row_maps, hiddens))
    for name, true in hiddens.items():
        error = found[name] - true
        unknown = error.mean(axis=0) if kind == "inner" else 0.0  # one constant; none where a row has one party alone
        np.testing.assert_allclose(error, np.broadcast_to(unknown, error.shape), atol=1e-3)

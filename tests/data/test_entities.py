"""What a batch needs of the entities that its rows refer to."""

from __future__ import annotations

import numpy as np
import pytest

from party.data.entities import ABSENT, MappedEntities, OneToOne, RowMap, entities_of

MAP = RowMap(np.array([2, 0, 2, ABSENT, 1, 2], np.int32), entities=4)
ROWS = np.array([0, 3, 5, 1], np.int32)


def test_a_distinct_entity_travels_once_ascending() -> None:
    batch = MappedEntities(MAP, distinct=True).of(ROWS)
    assert batch.entities.tolist() == [0, 2]
    assert batch.present.tolist() == [True, False, True, True]
    assert batch.entities.dtype == np.int32


def test_without_distinct_every_row_with_an_entity_travels() -> None:
    batch = MappedEntities(MAP, distinct=False).of(ROWS)
    assert batch.entities.tolist() == [2, 2, 0]


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_expanding_and_collecting_are_a_matrix_and_its_transpose(distinct: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    entities = int(random.integers(1, 9))
    row_map = RowMap(random.integers(ABSENT, entities, 40).astype(np.int32), entities)
    rows = random.permutation(40)[: random.integers(1, 41)].astype(np.int32)
    batch = MappedEntities(row_map, distinct=distinct).of(rows)
    sent = random.integers(-9, 9, (len(batch.entities), 3)).astype(np.float32)
    by_row = random.integers(-9, 9, (len(rows), 3)).astype(np.float32)
    expanded = batch.expand(sent)
    for place, row in enumerate(rows):
        entity = row_map.entity_of_row[row]
        if entity == ABSENT:
            assert not expanded[place].any()
        else:
            assert any((expanded[place] == sent[one]).all() for one in np.flatnonzero(batch.entities == entity))
    assert (batch.collect(by_row) * sent).sum() == (by_row * expanded).sum()


def test_a_batch_without_any_entity_is_empty() -> None:
    batch = MappedEntities(MAP, distinct=True).of(np.array([3], np.int32))
    assert batch.entities.shape == (0,)
    assert batch.collect(np.ones((1, 2), np.float32)).shape == (0, 2)
    assert batch.expand(np.zeros((0, 2), np.float32)).tolist() == [[0.0, 0.0]]


def test_rows_without_a_map_are_entities_themselves() -> None:
    entities = entities_of(None, 6, distinct=True)
    assert isinstance(entities, OneToOne)
    matrix = np.ones((2, 3), np.float32)
    batch = entities.of(np.array([4, 1], np.int32))
    assert batch.entities.tolist() == [4, 1]
    assert batch.expand(matrix) is matrix
    assert batch.collect(matrix) is matrix
    assert entities.count == 6

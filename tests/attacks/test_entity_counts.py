"""With joins, a coordinator counts the entities of each batch by lengths of messages, and compares runs."""

import numpy as np
import pytest

from party.configuration.run import TrainingSection
from party.data.entities import ABSENT, MappedEntities, RowMap
from party.protocol.schedule import Activity, InferenceSchedule, TrainingSchedule

ROWS, ENTITIES = 4000, 60
MAP = RowMap(np.random.default_rng(5).integers(ABSENT, ENTITIES, ROWS).astype(np.int32), ENTITIES)
KEYS = (b"a" * 32, b"b" * 32)


def counts(schedule, activity):
    """What lengths of messages tell of every batch of a pass."""
    entities = MappedEntities(MAP, distinct=True)
    passes = [one for one in map(schedule.exchange, range(schedule.exchanges)) if one.activity is activity]
    return np.array([len(entities.of(schedule.rows(one)).entities) for one in passes])


def evaluated(size, key):
    return counts(InferenceSchedule(ROWS, size, key), Activity.INFER)


def held_out(size, key, *, by_entity=True):
    training = TrainingSection(validation_dataset="test", batch_size=100, evaluation_batch_size=size, epochs=1)
    schedule = TrainingSchedule(training, 100, key, ROWS - 100)
    return counts(schedule.by_entity() if by_entity else schedule, Activity.VALIDATE)


def contradictions(pairs, fours):
    """Batches of four that cannot be the two batches of two at their place; none where the order is the same."""
    pairs = pairs[: len(pairs) // 2 * 2].reshape(-1, 2)
    fours = fours[: len(pairs)]
    return np.count_nonzero((fours > pairs.sum(axis=1)) | (fours < pairs.max(axis=1)))


def test_the_attack_works_on_the_common_order():
    assert contradictions(evaluated(2, b""), evaluated(4, b"")) == 0
    assert contradictions(held_out(2, KEYS[0], by_entity=False), held_out(4, KEYS[1], by_entity=False)) == 0


@pytest.mark.parametrize("seen", [evaluated, held_out])
def test_runs_with_other_batch_sizes_are_not_comparable(seen):
    """Else batch sizes of 2, 3, 4 ... would tell which rows share an entity, and so the graph of all joins."""
    pairs, fours = seen(2, KEYS[0]), seen(4, KEYS[1])
    assert contradictions(pairs, fours) > 10
    assert (pairs != seen(2, KEYS[1])).sum() > 10, "nor is one batch size with itself"
    assert contradictions(pairs, seen(4, KEYS[0])) == 0, "the counts of one order would fit"

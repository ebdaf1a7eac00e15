"""A feature party whose entities many rows refer to: what it sends, what it learns from, and what it counts."""

import hashlib

import numpy as np
import pytest

from party.channel.compose import ChannelSettings, feature_channels, label_channels
from party.channel.place import Place
from party.configuration.run import CodecSection, CodecsSection, LocalUpdatesSection, ScheduleSection
from party.cut.state import State
from party.data.entities import ABSENT, MappedEntities, RowMap
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.feature_steps import FeatureSteps
from party.protocol.local_steps import FeatureLocalSteps
from party.protocol.local_updates import LocalUpdates
from party.protocol.schedule import Activity
from party.runtime.checkpoint_files import pack_state, unpack_state
from party.runtime.own_entities import entities_referred, most_sent
from tests.support.numpy_models import (
    LABEL_PARTY,
    LAYOUT,
    LEARNING_RATE,
    NumpyBase,
    inference_schedule,
    make_data,
    make_keys,
    make_timings,
    training_schedule,
)

PARTY, OTHER = "shop", "club"
ROWS, ENTITIES = 23, 7
INPUTS, _ = make_data([PARTY], ENTITIES)
CODECS = CodecsSection(hidden=CodecSection(kind="bfloat16", error_feedback=True))


def row_map(schedule=None):
    """The entity of each row; some have none, as all rows of the second batch of training."""
    generator = np.random.default_rng(1)
    entity_of_row = generator.integers(-1, ENTITIES, ROWS).astype(np.int32)
    if schedule is not None and schedule.steps:
        entity_of_row[schedule.rows(schedule.exchange(1))] = ABSENT
        entity_of_row[schedule.rows(schedule.exchange(0))[0]] = ABSENT
    return RowMap(entity_of_row, ENTITIES)


def schedule_of(depth, **changes):
    pipelined = {"schedule": ScheduleSection(kind="pipelined", depth=depth)} if depth > 1 else {}
    return training_schedule(**pipelined, **changes)


class EntityBase(NumpyBase):
    """The model by entity, with several batches under way, and a record of what it computed and learnt from."""

    def __init__(self):
        super().__init__(INPUTS[PARTY])
        self.under_way, self.seen, self.learnt = [], [], []

    def forward(self, rows):
        self.under_way.append(rows)
        self.seen.append(rows)
        return self.inputs[rows] @ self.weights

    def backward(self, gradients):
        rows = self.under_way.pop(0)
        assert len(rows) == len(gradients)
        self.learnt.append((rows, gradients))
        self.weights = self.weights - LEARNING_RATE * self.inputs[rows].T @ gradients

    def local_step(self, rows, number, *, hiddens, gradients):
        assert len(rows) == len(hiddens) == len(gradients)
        self.learnt.append((rows, gradients))

    def state(self):
        rows = {f"rows {place}": one for place, one in enumerate(self.under_way)}
        return State({"count": len(rows)}, {"weights": self.weights, **rows})

    def set_state(self, state):
        self.weights = state.arrays["weights"]
        self.under_way = [state.arrays[f"rows {place}"] for place in range(state.values["count"])]


class Driven:
    """A feature party with a row map, and the label party's channels, which see what it sends."""

    def __init__(self, schedule, *, distinct=True, masked=False, codecs=None, local_updates=None):
        self.schedule, self.map = schedule, row_map(schedule)
        self.entities = MappedEntities(self.map, distinct=distinct and not masked)
        parties = [PARTY, OTHER] if masked else [PARTY]
        shared = {"label_party": LABEL_PARTY, "dataset": "train", "rows": ROWS if masked else ENTITIES}
        shared |= {"codecs": codecs, "largest_training_batch": 4, "masked": tuple(sorted(parties)) if masked else ()}
        self.keys, secret = make_keys(parties), hashlib.sha256(b"pair").digest()
        secrets = {OTHER: secret} if masked else {}
        channels = feature_channels(ChannelSettings(party=PARTY, **shared), LAYOUT, self.keys[PARTY], secrets)
        if masked:
            other = ChannelSettings(party=OTHER, **shared)
            self.other = feature_channels(other, LAYOUT, self.keys[OTHER], {PARTY: secret})
        self.label = label_channels(
            ChannelSettings(party=LABEL_PARTY, **shared), dict.fromkeys(parties, LAYOUT), self.keys[LABEL_PARTY]
        )
        self.masked, self.base, timings = masked, EntityBase(), make_timings()
        local_steps = None
        if local_updates is not None:
            plan = LocalUpdates(local_updates, bytes(32))
            local_steps = FeatureLocalSteps(plan, self.base, schedule, timings, entities=self.entities)
        self.exchanges = FeatureExchanges(
            PARTY,
            schedule,
            channels,
            entities=self.entities,
            base=self.base,
            timings=timings,
            steps=FeatureSteps(self.base, channels.hiddens, timings, local_steps),
        )

    def batch(self, position):
        exchange = self.schedule.exchange(position)
        return exchange, self.entities.of(self.schedule.rows(exchange))

    def place(self, position):
        exchange, batch = self.batch(position)
        rows = self.schedule.rows(exchange) if self.masked else batch.entities
        return Place(position, rows, trains=exchange.activity is Activity.TRAIN)

    def opened(self, envelope, position):
        """What the label party reads; in a masked sum, the other party sends zeros."""
        place = self.place(position)
        if self.masked:
            zeros = np.zeros((len(place.rows), LAYOUT.columns), np.float32)
            envelopes = [self.other.hiddens.send(zeros, place), envelope]
        else:
            envelopes = [envelope]
        (channel,) = self.label.hiddens.values()
        received = channel.open(envelopes, place)
        channel.accept(received, place)
        return received.values

    def gradient(self, position):
        """Gradients by row or by entity, different for each, and sealed."""
        place = self.place(position)
        values = np.arange(len(place.rows), dtype=np.float32)[:, None] + position
        return values, self.label.gradients[PARTY].send(values, place)

    def run(self, positions=None):
        """Exchanges batches, and returns what was sent of each."""
        sent, waiting = {}, {}
        for position in positions or range(self.schedule.exchanges):
            exchange, _ = self.batch(position)
            trains = exchange.activity is Activity.TRAIN
            while position not in waiting or (trains and not self.exchanges._awaits_backward):
                following = max([position - 1, *waiting]) + 1
                waiting[following] = self.exchanges.forward(following)
            sent[position] = self.opened(waiting.pop(position), position)
            if trains:
                later = self.exchanges.backward(position, self.gradient(position)[1])
                if later is not None:
                    waiting[later.index] = later
        return sent


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_entities_of_every_batch_are_sent_and_learnt_from(distinct, depth):
    schedule = schedule_of(depth)
    driven = Driven(schedule, distinct=distinct)
    sent = driven.run()
    entities = [driven.batch(position)[1].entities for position in range(schedule.exchanges)]
    assert [len(sent[position]) for position in range(schedule.exchanges)] == [len(one) for one in entities]
    assert len(entities[1]) == 0
    assert driven.exchanges.sent_rows == sum(map(len, entities))
    trained = [one for place, one in enumerate(entities) if driven.batch(place)[0].activity is Activity.TRAIN]
    for seen, expected in zip(driven.base.seen, trained, strict=True):
        np.testing.assert_array_equal(seen, expected)
    assert all(len(set(one)) == len(one) for one in entities) == distinct
    assert driven.exchanges.finished


def test_inference_sends_the_entities_of_every_batch():
    driven = Driven(inference_schedule())
    for position, values in driven.run().items():
        expected = driven.base.inputs[driven.batch(position)[1].entities] @ driven.base.weights
        np.testing.assert_array_equal(values, expected)


def test_a_masked_sum_has_a_row_for_each_row_of_the_batch_and_zeros_where_none_is_present():
    driven = Driven(training_schedule(), masked=True)
    weights = driven.base.weights.copy()
    first = driven.opened(driven.exchanges.forward(0), 0)
    _, batch = driven.batch(0)
    assert len(first) == 4 > batch.present.sum() > 0
    np.testing.assert_array_equal(first[~batch.present], 0.0)
    expected = driven.base.inputs[batch.entities] @ weights
    np.testing.assert_allclose(first[batch.present], expected, atol=1e-4)
    values, sealed = driven.gradient(0)
    driven.exchanges.backward(0, sealed)
    (rows, learnt) = driven.base.learnt[0]
    np.testing.assert_array_equal(rows, batch.entities)
    np.testing.assert_array_equal(learnt, values[batch.present])
    assert driven.exchanges.sent_rows == len(batch.entities) + len(driven.batch(1)[1].entities)


def test_local_steps_use_the_entities_of_their_batch_again():
    driven = Driven(training_schedule(), local_updates=LocalUpdatesSection(steps=2, window=2, uses=2))
    driven.run()
    batches = [driven.batch(position)[1].entities for position in range(driven.schedule.exchanges)]
    used = [rows for rows, _ in driven.base.learnt]
    assert len(used) > driven.schedule.steps
    assert all(any(np.array_equal(rows, one) for one in batches) for rows in used)


@pytest.mark.parametrize("stopped_after", [1, 2])
@pytest.mark.parametrize("depth", [1, 3])
def test_a_run_resumes_with_a_batch_under_way_that_has_no_entity(stopped_after, depth):
    whole, first, resumed = (Driven(schedule_of(depth, validation_fraction=0.0), codecs=CODECS) for _ in range(3))
    expected = whole.run()
    first.run(range(stopped_after))
    resumed.exchanges.set_state(unpack_state(pack_state(first.exchanges.state())))
    state = first.label.hiddens[PARTY].state()
    resumed.label.hiddens[PARTY].set_state(state)
    rest = resumed.run(range(stopped_after, resumed.schedule.exchanges))
    for position, values in rest.items():
        np.testing.assert_array_equal(values, expected[position])
    np.testing.assert_array_equal(resumed.base.weights, whole.base.weights)


@pytest.mark.parametrize("distinct", [True, False])
def test_no_order_of_rows_sends_more_than_the_bound(distinct):
    mapped = row_map()
    entities, rows = MappedEntities(mapped, distinct=distinct), np.arange(3, ROWS)
    bound = most_sent(mapped, rows, [5, 5], distinct=distinct)
    largest = 0
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(rows)
        parts = np.array_split(order.astype(np.int32), 5)
        largest = max(largest, 2 * sum(len(entities.of(part).entities) for part in parts))
    assert largest <= bound <= 2 * np.sum(mapped.entity_of_row[rows] != ABSENT)
    assert most_sent(None, rows, [5, 5], distinct=distinct) == 2 * len(rows)
    if not distinct:
        assert largest == bound
    else:
        assert most_sent(mapped, rows, [1, 1], distinct=True) == 2 * len(np.unique(mapped.entity_of_row[rows])) - 2


def test_releases_are_per_entity_that_rows_refer_to():
    """Else few rows beside many other entities could be released without end, and hardly count."""
    few = RowMap(np.array([5, ABSENT, 5, 900], np.int32), entities=1000)
    assert entities_referred(few, 4) == 2
    assert entities_referred(RowMap(np.array([ABSENT], np.int32), entities=3), 1) == 0
    assert entities_referred(None, 4) == 4

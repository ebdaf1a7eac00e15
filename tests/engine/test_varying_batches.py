"""A base model for batches of any number of entities: the model of the joined table, and the one for fixed sizes."""

import numpy as np
import pytest
import tensorflow as tf

from party.data.entities import ABSENT, MappedEntities, RowMap
from party.data.rows import InMemoryRows
from party.engine.base_model import BaseModel
from party.engine.compiled_call import CompiledCall, any_rows
from party.engine.decorrelation import GROUPS, SAMPLE_ROWS, Decorrelation
from party.engine.instance_weights import InstanceWeights
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.distance_correlation import distance_correlation
from party.runtime.checkpoint_files import pack_state, unpack_state
from tests.support.keras_models import (
    LAYOUT,
    OPTIMIZERS,
    ROWS,
    arrays_of,
    assert_identical,
    assert_near,
    gather,
    make_base,
    make_inputs,
    matrix_of,
    named,
)

INPUTS = make_inputs()
SOURCE = InMemoryRows(INPUTS)
CODES = np.random.default_rng(8).integers(0, 2, (ROWS, 1)).astype(np.int32)
EVERYTHING = {"dropout": 0.4, "batch_normalization": True, "embedding_l2": 0.05}
SIZES = (5, 8, 0, 1, 0, 0, 7, 8, 3)  # of batches of entities
JOINED_ROWS, BATCH = 60, 10
NOBODY = 3  # the batch of joined rows that refer to no entity


def drawn(seed, rows):
    return np.random.default_rng(seed).normal(size=(rows, LAYOUT.columns)).astype(np.float32)


def batches_of(sizes=SIZES):
    generator = np.random.default_rng(3)
    return [generator.permutation(ROWS)[:size].astype(np.int32) for size in sizes]


def model_of(depth=1, varying=True, optimizer="adam", penalty=0.0, cosine=None, **section):
    model, made = make_base(**section), OPTIMIZERS[optimizer]()
    base = TrainableBaseModel(
        model,
        SOURCE,
        LAYOUT,
        made,
        depth=depth,
        instance_weights=InstanceWeights(cosine),
        decorrelation=Decorrelation(InMemoryRows({GROUPS: CODES}), penalty, spread=varying) if penalty else None,
        varying=varying,
    )
    return base, model, made


class Training:
    """A base model that is trained batch by batch, with a local step after every other one."""

    def __init__(self, depth, **settings):
        self.base, self.model, self.optimizer = model_of(depth, **settings)
        self.depth = depth
        self.hiddens = {}

    def begin(self, order):
        for number in range(self.depth):
            self.hiddens[number] = self.base.forward(order[number])

    def step(self, order, number):
        gradients, following = drawn(number, len(order[number])), number + self.depth
        if following < len(order):
            self.hiddens[following] = self.base.backward_and_forward(gradients, order[following])
        else:
            self.base.backward(gradients)
        if number % 2:
            sent = self.hiddens.get(number, gradients)
            self.base.local_step(order[number], number, hiddens=sent, gradients=gradients)

    def run(self, order):
        self.begin(order)
        for number in range(len(order)):
            self.step(order, number)
        return [*self.hiddens.values(), *arrays_of(self.model, self.optimizer)]


@pytest.mark.parametrize("depth", [1, 4])
def test_any_number_of_rows_equals_fixed_sizes(depth):
    order, settings = batches_of((5, 8, 5, 8, 5, 8)), {"penalty": 0.5, "cosine": 0.0, **EVERYTHING}
    varying, fixed = (Training(depth, varying=varying, **settings).run(order) for varying in (True, False))
    for one, other in zip(varying, fixed, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("depth", "stopped_after"), [(1, 1), (1, 2), (4, 2)])
def test_a_run_that_resumes_computes_the_bits_of_one_that_never_stopped(depth, stopped_after):
    order, settings = batches_of(), {"penalty": 0.5, **EVERYTHING}
    whole = Training(depth, **settings)
    whole.begin(order)
    for number in range(len(order)):
        if number == stopped_after:
            state = unpack_state(pack_state(whole.base.state()))
        whole.step(order, number)
    resumed = Training(depth, **settings)
    resumed.base.set_state(state)
    resumed.hiddens = {number: one for number, one in whole.hiddens.items() if number < stopped_after + depth}
    for number in range(stopped_after, len(order)):
        resumed.step(order, number)
    assert_identical(arrays_of(resumed.model, resumed.optimizer), arrays_of(whole.model, whole.optimizer))
    assert_identical(list(resumed.hiddens.values()), list(whole.hiddens.values()))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_batch_without_entities_changes_nothing(depth):
    base, model, optimizer = model_of(depth, **EVERYTHING)
    nobody, somebody = np.zeros(0, np.int32), np.arange(4, dtype=np.int32)
    nothing = np.zeros((0, LAYOUT.columns), np.float32)
    before = arrays_of(model, optimizer)
    assert base.infer(nobody).shape == base.forward(nobody).shape == nothing.shape
    assert base.backward_and_forward(nothing, nobody).shape == nothing.shape
    base.local_step(nobody, 0, hiddens=nothing, gradients=nothing)
    assert_identical(arrays_of(model, optimizer), before)
    hiddens = base.backward_and_forward(nothing, somebody)
    assert int(optimizer.iterations) == 0
    assert base.backward_and_forward(hiddens, nobody).shape == nothing.shape
    assert int(optimizer.iterations) == 1
    after = arrays_of(model, optimizer)
    base.backward(nothing)
    assert_identical(arrays_of(model, optimizer), after)
    with pytest.raises(RuntimeError, match="no forward pass is waiting"):
        base.backward(nothing)


def test_a_function_is_traced_once_for_any_number_of_rows():
    traced = []

    def function(one, number):
        traced.append(one.shape)
        return one + number

    call = CompiledCall(function, any_rows)
    for size in (3, 1, 7):
        np.testing.assert_array_equal(
            call((size,), np.ones((size, 2), np.float32), np.float32(2)), np.full((size, 2), 3)
        )
    assert [tuple(shape) for shape in traced] == [(None, 2)]


def test_inference_of_any_number_of_rows_is_as_keras_predicts():
    model = make_base(**EVERYTHING)
    base = BaseModel(model, SOURCE, LAYOUT, varying=True)
    for rows in batches_of():
        expected = matrix_of({name: one.numpy() for name, one in model(gather(INPUTS, rows), training=False).items()})
        np.testing.assert_allclose(base.infer(rows), expected, rtol=1e-5, atol=1e-6)


def joined_table():
    """The entity of each row, batches of rows, and the gradients of every row in its batch."""
    generator = np.random.default_rng(6)
    entity_of_row = generator.integers(0, ROWS // 3, JOINED_ROWS).astype(np.int32)  # so that most repeat in a batch
    order = generator.permutation(JOINED_ROWS).astype(np.int32).reshape(-1, BATCH)
    entity_of_row[order[NOBODY]] = ABSENT
    entity_of_row[order[:, 0]] = ABSENT
    return RowMap(entity_of_row, ROWS), order, [drawn(50 + number, BATCH) for number in range(len(order))]


def entity_training(depth, optimizer, distinct, section):
    """As a feature party trains: hiddens of every row that has an entity, and all variables in the end."""
    row_map, order, gradients = joined_table()
    base, model, _ = model_of(depth, optimizer=optimizer, **section)
    batches = [MappedEntities(row_map, distinct=distinct).of(rows) for rows in order]
    hiddens = [base.forward(batch.entities) for batch in batches[:depth]]
    for number, batch in enumerate(batches):
        received = batch.collect(gradients[number])
        if number + depth < len(batches):
            hiddens.append(base.backward_and_forward(received, batches[number + depth].entities))
        else:
            base.backward(received)
    rows = [batch.expand(sent)[batch.present] for batch, sent in zip(batches, hiddens, strict=True)]
    return rows, arrays_of(model)


def summed_per_entity(entities, gradients):
    """The gradients of all rows of an entity at its first row, zeros at the others."""
    summed, first = np.zeros_like(gradients), {}
    for row, entity in enumerate(entities):
        summed[first.setdefault(entity, row)] += gradients[row]
    return summed


def joined_training(depth, make_optimizer, distinct, section):
    """The same with every row of the joined table, Keras's own call, and tapes that stay open until their turn."""
    row_map, order, gradients = joined_table()
    model, optimizer = make_base(**section), make_optimizer()
    optimizer.build(model.trainable_variables)
    hiddens, tapes = [], []

    def forward(number):
        entities = row_map.entity_of_row[order[number]]
        rows = entities[entities != ABSENT]
        upstream = gradients[number][entities != ABSENT]
        upstream = named(summed_per_entity(rows, upstream) if distinct else upstream)
        with tf.GradientTape() as tape:
            outputs = model(gather(INPUTS, rows), training=True)
            objective = tf.add_n([tf.reduce_sum(outputs[name] * upstream[name]) for name in upstream] + model.losses)
        hiddens.append(matrix_of({name: output.numpy() for name, output in outputs.items()}))
        tapes.append((tape, objective if len(rows) else None))

    for number in range(depth):
        forward(number)
    for number in range(len(order)):
        tape, objective = tapes[number]
        if objective is not None:
            weights = [weight.value for weight in model.trainable_variables]
            optimizer.apply(tape.gradient(objective, weights), model.trainable_variables)
        if number + depth < len(order):
            forward(number + depth)
    return hiddens, arrays_of(model)


@pytest.mark.parametrize(
    ("distinct", "optimizer", "depth"),
    [(True, "sgd", 1), (True, "adam", 4), (False, "sgd", 4), (False, "adam", 1)],
)
def test_a_model_by_entity_equals_one_that_gets_every_row_of_the_joined_table(distinct, optimizer, depth):
    section = {"embedding_l2": 0.05}
    hiddens, variables = entity_training(depth, optimizer, distinct, section)
    expected, expected_variables = joined_training(depth, OPTIMIZERS[optimizer], distinct, section)
    assert [len(one) for one in hiddens].count(0) == 1
    for one, other in zip(hiddens, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert_near(variables, expected_variables)


@pytest.mark.parametrize("depth", [1, 4])
def test_with_sgd_sums_per_entity_are_the_rows_themselves(depth):
    _, distinct = entity_training(depth, "sgd", True, {})
    _, joined = joined_training(depth, OPTIMIZERS["sgd"], False, {})
    assert_near(distinct, joined)


@pytest.mark.parametrize("count", [1, 200, 256, 257, 700])
def test_a_penalty_looks_at_entities_from_the_whole_of_an_ascending_batch(count):
    generator = np.random.default_rng(count)
    codes = generator.integers(0, 3, (1000, 2)).astype(np.int32)
    entities = np.sort(generator.permutation(1000)[:count]).astype(np.int32)
    hiddens = generator.normal(size=(count, 4)).astype(np.float32)
    penalty = Decorrelation(InMemoryRows({GROUPS: codes}), 0.5, spread=True)
    groups = penalty.gather(entities)
    places = [place * count // len(groups) for place in range(len(groups))]
    assert len(set(places)) == len(places) == min(count, SAMPLE_ROWS)
    assert places[-1] >= count - 1 - count // SAMPLE_ROWS - 1
    np.testing.assert_array_equal(groups, codes[entities[places]])
    expected = 0.5 * distance_correlation(tf.constant(hiddens[places]), tf.constant(codes[entities[places]]))
    np.testing.assert_allclose(penalty.penalty(tf.constant(hiddens), tf.constant(groups)), expected, rtol=1e-6)

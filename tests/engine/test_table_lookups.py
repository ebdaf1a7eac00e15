"""Rows are looked up in the variable: the same numbers as Keras's own call, and no pass reads a whole table."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.models import BSTModel, DeepFMModel, DNNModel
from party.configuration.run import OptimizerSection
from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.table_lookups import TableLookups
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import BASE, PartyModels
from party.models.embedding import INDICES, VALUES
from party.models.keras_objects import build_optimizer
from party.models.storage import save_model
from party.runtime.checkpoint_files import pack_state, unpack_state
from tests.support.keras_models import arrays_of, assert_identical, assert_near, draw
from tests.support.layouts import layout_of

TABLE_ROWS, NAMED, SAMPLES, BATCH = 5003, 40, 48, 8  # a prime that no other axis has
SMALL = {"embedding_dimension": 4, "units": (6, 3)}
SEQUENCE = {"kind": "bst", "heads": 2, "blocks": 1, **SMALL}
SECTIONS = {
    "deepfm": DeepFMModel(**SMALL),
    "dnn": DNNModel(kind="dnn", **SMALL),
    "bst": BSTModel(**SEQUENCE, dropout=0.2),
}


def layout(section):
    made = layout_of(section, (1, 3), TABLE_ROWS)
    if section.kind != "bst":
        return made
    item, sequence = made.features
    return made.model_copy(
        update={"features": (item, sequence.model_copy(update={"kind": "sequence", "target": item.name}))}
    )


def make_inputs():
    """Few distinct rows of the table, so that batches repeat them; some slots are padding."""
    generator = np.random.default_rng(4)
    indices = generator.integers(0, NAMED, (SAMPLES, 4)).astype(np.int32)
    values = (generator.random((SAMPLES, 4)) < 0.8).astype(np.float32)
    return {INDICES: indices, VALUES: values}


INPUTS = make_inputs()
ORDER = np.random.default_rng(5).permutation(SAMPLES).astype(np.int32).reshape(-1, BATCH)
STEPS = len(ORDER)


def make_models(name):
    models = PartyModels(layout(SECTIONS[name]))
    draw(models.models[BASE])
    return models


def gradients_of(number, columns):
    return np.random.default_rng(100 + number).normal(size=(BATCH, columns)).astype(np.float32)


class Training:
    """A built-in base model with an optimizer, trained batch by batch."""

    def __init__(self, name, optimizer, depth=1, **arguments):
        models = make_models(name)
        section = OptimizerSection(name=optimizer, learning_rate=0.05, arguments=arguments)
        self.model, self.optimizer = models.models[BASE], build_optimizer(section, "here")
        self.layout, self.depth = CutLayout(models.specs), depth
        self.base = TrainableBaseModel(self.model, InMemoryRows(INPUTS), self.layout, self.optimizer, depth=depth)

    def start(self):
        for rows in ORDER[: self.depth]:
            self.base.forward(rows)
        return self

    def run(self, first=0, last=STEPS):
        for number in range(first, last):
            gradients, following = gradients_of(number, self.layout.columns), number + self.depth
            if following < len(ORDER):
                self.base.backward_and_forward(gradients, ORDER[following])
            else:
                self.base.backward(gradients)
        return self

    @property
    def arrays(self):
        return arrays_of(self.model, self.optimizer)


def taped(name, optimizer):
    """The variables after training with Keras's own call of the model, nothing of it cut off or compiled."""
    models = make_models(name)
    model, cut = models.models[BASE], CutLayout(models.specs)
    made = build_optimizer(OptimizerSection(name=optimizer, learning_rate=0.05), "here")
    made.build(model.trainable_variables)
    for number, rows in enumerate(ORDER):
        upstream = np.split(gradients_of(number, cut.columns), np.cumsum(cut.units)[:-1], axis=1)
        with tf.GradientTape() as tape:
            outputs = model({one: tf.constant(array[rows]) for one, array in INPUTS.items()}, training=True)
            objective = tf.add_n(
                [tf.reduce_sum(outputs[spec.name] * one) for spec, one in zip(cut.specs, upstream, strict=True)]
            )
        weights = [weight.value for weight in model.trainable_variables]
        made.apply(tape.gradient(objective, weights), model.trainable_variables)
    return arrays_of(model)


# The bias of attention's keys has a gradient of rounding errors only, which Adam would magnify.
@pytest.mark.parametrize(
    ("name", "optimizer"),
    [("deepfm", "lazy_adam"), ("deepfm", "row_adagrad"), ("dnn", "lazy_adam"), ("bst", "row_adagrad")],
)
def test_training_equals_a_tape_over_keras_own_call(name, optimizer):
    assert_near(arrays_of(Training(name, optimizer).start().run().model), taped(name, optimizer))


@pytest.mark.parametrize(("optimizer", "depth"), [("lazy_adam", 1), ("lazy_adam", 3), ("row_adagrad", 3)])
def test_a_run_goes_on_from_a_checkpoint_bit_by_bit(optimizer, depth):
    undisturbed = Training("deepfm", optimizer, depth).start().run()
    before, after = Training("deepfm", optimizer, depth).start().run(last=3), Training("deepfm", optimizer, depth)
    after.base.set_state(unpack_state(pack_state(before.base.state())))
    assert_identical(after.run(first=3).arrays, undisturbed.arrays)


@pytest.mark.parametrize(("optimizer", "depth"), [("lazy_adam", 1), ("row_adagrad", 3)])
def test_rows_that_no_batch_named_keep_every_bit(optimizer, depth):
    training, initial = Training("deepfm", optimizer, depth).start(), make_models("deepfm").models[BASE]
    columns = training.layout.columns
    training.base.local_step(ORDER[-1], 0, hiddens=gradients_of(1, columns), gradients=gradients_of(9, columns))
    training.run()
    named = np.unique(INPUTS[INDICES][INPUTS[VALUES] > 0])
    assert len(named) > NAMED / 2
    for table in ("factors", "linear"):
        before, after = (model.get_layer(table).embeddings.numpy() for model in (initial, training.model))
        np.testing.assert_array_equal(np.flatnonzero((before != after).any(axis=1)), named)


def whole_tables(calls):
    """The compiled operations, those of inner functions included, that return something as long as the table."""
    found = set()
    for call in calls:
        for compiled in call._compiled.values():
            graph = compiled.function.graph.as_graph_def(add_shapes=True)
            nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
            found |= {
                node.op for node in nodes if re.search(f"size: {TABLE_ROWS}\\b", str(node.attr["_output_shapes"]))
            }
    return found


def compiled_calls(training):
    base = training.base
    return [base._forward_call, base._step_call, base._update_call, base._local_call, base._infer_call]


@pytest.mark.parametrize(
    ("optimizer", "depth", "arguments"),
    [
        ("lazy_adam", 1, {}),
        ("row_adagrad", 2, {}),
        ("row_adagrad", 1, {"clipnorm": 1.0}),
        ("lazy_adam", 2, {"global_clipnorm": 1.0}),
        ("lazy_adam", 1, {"clipvalue": 0.1}),
    ],
    ids=str,
)
def test_no_pass_reads_a_whole_table(optimizer, depth, arguments):
    training = Training("deepfm", optimizer, depth, **arguments).start()
    columns = training.layout.columns
    training.base.local_step(ORDER[0], 0, hiddens=gradients_of(1, columns), gradients=gradients_of(0, columns))
    training.run()
    training.base.infer(ORDER[0])
    calls = compiled_calls(training)
    assert all(call._compiled for call in calls)
    assert whole_tables(calls) == set()


def test_the_search_for_whole_tables_finds_those_that_adam_moves():
    assert "ReadVariableOp" in whole_tables(compiled_calls(Training("deepfm", "adam").start().run()))


def looked_up_twice():
    """A table for two inputs, one for indices that are computed, one with a regulariser, and one with a mask."""
    inputs = {name: keras.Input((2,), dtype="int32", name=name) for name in ("seen", "bought", "page")}
    shared = keras.layers.Embedding(20, 3, name="shared")
    positions = keras.layers.Embedding(2, 3, name="positions")
    whole = keras.layers.Embedding(20, 3, embeddings_regularizer="l2", name="whole")
    masked = keras.layers.Embedding(20, 3, mask_zero=True, name="masked")
    vectors = shared(inputs["seen"]) * 2.0 + shared(inputs["bought"]) + positions(inputs["seen"] * 0 + np.arange(2))
    recurrent = keras.layers.GRU(3, name="recurrent")(masked(inputs["page"]))
    summed = keras.ops.sum(vectors + whole(inputs["page"]), axis=1) + recurrent
    return keras.Model(inputs, {"deep": keras.layers.Dense(4, name="dense")(summed)})


def test_values_and_gradients_are_those_of_keras_own_call(tmp_path):
    model = looked_up_twice()
    draw(model)
    generator = np.random.default_rng(3)
    gathered = {tensor.name: tf.constant(generator.integers(0, 20, (5, 2)), tf.int32) for tensor in model.inputs}
    lookups, inputs = TableLookups(model), list(gathered.values())
    values = lookups.values(inputs)
    shapes = {one.path.split("/")[0]: tuple(value.shape) for one, value in zip(lookups.trainable, values, strict=True)}
    assert shapes["shared"] == (2 * 2 * 5, 3)
    assert (shapes["positions"], shapes["whole"], shapes["masked"]) == ((2, 3), (20, 3), (20, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        outputs, _, losses = lookups(values, [one.value for one in lookups.states], inputs)
        ours = tf.reduce_sum(outputs["deep"] ** 2) + tf.add_n(losses)
        theirs = tf.reduce_sum(model(gathered, training=True)["deep"] ** 2) + tf.add_n(model.losses)
    assert float(ours) == pytest.approx(float(theirs))
    by_variables = lookups.gradients(tape.gradient(ours, values), inputs)
    expected = tape.gradient(theirs, [one.value for one in lookups.trainable])
    assert isinstance(by_variables[0], tf.IndexedSlices) == isinstance(expected[0], tf.IndexedSlices)
    assert_near([tf.convert_to_tensor(one) for one in by_variables], [tf.convert_to_tensor(one) for one in expected])
    np.testing.assert_allclose(lookups.infer(inputs)["deep"], model(gathered)["deep"], rtol=1e-5)


def test_a_model_is_saved_as_it_was_built(tmp_path):
    models = make_models("deepfm")
    model = models.models[BASE]
    TableLookups(model), TableLookups(model)
    save_model(tmp_path / "base.keras", model)
    inputs = {name: tf.constant(array) for name, array in INPUTS.items()}
    loaded = keras.models.load_model(tmp_path / "base.keras")
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    for name, output in loaded(inputs).items():
        np.testing.assert_array_equal(output, model(inputs)[name])


def test_several_lookups_of_a_table_are_trained_from_a_stash():
    """Where more batches are under way, a table's rows are those of the forward pass, of each of its lookups."""
    generator = np.random.default_rng(6)
    arrays = {name: generator.integers(0, 20, (SAMPLES, 2)).astype(np.int32) for name in ("seen", "bought", "page")}
    cut = CutLayout((HiddenSpec("deep", 4, Aggregation.CONCAT),))
    results = []
    for depth in (1, 2):  # one batch at a time: what is stashed is what the variables hold
        model = looked_up_twice()
        draw(model)
        base = TrainableBaseModel(
            model, InMemoryRows(arrays), cut, build_optimizer(OptimizerSection(name="lazy_adam"), "here"), depth=depth
        )
        for number, rows in enumerate(ORDER):
            base.forward(rows)
            base.backward(gradients_of(number, 4))
        results.append(arrays_of(model))
    assert_near(*results)

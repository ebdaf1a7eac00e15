"""Models ask their source once for every batch, hold no dataset, and compute the same bits whatever the source."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.labels import BinaryLabel
from party.cut.layout import CutLayout
from party.data.labels import LabelArrays
from party.data.rows import InMemoryRows, label_rows
from party.engine.base_model import BaseModel
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import OwnBase, TrainableFuseModel
from party.models.fuse_outputs import FuseOutputs
from party.models.label_tasks import LabelTasks
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.runtime.checkpoint_files import pack_state
from tests.support.keras_models import (
    LAYOUT,
    OPTIMIZERS,
    ROWS,
    arrays_of,
    assert_identical,
    batches,
    make_base,
    make_fuse,
    make_inputs,
)

INPUTS = make_inputs()
LABELS = LabelArrays((np.random.default_rng(6).random((ROWS, 1)) < 0.5).astype(np.float32))
SECTIONS = {"liked": BinaryLabel(rule="r > 3")}
EVERYTHING = {"dropout": 0.4, "batch_normalization": True, "embedding_l2": 0.05}
DATASET_ROWS = 2_000_000_011  # of a source that could never hold them


class Counting:
    """A source that notes which rows it was asked for."""

    def __init__(self, source):
        self.source = source
        self.asked = []

    def gather(self, rows):
        self.asked.append(rows.tolist())
        return self.source.gather(rows)


class Computed:
    """Rows that exist nowhere: each is made of its number when it is asked for."""

    def gather(self, rows):
        numbers = np.stack([rows % 7, rows % 11], axis=1).astype(np.float32)
        return {"ids": np.stack([rows % 5, rows % 3, rows % 2], axis=1).astype(np.int32), "numbers": numbers}


class Reordered:
    """What another source gives, in another order of names, with an array that no model takes, read-only."""

    def __init__(self, source):
        self.source = source

    def gather(self, rows):
        gathered = {"other": np.zeros(len(rows), np.int32), **self.source.gather(rows)}
        for array in gathered.values():
            array.flags.writeable = False
        return dict(reversed(gathered.items()))


def gradients_of(number, rows):
    return np.random.default_rng(100 + number).normal(size=(len(rows), LAYOUT.columns)).astype(np.float32)


def train_base(source, depth, order):
    """Hiddens and all variables of a training with local steps and inference in between."""
    model, optimizer = make_base(**EVERYTHING), OPTIMIZERS["adam"]()
    base = TrainableBaseModel(model, source, LAYOUT, optimizer, depth=depth)
    hiddens = [base.forward(rows) for rows in order[:depth]]
    for number, rows in enumerate(order):
        if number + depth < len(order):
            hiddens.append(base.backward_and_forward(gradients_of(number, rows), order[number + depth]))
        else:
            base.backward(gradients_of(number, rows))
    base.local_step(order[0], 0, hiddens=hiddens[0], gradients=gradients_of(0, order[0]))
    return [*hiddens, base.infer(order[1]), *arrays_of(model, optimizer)]


def make_fuse_model(labels, own_source):
    """The label party's models in training, and a feature party beside them."""
    own = TrainableBaseModel(make_base(**EVERYTHING), own_source, LAYOUT, OPTIMIZERS["adam"]())
    return TrainableFuseModel(
        make_fuse(2 * LAYOUT.units[0], dropout=0.3),
        labels,
        {"alice": LAYOUT, "bob": LAYOUT},
        LabelTasks(
            FuseOutputs(labels=SECTIONS), TaskLosses(SECTIONS, uncertainty=False, party="bob"), Scores(SECTIONS, "bob")
        ),
        optimizer=OPTIMIZERS["adam"](),
        own=OwnBase("bob", own),
    )


def hiddens_of(number, rows):
    return {"alice": gradients_of(1000 + number, rows)}


@pytest.mark.parametrize("depth", [1, 2])
def test_a_base_model_gathers_each_batch_once(depth):
    source, order = Counting(InMemoryRows(INPUTS)), batches(fewer=0)
    train_base(source, depth, order)
    assert source.asked == [rows.tolist() for rows in [*order, order[0], order[1]]]


def test_a_fuse_model_gathers_labels_and_its_own_inputs_once_a_step():
    labels, inputs = Counting(label_rows(LABELS)), Counting(InMemoryRows(INPUTS))
    fuse, order = make_fuse_model(labels, inputs), batches()
    for number, rows in enumerate(order):
        result = fuse.begin_step(rows, hiddens_of(number, rows))()()
    fuse.local_step(rows, 0, hiddens=hiddens_of(number, rows), gradients=result.gradients)
    expected = [rows.tolist() for rows in [*order, rows]]
    assert labels.asked == inputs.asked == expected
    fuse.gradients(order[0], {**hiddens_of(0, order[0]), "bob": gradients_of(0, order[0])})
    fuse.infer(order[1], {**hiddens_of(1, order[1]), "bob": gradients_of(1, order[1])})
    assert labels.asked == [*expected, order[0].tolist(), order[1].tolist()]
    assert inputs.asked == expected


def test_every_source_gives_the_same_bits():
    order, depth = batches(), 2
    expected = train_base(InMemoryRows(INPUTS), depth, order)
    assert_identical(train_base(Reordered(InMemoryRows(INPUTS)), depth, order), expected)


def test_a_dataset_may_be_larger_than_anything_that_is_held():
    """And its rows are those of a dataset in memory."""
    order, depth = [(DATASET_ROWS - 1 - rows).astype(np.int32) for rows in batches(fewer=0)], 1
    arrays = Computed().gather(np.arange(DATASET_ROWS - ROWS, DATASET_ROWS, dtype=np.int32))
    last_rows = [(rows - (DATASET_ROWS - ROWS)).astype(np.int32) for rows in order]
    assert_identical(train_base(Computed(), depth, order), train_base(InMemoryRows(arrays), depth, last_rows))


def tensors_and_arrays(*owners):
    """All that can be reached from some objects, as NumPy arrays."""
    seen, waiting, found = set(), list(owners), []
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or type(one).__name__ == "module":
            continue
        seen.add(id(one))
        if isinstance(one, (np.ndarray, tf.Tensor)) and hasattr(one, "shape"):
            found.append(one)
        waiting += gc.get_referents(one)
    return found


def known_lengths(arrays):
    return {int(array.shape[0]) for array in arrays if len(array.shape) > 0 and array.shape[0] is not None}


def test_no_array_as_long_as_the_dataset_can_be_reached_from_a_trained_model():
    """A source that forgets what it gave: whatever else is that long, a model held."""
    rows_of_dataset = 1009  # of nothing else here

    class Forgetting:
        def gather(self, rows):
            everything = Computed().gather(np.arange(rows_of_dataset, dtype=np.int32))
            everything["labels"] = (everything["numbers"][:, :1] > 3).astype(np.float32)
            return InMemoryRows(everything).gather(rows)

    fuse, base = make_fuse_model(Forgetting(), Forgetting()), BaseModel(make_base(), Forgetting(), LAYOUT)
    for number, rows in enumerate(batches()):
        fuse.begin_step(rows, hiddens_of(number, rows))()()
        base.infer(rows)
    found = tensors_and_arrays(fuse, base)
    lengths = known_lengths(found)
    assert len(found) > len(arrays_of(make_base()))
    assert rows_of_dataset not in lengths
    holding = tensors_and_arrays(fuse, InMemoryRows(Computed().gather(np.arange(rows_of_dataset, dtype=np.int32))))
    assert rows_of_dataset in known_lengths(holding), "the search finds it"


@pytest.mark.parametrize("depth", [1, 4])
def test_a_checkpoint_holds_row_numbers_and_no_features(depth):
    """Features of one width that nothing else has; whoever resumes gathers them again."""
    width, order = 997, batches()
    numbers = keras.Input((width,), name="numbers")
    model = keras.Model({"numbers": numbers}, {"deep": numbers[:, :3] + keras.layers.Dense(3)(numbers[:, :2])})
    inputs = np.random.default_rng(5).normal(size=(ROWS, width)).astype(np.float32)
    source = Counting(InMemoryRows({"numbers": inputs}))
    specs = CutLayout([type(LAYOUT.specs[0])("deep", 3, LAYOUT.specs[0].aggregation)])
    base = TrainableBaseModel(model, source, specs, OPTIMIZERS["sgd"](), depth=depth)
    for rows in order[:depth]:
        base.forward(rows)
    state = base.state()
    stashes = [array for name, array in state.arrays.items() if name.startswith("stashes/")]
    assert not any(width in array.shape for array in stashes)
    for rows in order[:depth]:
        assert any(array.dtype == np.int32 and array.tolist() == rows.tolist() for array in stashes)
        assert inputs[rows].tobytes() not in pack_state(state)
    source.asked.clear()
    base.set_state(state)
    assert source.asked == [rows.tolist() for rows in order[:depth]]

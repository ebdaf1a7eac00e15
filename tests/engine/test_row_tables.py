"""Checkpoints of changed rows: what a base model says was touched is all that differs, at every step and schedule."""

import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

from party.configuration.models import DeepFMModel
from party.configuration.run import OptimizerSection
from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.cut.state import State, join_states, part_of
from party.data.rows import InMemoryRows
from party.engine import row_tables
from party.engine.trainable_base_model import TrainableBaseModel
from party.models.assembly import BASE, PartyModels
from party.models.embedding import INDICES, VALUES
from party.models.keras_objects import build_optimizer
from party.protocol.checkpoints import ORIGIN
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.table_copies import TableSnapshots
from tests.support.keras_models import arrays_of, assert_identical, draw
from tests.support.layouts import layout_of

TABLE_ROWS, SAMPLES, BATCH = 500, 96, 8
ORDER = np.random.default_rng(5).permutation(SAMPLES).astype(np.int32).reshape(-1, BATCH)
STEPS = len(ORDER)
CHECKPOINTS = (1, 2, 5, 6, 9)
INPUTS = {
    INDICES: np.random.default_rng(4).integers(0, TABLE_ROWS, (SAMPLES, 4)).astype(np.int32),
    VALUES: np.ones((SAMPLES, 4), np.float32),
}
SLOTS = {"lazy_adam": 2, "row_adagrad": 1}
TABLES = 2  # of a DeepFM model: factors and linear


@pytest.fixture(autouse=True)
def small_tables_count(monkeypatch):
    monkeypatch.setattr(row_tables, "LARGE_TABLE_ROWS", 100)


def gradients_of(number, columns):
    return np.random.default_rng(100 + number).normal(size=(BATCH, columns)).astype(np.float32)


class Training:
    """A DeepFM base model, trained batch by batch, with a local step after every third update."""

    def __init__(self, optimizer="lazy_adam", depth=1, **arguments):
        layout = layout_of(DeepFMModel(embedding_dimension=4, units=(6, 3)), (1, 3), TABLE_ROWS)
        models = PartyModels(layout)
        draw(models.models[BASE])
        section = OptimizerSection(name=optimizer, learning_rate=0.05, arguments=arguments)
        self.model, self.optimizer = models.models[BASE], build_optimizer(section, "here")
        self.columns, self.depth, self.step = CutLayout(models.specs).columns, depth, 0
        self.base = TrainableBaseModel(
            self.model, InMemoryRows(INPUTS), CutLayout(models.specs), self.optimizer, depth=depth
        )

    def start(self):
        for rows in ORDER[: self.depth]:
            self.base.forward(rows)
        return self

    def run(self, last=STEPS):
        while self.step < last:
            gradients, following = gradients_of(self.step, self.columns), self.step + self.depth
            if self.step % 3 and following < STEPS:
                self.base.backward_and_forward(gradients, ORDER[following])
            else:
                self.base.backward(gradients)
                self.base.local_step(ORDER[0], self.step, hiddens=gradients, gradients=gradients)
                if following < STEPS:
                    self.base.forward(ORDER[following])
            self.step += 1
        return self

    @property
    def arrays(self):
        return arrays_of(self.model, self.optimizer)


class Files:
    """The real files of a party's checkpoints, each committed at once."""

    def __init__(self, folder, start=ORIGIN):
        self.files = CheckpointFiles(folder, "alice")
        self.tables = TableSnapshots(None if start == ORIGIN else self.files.base_of(start))

    def write(self, step, state):
        mark = ORIGIN.after(b"transcript", step)
        copy = self.tables.take(mark, state.tables)
        held, reference = self.files.write_tables(mark, State(state.values, state.arrays), copy)
        self.files.write(mark, held)
        self.tables.committed(reference)
        return mark, copy


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        yield Path(scratch)


@pytest.mark.parametrize(("optimizer", "depth"), [("lazy_adam", 1), ("lazy_adam", 3), ("row_adagrad", 2)])
def test_a_run_goes_on_from_any_checkpoint_bit_by_bit(folder, optimizer, depth):
    undisturbed = Training(optimizer, depth).start().run()
    training, files = Training(optimizer, depth).start(), Files(folder)
    kinds, marks = [], []
    for step in CHECKPOINTS:
        mark, copy = files.write(step, training.run(step).base.state())
        marks.append(mark)
        kinds.append("whole" if copy.becomes_base else "rows")
        assert len(copy.tables) == TABLES * (1 + SLOTS[optimizer])
    assert {"whole", "rows"} == set(kinds[1:]), "both ways to write one were taken"

    resumed = Training(optimizer, depth)
    resumed.base.set_state(CheckpointFiles(folder, "alice").read(marks[3]))
    resumed.step = CHECKPOINTS[3]
    again = Files(folder, marks[3])
    mark, copy = again.write(CHECKPOINTS[4] + 1, resumed.run(CHECKPOINTS[4] + 1).base.state())
    assert copy.base is not None, "a run that resumes builds on the same whole file"
    last = Training(optimizer, depth)
    last.base.set_state(CheckpointFiles(folder, "alice").read(mark))
    last.step = CHECKPOINTS[4] + 1
    assert_identical(resumed.run().arrays, undisturbed.arrays)
    assert_identical(last.run().arrays, undisturbed.arrays)


def tables_of(base):
    return {name: table.whole() for name, table in base.state().tables.items()}


@pytest.mark.parametrize("depth", [1, 3])
def test_an_update_after_a_snapshot_counts_although_its_batch_was_sent_before(depth):
    """Its rows are those of a batch under way at the snapshot."""
    training = Training(depth=depth).start().run(2)
    tables = training.base.state().tables
    for table in {id(one.touched): one.touched for one in tables.values()}.values():
        table.begin()
        table.accept()
    before = tables_of(training.base)
    training.run(3)
    after = tables_of(training.base)
    named = np.unique(INPUTS[INDICES][ORDER[2]])
    for name, table in tables.items():
        changed = np.flatnonzero((before[name] != after[name]).any(axis=1))
        assert set(changed) <= set(table.touched.since_base())
        assert set(table.touched.since_base()) == set(named)
    assert any((before[name] != after[name]).any() for name in tables)


def test_restored_weights_of_an_epoch_are_in_the_next_checkpoint(folder):
    training, files = Training().start(), Files(folder)
    training.run(1).base.save_epoch(0, [0])
    files.write(1, training.base.state())
    training.run(3)
    files.write(3, training.base.state())
    training.base.restore_epoch(0)
    expected = training.arrays
    mark, _ = files.write(4, training.base.state())
    resumed = Training()
    resumed.base.set_state(CheckpointFiles(folder, "alice").read(mark))
    assert_identical(resumed.arrays, expected)


def test_a_checkpoint_with_arrays_in_place_of_tables_is_restored_too(folder):
    training = Training().start().run(2)
    state = training.base.state()
    whole = State(state.values, {**state.arrays, **{name: one.whole() for name, one in state.tables.items()}})
    resumed = Training()
    resumed.base.set_state(whole)
    assert_identical(resumed.arrays, training.arrays)
    assert all(not len(one.touched.since_base()) for one in resumed.base.state().tables.values())


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adagrad"])
def test_other_optimizers_have_no_tables(optimizer):
    assert not Training(optimizer).base.state().tables


def test_small_tables_are_arrays_as_before(monkeypatch):
    monkeypatch.undo()
    state = Training().base.state()
    assert not state.tables
    assert state.arrays["weights/0"].shape[0] == TABLE_ROWS


def own_base(**arguments):
    indices = keras.Input((4,), dtype="int32", name=INDICES)
    rows = keras.layers.Embedding(TABLE_ROWS, 4, **arguments)(indices)
    model = keras.Model({INDICES: indices}, {"deep": keras.layers.Flatten()(rows)})
    layout = CutLayout((HiddenSpec("deep", 16, Aggregation.CONCAT),))
    optimizer = build_optimizer(OptimizerSection(name="lazy_adam", learning_rate=0.05), "here")
    return TrainableBaseModel(model, InMemoryRows({INDICES: INPUTS[INDICES]}), layout, optimizer)


@pytest.mark.parametrize(
    "arguments",
    [
        {"embeddings_constraint": keras.constraints.MaxNorm(0.01, axis=1)},
        {"embeddings_regularizer": "l2"},
    ],
)
def test_tables_that_change_in_other_rows_than_those_of_the_batch_are_arrays(arguments):
    assert own_base().state().tables
    base = own_base(**arguments)
    state = base.state()
    assert not state.tables
    before = state.arrays["weights/0"]
    base.forward(ORDER[0])
    base.backward(np.ones((BATCH, 16), np.float32))
    outside = np.setdiff1d(np.arange(TABLE_ROWS), INPUTS[INDICES][ORDER[0]])
    assert (base.state().arrays["weights/0"][outside] != before[outside]).any()


def test_parts_of_a_state_keep_their_tables():
    state = Training().base.state()
    joined = part_of(join_states({"one": state, "two": State()}), "one")
    assert list(joined.tables) == list(state.tables)
    assert set(joined.arrays) == set(state.arrays)

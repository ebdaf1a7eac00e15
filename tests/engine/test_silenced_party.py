"""What masked sums do not hide: a label party that lies silences one feature party, and reads the other one's sum."""

import keras
import numpy as np

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.data.rows import InMemoryRows
from party.engine.trainable_base_model import TrainableBaseModel

ROWS, BATCH, UNITS, EPOCHS = 400, 100, 2, 24
LAYOUT = CutLayout((HiddenSpec("deep", UNITS, Aggregation.SUM),))


def make_base(seed):
    """A party with two columns of its own, which say nothing about those of another one."""
    ids = keras.Input((2,), dtype="int32", name="ids")
    vectors = keras.layers.Flatten()(keras.layers.Embedding(5, 8)(ids))
    model = keras.Model({"ids": ids}, {"deep": keras.layers.Dense(UNITS)(vectors)})
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(size=one.shape) for one in model.get_weights()])
    rows = {"ids": generator.integers(0, 5, (ROWS, 2)).astype(np.int32)}
    return TrainableBaseModel(model, InMemoryRows(rows), LAYOUT, keras.optimizers.Adam(0.02))


def test_gradients_of_its_own_choice_silence_a_party():
    """The liar sees the sum alone: to alice it sends the gradients that make it small, to carol none."""
    alice, carol, order = make_base(1), make_base(2), np.random.default_rng(3)
    likeness = []
    for _ in range(EPOCHS):
        sums, own = [], []
        for rows in np.split(order.permutation(ROWS).astype(np.int32), ROWS // BATCH):
            own.append(np.array(carol.forward(rows)))
            sums.append(np.array(alice.forward(rows)) + own[-1])
            alice.backward((2 * sums[-1] / BATCH).astype(np.float32))
            carol.backward(np.zeros_like(own[-1]))
        columns = [np.corrcoef(np.concatenate(sums)[:, one], np.concatenate(own)[:, one])[0, 1] for one in range(UNITS)]
        likeness.append(min(columns))
    assert likeness[0] < 0.9
    assert likeness[-1] > 0.98

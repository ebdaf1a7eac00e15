"""The fuse model with the own base model beneath it trains as one tape over everything."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.labels import BinaryLabel
from party.cut.layout import CutLayout
from party.data.labels import LabelArrays
from party.data.rows import InMemoryRows, label_rows
from party.engine.base_model import BaseModel
from party.engine.fuse_model import FuseModel
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import TrainableFuseModel
from party.models.fuse_outputs import FuseOutputs
from party.models.label_tasks import LabelTasks
from party.models.losses import TaskLosses
from party.models.scores import Scores
from tests.support.keras_models import (
    LAYOUT,
    OPTIMIZERS,
    ROWS,
    SPECS,
    arrays_of,
    assert_identical,
    assert_near,
    batches,
    gather,
    make_base,
    make_fuse,
    make_inputs,
)

INPUTS = make_inputs()
SOURCE = InMemoryRows(INPUTS)
LABELS = (np.random.default_rng(6).random(ROWS) < 0.5).astype(np.float32)
SECTIONS = {"liked": BinaryLabel(rule="r > 3")}
OUTPUTS = FuseOutputs(labels=SECTIONS)
LABEL_SOURCE = label_rows(LabelArrays(LABELS[:, None]))
PARTIES = ("alice", "bob", "charlie")
SECTION = {"dropout": 0.3, "embedding_l2": 0.01}


def make_tasks():
    return LabelTasks(OUTPUTS, TaskLosses(SECTIONS, uncertainty=False, party="bob"), Scores(SECTIONS, "bob"))


class Models:
    """The models of all parties and an optimizer for each, always drawn alike."""

    def __init__(self, optimizer="sgd", parties=PARTIES, dropout=0.3, fuse_l2=0.0):
        self.bases = {name: make_base(**SECTION) for name in parties}
        for number, base in enumerate(self.bases.values()):
            for weight in base.trainable_variables:
                weight.assign(weight.value * (1 + 0.1 * number))
        self.fuse = make_fuse(4 * len(parties), dropout, fuse_l2)
        self.optimizers = {name: OPTIMIZERS[optimizer]() for name in (*parties, "fuse")}

    def fuse_model(self, training=True):
        layouts = dict.fromkeys(reversed(self.bases), LAYOUT)  # any order: names decide
        if not training:
            return FuseModel(self.fuse, LABEL_SOURCE, layouts, make_tasks())
        return TrainableFuseModel(self.fuse, LABEL_SOURCE, layouts, make_tasks(), optimizer=self.optimizers["fuse"])

    @property
    def variables(self):
        return arrays_of(*self.bases.values(), self.fuse)


def split_training(models):
    fuse = models.fuse_model()
    bases = {
        name: TrainableBaseModel(base, SOURCE, LAYOUT, models.optimizers[name]) for name, base in models.bases.items()
    }
    losses = []
    for rows in batches():
        result = fuse.gradients(rows, {name: base.forward(rows) for name, base in bases.items()})
        fuse.apply()
        for name, base in bases.items():
            base.backward(result.gradients[name])
        losses.append(result.loss)
    return losses


def row_losses(models, rows, training):
    """Logits and losses of the joined model by Keras's own calls: sorted names, concat and sum written out."""
    outputs = {name: models.bases[name](gather(INPUTS, rows), training=training) for name in sorted(models.bases)}
    deep = tf.concat([output["deep"] for output in outputs.values()], axis=1)
    total = tf.add_n([output["total"] for output in outputs.values()])
    logits = models.fuse({"deep": deep, "total": total}, training=training)["liked"][:, 0]
    return logits, tf.nn.sigmoid_cross_entropy_with_logits(labels=LABELS[rows], logits=logits)


def tape_training(models):
    owners = {name: base.trainable_variables for name, base in models.bases.items()}
    owners["fuse"] = models.fuse.trainable_variables
    for name, variables in owners.items():
        models.optimizers[name].build(variables)
    losses = []
    for rows in batches():
        with tf.GradientTape() as tape:
            _, by_row = row_losses(models, rows, training=True)
            loss = tf.add_n([tf.reduce_mean(by_row), *models.fuse.losses])
            target = tf.add_n([loss, *(one for base in models.bases.values() for one in base.losses)])
        values = {name: [variable.value for variable in variables] for name, variables in owners.items()}
        for name, gradients in tape.gradient(target, values).items():
            models.optimizers[name].apply(gradients, owners[name])
        losses.append(float(loss))
    return losses


@pytest.mark.parametrize("parties", [PARTIES[:1], PARTIES], ids=["one party", "three parties"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_split_steps_equal_steps_on_one_tape(optimizer, parties):
    split, joined = (Models(optimizer, parties, fuse_l2=0.02) for _ in range(2))
    np.testing.assert_allclose(split_training(split), tape_training(joined), rtol=1e-5)
    assert_near(split.variables, joined.variables)


def test_two_runs_are_identical_bit_by_bit():
    first, second = Models("adam"), Models("adam")
    assert split_training(first) == split_training(second)
    assert_identical(first.variables, second.variables)


def hiddens_of(models, rows):
    return {name: BaseModel(base, SOURCE, LAYOUT).infer(rows) for name, base in models.bases.items()}


def test_gradients_are_the_derivatives_of_the_loss():
    """(L(h + ε) − L(h − ε)) / 2ε, for a few entries of every hidden."""
    models = Models(dropout=0.0)
    fuse, rows, epsilon = models.fuse_model(), batches()[1], 1e-2
    hiddens = hiddens_of(models, rows)
    result = fuse.gradients(rows, hiddens)
    assert set(result.gradients) == set(PARTIES)
    for name, gradients in result.gradients.items():
        assert gradients.shape == (len(rows), LAYOUT.columns)
        for spec, start in zip(SPECS, np.cumsum([0, *LAYOUT.units]), strict=False):
            for place in [(0, start), (3, start + 1), (len(rows) - 1, start + spec.units - 1)]:
                before = hiddens[name][place]
                losses = []
                for change in (epsilon, -epsilon):
                    hiddens[name][place] = before + change
                    losses.append(fuse.gradients(rows, hiddens).loss)
                hiddens[name][place] = before
                derivative = (losses[0] - losses[1]) / (2 * epsilon)
                assert gradients[place] == pytest.approx(derivative, abs=2e-4)


def test_gradients_change_no_weight_before_they_are_applied():
    models = Models("adam", dropout=0.0)
    fuse, rows = models.fuse_model(), batches()[0]
    before = models.variables
    fuse.gradients(rows, hiddens_of(models, rows))
    assert_identical(models.variables, before)
    fuse.apply()
    assert any((one != other).any() for one, other in zip(models.variables, before, strict=True))
    with pytest.raises(RuntimeError, match="no batch is waiting"):
        fuse.apply()


def test_inference_is_as_keras_predicts_and_changes_nothing():
    models = Models()
    rows, before = batches()[1], arrays_of(models.fuse)
    result = models.fuse_model(training=False).infer(rows, hiddens_of(models, rows))
    logits, losses = row_losses(models, rows, training=False)
    np.testing.assert_allclose(result.outputs[:, 0], logits.numpy(), rtol=1e-5, atol=1e-6)
    assert result.loss == pytest.approx(float(tf.reduce_mean(losses)), rel=1e-5)
    assert result.measures == {}
    assert_identical(arrays_of(models.fuse), before)


def test_loss_is_the_mean_and_the_own_regularisation():
    models = Models(dropout=0.0, fuse_l2=0.02)
    rows = batches()[1]
    result = models.fuse_model().gradients(rows, hiddens_of(models, rows))
    mean = float(tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(LABELS[rows], result.outputs[:, 0])))
    penalty = 0.02 * float((models.fuse.get_layer("dense").kernel.numpy() ** 2).sum())
    assert result.loss == pytest.approx(mean + penalty, rel=1e-5)
    assert penalty > 0.1


def test_a_fuse_model_without_weights_hands_gradients_on():
    """A logit summed over parties, as in logistic regression: its gradient is the sigmoid less the label, a mean."""
    total = keras.Input((2,), name="total")
    model = keras.Model({"total": total}, {"liked": keras.ops.sum(total, axis=1, keepdims=True)})
    layouts = dict.fromkeys(PARTIES, CutLayout(SPECS[1:]))
    fuse = TrainableFuseModel(model, LABEL_SOURCE, layouts, make_tasks(), optimizer=OPTIMIZERS["adam"]())
    rows = batches()[0]
    hiddens = {name: np.full((len(rows), 2), number, np.float32) for number, name in enumerate(PARTIES)}
    gradients = fuse.gradients(rows, hiddens).gradients
    fuse.apply()
    logits = np.float64(2 * sum(range(len(PARTIES))))
    expected = (1 / (1 + np.exp(-logits)) - LABELS[rows]) / len(rows)
    for name in PARTIES:
        np.testing.assert_allclose(gradients[name], np.stack([expected, expected], axis=1), rtol=1e-5)

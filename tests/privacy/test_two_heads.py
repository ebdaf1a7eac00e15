"""The teacher and the private head: each learns what a plain training of its model learns, and both are resumed."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from party.errors import SessionError
from party.metrics.area_under_curve import area_under_curve
from party.models.assembly import BASE, FUSE, TEACHER, PartyModels
from party.models.storage import named_weights
from party.pb.handshake_pb2 import Purpose
from party.pb.party_pb2 import ReportReply
from party.privacy.replacement import replacement_probability
from party.protocol.checkpoints import ORIGIN
from tests.support.label_side import EPSILON, PARTY, PEERS, SECRET
from tests.support.label_side_cases import label_side, true_and_drawn, whole_run

PLAIN = "dnn"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of the plain case, with its true and drawn labels."""
    true, drawn = true_and_drawn(PLAIN)
    return whole_run(tmp_path_factory.mktemp("run") / PLAIN, PLAIN, true, drawn), true, drawn


def received_batches(side):
    """Row numbers and hiddens by party of every training batch, as the peers sent them."""
    one, other = side.hiddens[::2], side.hiddens[1::2]
    return [(rows, {a: first, b: second}) for (a, rows, first), (b, _, second) in zip(one, other, strict=True)]


def plain_training(side, head, loss):
    """Trains one head in plain Keras, with a tape over both of its models; returns its weights by name."""
    record = side.context.records.find_trained(None)
    models = PartyModels(record.base, record.fuse, side.folder, head)
    models.draw(SECRET, side.run.training.seed)
    source = models.row_source(side.packed)
    base, fuse = models.models[BASE], models.models[FUSE]
    optimizers = [keras.optimizers.Adam(0.01) for _ in range(2)]
    for rows, hiddens in received_batches(side):
        with tf.GradientTape() as tape:
            own = base(dict(source.gather(rows)), training=True)["deep"]
            by_party = {PARTY: own, **hiddens}
            outputs = fuse({"deep": tf.concat([by_party[name] for name in sorted(by_party)], axis=1)}, training=True)
            total = loss(rows, outputs)
        variables = [base.trainable_variables, fuse.trainable_variables]
        gradients = tape.gradient(total, [[one.value for one in part] for part in variables])
        for optimizer, part, changes in zip(optimizers, variables, gradients, strict=True):
            optimizer.apply(changes, part)
    return {name: weight.numpy() for model in (base, fuse) for name, weight in named_weights(model).items()}


def expect_weights(side, expected):
    weights = side.weights()
    assert expected
    for name, array in expected.items():
        np.testing.assert_allclose(weights[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def class_weights(values):
    return 1.0 + values


def test_private_head_is_a_plain_training_on_the_hiddens_and_the_true_labels(trained):
    side, true, _ = trained
    assert len(received_batches(side)) == 3
    assert {name for name, _, _ in side.hiddens} == set(PEERS)

    def loss(rows, outputs):
        mood, liked = true[rows, 0].astype(np.int32), true[rows, 1]
        classes = tf.nn.sparse_softmax_cross_entropy_with_logits(mood, outputs["mood"])
        positive = tf.nn.sigmoid_cross_entropy_with_logits(liked, outputs["liked"][:, 0])
        return tf.reduce_mean(classes) + tf.reduce_mean(positive * class_weights(liked))

    expect_weights(side, plain_training(side, "", loss))


def test_teacher_is_a_plain_training_on_the_hiddens_and_the_drawn_labels_with_the_corrected_loss(trained):
    side, _, drawn = trained
    of_three, of_two = (replacement_probability(EPSILON, symbols) for symbols in (3, 2))

    def loss(rows, outputs):
        mood, liked = drawn[rows, 0].astype(np.int32), drawn[rows, 1]
        probability = tf.reduce_sum(tf.nn.softmax(outputs["mood"]) * np.eye(3, dtype=np.float32)[mood], axis=1)
        classes = -tf.math.log((1 - of_three) * probability + of_three / 3)
        positive = tf.sigmoid(outputs["liked"][:, 0])
        likelihood = (1 - of_two) * (liked * positive + (1 - liked) * (1 - positive)) + of_two / 2
        return tf.reduce_mean(classes) + tf.reduce_mean(-tf.math.log(likelihood) * class_weights(liked))

    expect_weights(side, plain_training(side, TEACHER, loss))


def test_own_figures_are_exact_and_by_the_true_labels(tmp_path):
    case = "deepfm"
    true, drawn = true_and_drawn(case)
    side = whole_run(tmp_path / "run", case, true, drawn)
    predictions = pd.read_csv(side.run_folder / "predictions-train.csv")["probability"].to_numpy()
    (line,) = (side.run_folder / "evaluations.jsonl").read_text().splitlines()
    evaluated = json.loads(line)
    exact = area_under_curve(np.log(predictions / (1 - predictions)).astype(np.float32), true[:, 0])
    assert evaluated["metrics"]["auc"] == pytest.approx(exact, abs=1e-3)
    reports = [ReportReply.FromString(one) for one in side.left["reports"]]
    (told,) = (one.evaluation for one in reports if one.HasField("evaluation"))
    assert evaluated["told"] == {one.name: one.value for one in told.values}
    assert evaluated["told"]["loss"] != evaluated["metrics"]["loss"]
    assert [field.name for field, _ in reports[-1].ListFields()] == ["running_metrics"], "a prediction tells nothing"
    history = json.loads((side.run_folder / "history.json").read_text())["history"]
    assert len(history["loss"]) == len(history["val_auc"]) == 2


@pytest.mark.parametrize(
    "case",
    [
        "mmoe, three labels, learned task weights, early stopping, local steps",
        "dnn, no own features, local steps, pipelined",
    ],
)
def test_a_resumed_run_ends_with_the_bits_of_an_undisturbed_one(tmp_path, case):
    true, drawn = true_and_drawn(case)
    undisturbed = label_side(tmp_path / "undisturbed", case, true, drawn)
    undisturbed.open_training()
    undisturbed.finish()
    stopped = label_side(tmp_path / "stopped", case, true, drawn)
    stopped.open_training()
    for _ in range(2):
        stopped.exchange()
    mark = stopped.checkpoint()
    stopped.exchange()
    stopped.close("interrupted")
    resumed = label_side(tmp_path / "stopped", case, true, drawn)
    assert mark != ORIGIN
    resumed.open_training(mark, stopped.peers)
    resumed.finish()
    weights, expected = resumed.weights(), undisturbed.weights()
    assert set(weights) == set(expected)
    assert any(name.startswith(TEACHER) for name in weights)
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array, err_msg=name)
    for name in ("history.json", "steps.csv"):
        assert resumed.own_files()[name] == undisturbed.own_files()[name]
    gradients = undisturbed.left["gradients"]
    assert len(resumed.left["gradients"]) == len(gradients) - 2
    assert resumed.left["reports"][-1] == undisturbed.left["reports"][-1]


@pytest.mark.parametrize("before", [True, False], ids=["was private", "was not private"])
def test_another_privacy_than_in_training_is_refused_when_the_model_is_used(tmp_path, before):
    case = "smallest, early stopping"
    true, drawn = true_and_drawn(case)
    trained = label_side(tmp_path / "run", case, true, drawn if before else None)
    trained.open_training()
    trained.finish()
    changed = label_side(tmp_path / "run", case, true, None if before else drawn)
    for purpose in (Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT):
        with pytest.raises(SessionError, match=r"privacy of data\.labels differs from what the run was trained with"):
            changed.open_inference(purpose)


def test_without_private_labels_there_is_one_head(tmp_path):
    case = "smallest, early stopping"
    true, _ = true_and_drawn(case)
    side = label_side(tmp_path / "run", case, true, None)
    side.open_training()
    side.finish()
    assert side.label.own_epochs is side.label.epochs
    assert not any(name.startswith(TEACHER) for name in side.weights())
    assert not any("private" in activity for report in side.left["activities"] for activity, _ in report)

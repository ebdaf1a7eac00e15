"""Any optimizer, schedule, loss and metric of Keras by name and arguments; anything else is told in one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.keras_objects import KerasObject
from party.configuration.labels import BinaryLabel, MultiClassLabel, RegressionLabel
from party.configuration.metrics import MetricSection
from party.configuration.run import OptimizerSection
from party.engine.weight_update import WeightUpdate
from party.errors import ConfigurationError
from party.models import keras_objects
from party.models.keras_objects import build_loss, build_metric, build_optimizer
from party.models.losses import TaskLosses
from party.models.scores import Scores, predictions

BINARY = BinaryLabel(rule="x > 3")
REGRESSION = RegressionLabel(kind="regression", column="y")
CLASSES = MultiClassLabel(kind="multi_class", column="z", classes=("a", "b", "c"))
OPTIMIZERS = sorted(
    name
    for name, one in vars(keras.optimizers).items()
    if isinstance(one, type)
    and issubclass(one, keras.optimizers.Optimizer)
    and name not in keras_objects.UNSUPPORTED_OPTIMIZERS
)
SCHEDULES = {
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 4},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 2},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [1, 3], "values": [0.1, 0.05, 0.01]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 4},
}


def make_weights():
    generator = np.random.default_rng(1)
    table = keras.Variable(generator.normal(size=(6, 2)).astype(np.float32), name="embeddings")
    dense = [keras.Variable(generator.normal(size=shape).astype(np.float32)) for shape in [(4, 3), (3,)]]
    return [table, *dense]


def make_gradients(step):
    generator = np.random.default_rng(step)
    rows = tf.constant([1, 4, 1])
    slices = tf.IndexedSlices(tf.constant(generator.normal(size=(3, 2)).astype(np.float32)), rows, tf.constant((6, 2)))
    return [slices, *(tf.constant(generator.normal(size=shape).astype(np.float32)) for shape in [(4, 3), (3,)])]


def steps_of(apply, weights, count=5):
    for step in range(count):
        apply(make_gradients(step))
    return [weight.numpy() for weight in weights]


def assert_as_keras_does(section, expected):
    """The joined update of a party equals Keras's own update of every weight by itself."""
    ours, theirs = make_weights(), make_weights()
    update = WeightUpdate(build_optimizer(section, "here"), ours)
    received = steps_of(tf.function(update.apply), ours)
    expected.build(theirs)
    wanted = steps_of(lambda gradients: expected.apply(gradients, theirs), theirs)
    for one, other in zip(received, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert any((one != other.numpy()).any() for one, other in zip(received, make_weights(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_keras_trains_as_keras_does(name):
    assert_as_keras_does(OptimizerSection(name=name, learning_rate=0.01), getattr(keras.optimizers, name)(0.01))


@pytest.mark.parametrize("arguments", [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_clipping_and_weight_decay_are_those_of_keras(name, arguments):
    arguments = {**arguments, "weight_decay": 0.1}
    expected = {"sgd": keras.optimizers.SGD, "adamw": keras.optimizers.AdamW}[name](0.01, **arguments)
    assert_as_keras_does(OptimizerSection(name=name, learning_rate=0.01, arguments=arguments), expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_of_keras_moves_the_learning_rate(name):
    assert set(SCHEDULES) == {
        one for one in dir(keras.optimizers.schedules) if one[0].isupper() and one != "LearningRateSchedule"
    }
    schedule = getattr(keras.optimizers.schedules, name)(**SCHEDULES[name])
    rate = KerasObject(name=name, arguments=SCHEDULES[name])
    assert_as_keras_does(OptimizerSection(name="SGD", learning_rate=rate), keras.optimizers.SGD(schedule))


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAM", "rms_prop", "RMSprop"])
def test_names_are_taken_however_they_are_written(name):
    assert type(build_optimizer(OptimizerSection(name=name), "here")).__name__.lower() == name.replace("_", "").lower()


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"name": "adan"}, r"here: adan is not known here; expected one of .*did you mean Adam\?"),
        ({"name": "Optimizer"}, "Optimizer is not known here"),
        ({"name": "get"}, "get is not known here"),
        ({"name": "LossScaleOptimizer"}, "not known here"),
        ({"arguments": {"momentum": 0.9}}, r"here: Adam does not take these arguments: .*momentum"),
        ({"arguments": {"use_ema": True}}, r"here\.arguments: argument use_ema is not supported"),
        ({"arguments": {"learning_rate": 1.0}}, "learning_rate stands outside of arguments"),
        ({"arguments": {"clipnorm": 1.0, "clipvalue": 1.0}}, "does not take these arguments"),
        ({"learning_rate": {"name": "CosineDecoy"}}, r"here\.learning_rate: CosineDecoy .*did you mean CosineDecay\?"),
        ({"learning_rate": {"name": "CosineDecay"}}, r"here\.learning_rate: CosineDecay does not take these arguments"),
    ],
)
def test_wrong_optimizers_are_told(section, text):
    with pytest.raises(ConfigurationError, match=text):
        build_optimizer(OptimizerSection(**section), "here")


@pytest.mark.parametrize("label", [BINARY, REGRESSION, CLASSES], ids=lambda label: label.kind)
def test_every_loss_and_metric_that_is_offered_can_be_built_and_computed(label):
    generator = np.random.default_rng(3)
    outputs = generator.normal(size=(20, label.units)).astype(np.float32)
    truth = {"binary": generator.integers(0, 2, 20), "multi_class": generator.integers(0, 3, 20)}.get(
        label.kind, generator.normal(size=20)
    )
    labels = np.asarray(truth, np.float32)[:, None]
    losses, metrics = {
        "binary": (keras_objects.BINARY_LOSSES, keras_objects.BINARY_METRICS),
        "multi_class": (keras_objects.MULTI_CLASS_LOSSES, keras_objects.MULTI_CLASS_METRICS),
        "regression": (keras_objects.REGRESSION_LOSSES, keras_objects.REGRESSION_METRICS),
    }[label.kind]
    for name in losses:
        by_row = build_loss(label.model_copy(update={"loss": KerasObject(name=name)}), "here")(
            tf.constant(labels if label.units == 1 else labels[:, 0]), tf.constant(outputs)
        )
        assert by_row.shape == (20,), name
    needed = {
        "PrecisionAtRecall": {"recall": 0.5},
        "RecallAtPrecision": {"precision": 0.5},
        "SensitivityAtSpecificity": {"specificity": 0.5},
        "SpecificityAtSensitivity": {"sensitivity": 0.5},
        "SparseTopKCategoricalAccuracy": {"k": 2},
    }
    asked = tuple(MetricSection(name=name, arguments=needed.get(name, {})) for name in sorted(metrics))
    scores = Scores({"task": label.model_copy(update={"metrics": asked})}, "alice")
    values = scores(outputs, labels)
    assert tuple(values) == scores.names
    assert len(values) == len(metrics)
    assert all(np.isfinite(value) for value in values.values())


def test_metrics_are_those_of_keras_on_probabilities():
    generator = np.random.default_rng(4)
    outputs = generator.normal(size=(50, 1)).astype(np.float32)
    labels = (generator.random((50, 1)) < 0.4).astype(np.float32)
    values = Scores({"liked": BINARY}, "alice")(outputs, labels)
    probabilities = predictions(BINARY, outputs)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-outputs.astype(np.float64))), rtol=1e-12)
    for name, metric in {"precision": keras.metrics.Precision(), "recall": keras.metrics.Recall()}.items():
        metric.update_state(labels, probabilities)
        assert values[name] == pytest.approx(float(metric.result()))
    approximate = keras.metrics.AUC(num_thresholds=5000)
    approximate.update_state(labels, probabilities)
    assert values["auc"] == pytest.approx(float(approximate.result()), abs=2e-3)


def test_with_several_labels_every_metric_has_its_labels_name():
    scores = Scores({"liked": BINARY, "hours": REGRESSION, "kind": CLASSES}, "alice")
    assert scores.names == (
        "liked_auc",
        "liked_precision",
        "liked_recall",
        "hours_root_mean_squared_error",
        "hours_mean_absolute_error",
        "kind_sparse_categorical_accuracy",
    )
    outputs = np.array([[1.0, 2.0, 0.0, 3.0, 0.0], [-1.0, 4.0, 0.0, 0.0, 9.0]], np.float32)
    labels = np.array([[1.0, 5.0, 1.0], [0.0, 4.0, 1.0]], np.float32)
    values = scores(outputs, labels)
    assert values["hours_mean_absolute_error"] == pytest.approx(1.5)
    assert values["kind_sparse_categorical_accuracy"] == 0.5
    assert values["liked_auc"] == 1.0


@pytest.mark.parametrize(
    ("label", "change", "text"),
    [
        (BINARY, {"loss": "mean_squared_error"}, "data.labels.task.loss: mean_squared_error is not known here"),
        (BINARY, {"loss": {"name": "binary_crossentropy", "arguments": {"from_logits": False}}}, "is fixed"),
        (BINARY, {"metrics": ["acu"]}, r"did you mean AUC\?"),
        (BINARY, {"metrics": [{"name": "AUC", "arguments": {"thresh": 1}}]}, "AUC does not take these arguments"),
        (BINARY, {"metrics": ["PrecisionAtRecall"]}, "PrecisionAtRecall does not take these arguments"),
        (BINARY, {"metrics": ["auc", "AUC"]}, "two metrics are named auc"),
        (REGRESSION, {"metrics": ["auc"]}, "auc is not known here"),
        (REGRESSION, {"loss": {"name": "huber", "arguments": {"gamma": 1}}}, "Huber does not take these arguments"),
        (CLASSES, {"loss": "categorical_crossentropy"}, "not known here"),
    ],
)
def test_wrong_losses_and_metrics_are_told(label, change, text):
    labels = {"task": type(label)(**{**label.model_dump(), **change})}
    with pytest.raises(ConfigurationError, match=text):
        TaskLosses(labels, uncertainty=False, party="alice")
        Scores(labels, "alice")


def test_losses_are_those_of_keras_weighted_rows_divided_by_their_number():
    generator = np.random.default_rng(5)
    labels = {"liked": BINARY, "hours": REGRESSION}
    outputs = {name: tf.constant(generator.normal(size=(6, 1)).astype(np.float32)) for name in labels}
    truth = np.stack([generator.integers(0, 2, 6), generator.normal(size=6)], axis=1).astype(np.float32)
    weights = generator.random((6, 2)).astype(np.float32)
    means = TaskLosses(labels, uncertainty=False, party="alice").means(
        tf.constant(truth), outputs, tf.constant(weights)
    )
    expected = [
        keras.losses.BinaryCrossentropy(from_logits=True)(truth[:, :1], outputs["liked"], sample_weight=weights[:, :1]),
        keras.losses.MeanSquaredError()(truth[:, 1:], outputs["hours"], sample_weight=weights[:, 1:]),
    ]
    np.testing.assert_allclose([float(one) for one in means], [float(one) for one in expected], rtol=1e-5)


def test_metrics_need_no_class_to_be_there():
    values = Scores({"liked": BINARY}, "alice")(np.ones((3, 1), np.float32), np.ones((3, 1), np.float32))
    assert np.isnan(values["auc"])
    assert (values["precision"], values["recall"]) == (1.0, 1.0)
    assert build_metric(BINARY, BINARY.metrics[0], "here") is not build_metric(BINARY, BINARY.metrics[0], "here")

"""The BST, DNN and MMoE models, their losses and their training, written with TensorFlow's own operations.

No Keras layer is used here: a model is a dictionary of variables by the names of `named_weights`.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from party.configuration.labels import RegressionLabel
from party.configuration.layout import BaseLayout, FuseLayout
from party.configuration.models import BSTModel, MMoEFuse
from party.cut.layout import CutLayout
from party.data.labels import LabelArrays
from party.data.rows import InMemoryRows, label_rows
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import TrainableFuseModel
from party.models.assembly import base_specs, build_base, build_fuse
from party.models.assembly import fuse_outputs as declared_outputs
from party.models.label_tasks import LabelTasks
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.models.storage import named_weights

ROWS, BATCH, STEPS, LEARNING_RATE = 40, 9, 20, 0.1
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(learning_rate=LEARNING_RATE),
    "adam": lambda: keras.optimizers.Adam(learning_rate=0.01),
}
ACTIVATIONS = {
    "relu": lambda x: tf.maximum(x, 0.0),
    "leaky_relu": lambda x: tf.where(x > 0, x, 0.2 * x),
    "tanh": tf.tanh,
    "sigmoid": lambda x: 1 / (1 + tf.exp(-x)),
}
POSITIONS_BY_ROW = False  # one lookup for the batch: an optimizer squares the gradient of a position once
LOG_VARIANCES = "log variances"
SHIFTS = ("attention/key/bias", "_score/bias")  # they shift all inputs of a softmax alike, so their gradient is zero


# Layers


def dense(weights, name, x):
    return tf.matmul(x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]


def mlp(weights, name, x, units, activation):
    for number in range(len(units)):
        x = ACTIVATIONS[activation](dense(weights, f"{name}_{number}", x))
    return x


def dense_tokens(weights, name, x):
    return tf.einsum("btd,de->bte", x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]


def layer_norm(weights, name, x):
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean((x - mean) ** 2, axis=-1, keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-3) * weights[f"{name}/gamma"] + weights[f"{name}/beta"]


def softmax_of_present(scores, presence):
    """Computes the softmax along the last axis over present elements; zero where none is present."""
    masked = tf.where(presence > 0, scores, -1e9)
    powers = tf.exp(masked - tf.reduce_max(masked, axis=-1, keepdims=True)) * presence
    return tf.math.divide_no_nan(powers, tf.reduce_sum(powers, axis=-1, keepdims=True))


def attention(weights, name, x, presence):
    """Computes the attention of every token to all present tokens; x (batch, tokens, d), presence (batch, tokens)."""

    def project(what):
        kernel, bias = weights[f"{name}/{what}/kernel"], weights[f"{name}/{what}/bias"]
        return tf.einsum("btd,dhk->bhtk", x, kernel) + bias[None, :, None, :]

    query, key, value = project("query"), project("key"), project("value")
    scores = tf.einsum("bhqk,bhtk->bhqt", query, key) / np.float32(np.sqrt(query.shape[-1]))
    mixed = tf.einsum("bhqt,bhtk->bhqk", softmax_of_present(scores, presence[:, None, None, :]), value)
    output = f"{name}/attention_output"
    return tf.einsum("bhqk,hkd->bqd", mixed, weights[f"{output}/kernel"]) + weights[f"{output}/bias"]


# Base models


def embedded_slots(weights, indices, values):
    return tf.gather(weights["base/factors"], indices) * values[:, :, None]


def field(slots, feature):
    return tf.reduce_sum(slots[:, feature.start : feature.start + feature.width], axis=1)


def dnn_base(layout, weights, indices, values):
    slots = embedded_slots(weights, indices, values)
    fields = [field(slots, feature) for feature in layout.features]
    section = layout.section
    return mlp(weights, "base/dense", tf.concat(fields, axis=1), section.units, section.activation)


def bst_base(layout, weights, indices, values):
    slots = embedded_slots(weights, indices, values)
    targets = {feature.name: field(slots, feature) for feature in layout.features}
    parts = []
    for feature in layout.features:
        if feature.kind != "sequence":
            parts.append(field(slots, feature))
            continue
        here = slice(feature.start, feature.start + feature.width)
        target = None if feature.target is None else targets[feature.target]
        prefix = f"base/sequence_{len(parts)}_"
        parts += sequence_parts(layout.section, weights, prefix, slots[:, here], values[:, here], target)
    section = layout.section
    return mlp(weights, "base/dense", tf.concat(parts, axis=1), section.units, section.activation)


def sequence_parts(section, weights, prefix, items, mask, target):
    x, presence, count = items, mask, items.shape[1]
    if target is not None:
        x = tf.concat([items, target[:, None, :]], axis=1)
        presence = tf.concat([mask, tf.ones_like(mask[:, :1])], axis=1)
    places = tf.range(x.shape[1])
    if POSITIONS_BY_ROW:
        places = tf.repeat(places[None, :], tf.shape(x)[0], axis=0)
    x = (x + tf.gather(weights[f"{prefix}positions"], places)) * presence[:, :, None]
    for number in range(section.blocks):
        block = f"{prefix}block_{number}_"
        x = layer_norm(weights, f"{block}attention_norm", x + attention(weights, f"{block}attention", x, presence))
        inner = ACTIVATIONS["leaky_relu"](dense_tokens(weights, f"{block}inner", x))
        x = layer_norm(weights, f"{block}outer_norm", x + dense_tokens(weights, f"{block}outer", inner))
    items = x[:, :count]
    if target is None:
        return [mean_pooled(items, mask)]
    target = x[:, count]
    if section.pooling == "mean":
        return [mean_pooled(items, mask), target]
    return [attention_pooled(section, weights, prefix, items, mask, target), target]


def mean_pooled(items, mask):
    total = tf.reduce_sum(items * mask[:, :, None], axis=1)
    return total / tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)


def attention_pooled(section, weights, prefix, items, mask, target):
    queries = tf.repeat(target[:, None, :], items.shape[1], axis=1)
    hidden = tf.concat([queries, items, queries - items, queries * items], axis=2)
    for number in range(len(section.attention_units)):
        hidden = ACTIVATIONS["sigmoid"](dense_tokens(weights, f"{prefix}score_{number}", hidden))
    shares = softmax_of_present(dense_tokens(weights, f"{prefix}score", hidden)[:, :, 0], mask)
    return tf.einsum("bt,btd->bd", shares, items)


def base_output(layout, weights, indices, values):
    """Returns the hidden that crosses the cut, (batch, units)."""
    base = bst_base if isinstance(layout.section, BSTModel) else dnn_base
    return base(layout, weights, indices, values)


# Fuse models


def dnn_fuse(section, labels, weights, deep):
    hidden = mlp(weights, "fuse/dense", deep, section.units, section.activation)
    return {name: dense(weights, f"fuse/{name}_logit", hidden) for name in labels}


def mmoe_fuse(section, labels, weights, deep):
    experts = [
        mlp(weights, f"fuse/expert_{number}_dense", deep, section.expert_units, section.activation)
        for number in range(section.experts)
    ]
    stacked = tf.stack(experts, axis=1)
    outputs, gates = {"expert outputs": stacked}, []
    for name in labels:
        hidden = mlp(weights, f"fuse/{name}_gate_dense", deep, section.gate_units, section.activation)
        scores = tf.matmul(hidden, weights[f"fuse/{name}_gate/kernel"])
        gates.append(softmax_of_present(scores, tf.ones_like(scores)))
        mixed = tf.add_n([gates[-1][:, number, None] * stacked[:, number] for number in range(section.experts)])
        tower = mlp(weights, f"fuse/{name}_tower_dense", mixed, section.tower_units, section.activation)
        outputs[name] = dense(weights, f"fuse/{name}_logit", tower)
    return {**outputs, "gate weights": tf.stack(gates, axis=1)}


def fuse_outputs(section, labels, weights, deep):
    """Returns logits by label, and the further outputs of a mixture of experts."""
    fuse = mmoe_fuse if isinstance(section, MMoEFuse) else dnn_fuse
    return fuse(section, labels, weights, deep)


# Losses


def label_losses(labels, truth, outputs):
    """Returns the mean loss of each label; truth (batch, labels)."""
    losses = []
    for place, (name, label) in enumerate(labels.items()):
        y, z = truth[:, place], outputs[name][:, 0]
        if isinstance(label, RegressionLabel):
            losses.append(tf.reduce_mean((z - y) ** 2))
        else:
            losses.append(tf.reduce_mean(tf.math.softplus(z) - y * z))
    return losses


def loss_terms(labels, losses, log_variances):
    """Returns the loss term of each label; log variances are None for fixed weights."""
    if log_variances is None:
        return [label.weight * loss for label, loss in zip(labels.values(), losses, strict=True)]
    scales = [0.5 if isinstance(label, RegressionLabel) else 1.0 for label in labels.values()]
    return [scale * tf.exp(-log_variances[place]) * losses[place] for place, scale in enumerate(scales)]


def total_loss(labels, losses, log_variances):
    total = tf.add_n(loss_terms(labels, losses, log_variances))
    return total if log_variances is None else total + 0.5 * tf.reduce_sum(log_variances)


# Drawn weights and data


def draw(model, seed=7, gain=1.0):
    """Draws every weight at random, including those that start as zeros or ones; the gain is that of dense layers."""
    generator = np.random.default_rng(seed)
    for name, weight in sorted(named_weights(model).items()):
        if "seed_generator" in weight.path:
            weight.assign(generator.integers(0, 2**32, weight.shape, dtype=np.uint32))
            continue
        values = generator.normal(size=weight.shape)
        match name.rsplit("/", 1)[1]:
            case "gamma":
                values = 1 + 0.3 * values
            case "bias" | "beta":
                values = 0.3 * values
            case "kernel":
                fan_in = np.prod(weight.shape[:-1]) if "attention_output" in name else weight.shape[0]
                values = values / np.sqrt(fan_in) * (4 if "_score" in name else gain if "dense" in name else 1)
            case _:
                values = 0.7 * values
        weight.assign(values)
    return model


def weights_of(model):
    """Returns the TensorFlow variables by name."""
    return {name: weight.value for name, weight in named_weights(model).items() if weight.trainable}


def snapshot(model):
    return {name: weight.numpy().copy() for name, weight in weights_of(model).items()}


def draw_inputs(layout, rows=ROWS, seed=1):
    """Draws rows of a party: sequences of all lengths from empty to full, with padding in front."""
    generator = np.random.default_rng(seed)
    indices = generator.integers(0, layout.size, (rows, layout.slots)).astype(np.int32)
    values = np.ones((rows, layout.slots), np.float32)
    for feature in layout.features:
        here = slice(feature.start, feature.start + feature.width)
        if feature.kind == "sequence":
            lengths = np.arange(rows) % (feature.width + 1)
            values[:, here] = np.arange(feature.width) >= feature.width - lengths[:, None]
        elif feature.kind == "numeric":
            values[:, here] = generator.normal(size=(rows, feature.width))
        elif feature.width > 1:
            values[:, here] = generator.integers(0, 2, (rows, feature.width)) / feature.width
    return {"indices": indices, "values": values}


def draw_truth(labels, rows=ROWS, seed=4):
    generator = np.random.default_rng(seed)
    columns = [
        generator.normal(0.5, 1.0, rows) if isinstance(label, RegressionLabel) else generator.random(rows) < 0.4
        for label in labels.values()
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def draw_batches(steps=STEPS, rows=ROWS, seed=3):
    """Draws row numbers; one batch in four is smaller."""
    generator = np.random.default_rng(seed)
    sizes = [BATCH if number % 4 else BATCH - 4 for number in range(steps)]
    return [generator.permutation(rows)[:size].astype(np.int32) for size in sizes]


# Training, split and joined


@dataclass(frozen=True)
class Setup:
    """The parties of a run: layouts of their base models, and the label party's fuse model."""

    bases: dict[str, BaseLayout]
    section: object
    labels: dict
    gain: float = 1.0

    @property
    def uncertainty(self):
        return self.section.task_weighting == "uncertainty"

    @property
    def specs(self):
        return {name: base_specs(layout) for name, layout in self.bases.items()}

    @property
    def layouts(self):
        return {name: CutLayout(specs) for name, specs in self.specs.items()}

    @property
    def fuse_layout(self):
        units = {"deep": sum(layout.columns for layout in self.layouts.values())}
        return FuseLayout(section=self.section, units=units, labels=self.labels)

    @property
    def inputs(self):
        return {name: draw_inputs(layout, seed=10 + place) for place, (name, layout) in enumerate(self.bases.items())}

    def build(self):
        """Builds the models by party and "fuse", always with the same weights."""
        models = {
            name: draw(build_base(layout), 20 + place, self.gain)
            for place, (name, layout) in enumerate(self.bases.items())
        }
        return {**models, "fuse": draw(build_fuse(self.fuse_layout), 30)}


@dataclass
class Step:
    """Loss and measures of a training step, and all weights after it by owner and name."""

    loss: float
    shares: list
    weights: dict


def split_models(setup, models, optimizer="sgd", party="bob"):
    """Builds the base models and the fuse model of a split run, and the learned weights of the labels."""
    losses = TaskLosses(setup.labels, uncertainty=setup.uncertainty, party=party)
    inputs, layouts = setup.inputs, setup.layouts
    bases = {
        name: TrainableBaseModel(models[name], InMemoryRows(inputs[name]), layouts[name], OPTIMIZERS[optimizer]())
        for name in setup.bases
    }
    source = label_rows(LabelArrays(draw_truth(setup.labels)))
    tasks = LabelTasks(declared_outputs(setup.fuse_layout), losses, Scores(setup.labels, party))
    fuse = TrainableFuseModel(models["fuse"], source, layouts, tasks, optimizer=OPTIMIZERS[optimizer]())
    return bases, fuse, losses.variables


def split_training(setup, optimizer):
    models = setup.build()
    bases, fuse, learned = split_models(setup, models, optimizer)
    steps = []
    for rows in draw_batches():
        result = fuse.gradients(rows, {name: base.forward(rows) for name, base in bases.items()})
        fuse.apply()
        for name, base in bases.items():
            base.backward(result.gradients[name])
        weights = {name: snapshot(model) for name, model in models.items()}
        if setup.uncertainty:
            weights["fuse"][LOG_VARIANCES] = learned[0].numpy().copy()
        shares = [result.measures[f"{name}_gradient_share"] for name in setup.labels] if len(setup.labels) > 1 else []
        steps.append(Step(result.loss, shares, weights))
    return steps


def joined_training(setup, optimizer):
    """Makes the same training steps with one tape over the joined oracle."""
    initial = {name: snapshot(model) for name, model in setup.build().items()}
    if setup.uncertainty:
        initial["fuse"][LOG_VARIANCES] = np.zeros(len(setup.labels), np.float32)
    owned = {name: {key: keras.Variable(array) for key, array in arrays.items()} for name, arrays in initial.items()}
    variables = {name: {key: weight.value for key, weight in mine.items()} for name, mine in owned.items()}
    optimizers = {name: OPTIMIZERS[optimizer]() for name in owned}
    for name, mine in owned.items():
        optimizers[name].build(list(mine.values()))
    inputs, truth, steps = setup.inputs, draw_truth(setup.labels), []
    several = len(setup.labels) > 1

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)])
    def differentiate(rows):
        with tf.GradientTape(persistent=several) as tape:
            loss, terms, shared = joined_loss(setup, variables, inputs, truth, rows)
        gradients = tape.gradient(loss, variables)
        return loss, gradients, [tf.norm(tape.gradient(term, shared)) for term in terms] if several else []

    for rows in draw_batches():
        loss, gradients, norms = differentiate(rows)
        for name, mine in owned.items():
            optimizers[name].apply([gradients[name][key] for key in mine], list(mine.values()))
        weights = {name: {key: weight.numpy().copy() for key, weight in mine.items()} for name, mine in owned.items()}
        steps.append(Step(float(loss), [float(norm / sum(norms)) for norm in norms], weights))
    return steps


def joined_loss(setup, variables, inputs, truth, rows):
    """Returns the loss, its term of each label, and the terms that the labels share."""
    hiddens = [
        base_output(setup.bases[name], variables[name], **{key: tf.gather(x, rows) for key, x in inputs[name].items()})
        for name in sorted(setup.bases)
    ]
    deep = tf.concat(hiddens, axis=1)
    outputs = fuse_outputs(setup.section, setup.labels, variables["fuse"], deep)
    losses = label_losses(setup.labels, tf.gather(truth, rows), outputs)
    log_variances = variables["fuse"].get(LOG_VARIANCES)
    terms = loss_terms(setup.labels, losses, log_variances)
    return total_loss(setup.labels, losses, log_variances), terms, outputs.get("expert outputs", deep)


def assert_split_training_is_right(setup, optimizer):
    """Checks that losses agree over all steps, and with SGD the gradients of every weight too."""
    split, joined = split_training(setup, optimizer), joined_training(setup, optimizer)
    np.testing.assert_allclose([step.loss for step in split], [step.loss for step in joined], rtol=0, atol=1e-5)
    np.testing.assert_allclose([step.shares for step in split], [step.shares for step in joined], rtol=0, atol=1e-4)
    assert split[0].weights.keys() == joined[0].weights.keys()
    if optimizer != "sgd":
        return
    start = {name: snapshot(model) for name, model in setup.build().items()}
    if setup.uncertainty:
        start["fuse"][LOG_VARIANCES] = np.zeros(len(setup.labels), np.float32)
    before = (start, start)
    for number, after in enumerate(zip(split, joined, strict=True)):
        for owner, names in start.items():
            assert after[0].weights[owner].keys() == after[1].weights[owner].keys() == names.keys()
            for name in names:
                changes = [
                    (old[owner][name].astype(np.float64) - new.weights[owner][name]) / LEARNING_RATE
                    for old, new in zip(before, after, strict=True)
                ]
                where = f"step {number}: gradient of {owner}: {name}"
                np.testing.assert_allclose(*changes, rtol=1e-5, atol=1e-5, err_msg=where)
        before = tuple(step.weights for step in after)
    for owner, names in start.items():
        for name, initial in names.items():
            if not name.endswith(SHIFTS):
                assert np.abs(joined[-1].weights[owner][name] - initial).max() > 1e-4, (
                    f"{name} of {owner} is not tested"
                )

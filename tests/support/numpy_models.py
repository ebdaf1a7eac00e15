"""A base and a fuse model small enough to check by hand, and keys to seal their tensors."""

import time

import numpy as np

from party.channel.compose import ChannelSettings, feature_channels, label_channels
from party.configuration.run import TrainingSection
from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.cut.results import InferenceResult, TrainingResult
from party.metrics.area_under_curve import area_under_curve
from party.protocol.schedule import InferenceSchedule, TrainingSchedule
from party.protocol.timings import Timings
from party.security.sealing import SealingKeys

LABEL_PARTY = "bank"
LEARNING_RATE = np.float32(0.1)
SPECS = (HiddenSpec("score", 1, Aggregation.SUM),)
LAYOUT = CutLayout(SPECS)
COLUMNS = 2


class NumpyBase:
    """The model score = x · w, with a count of its forward passes that wait for a gradient."""

    layout = LAYOUT

    def __init__(self, inputs):
        self.inputs = inputs
        self.weights = np.ones((COLUMNS, 1), np.float32)
        self.waiting = None
        self.saved = {}
        self.calls = []

    def save_epoch(self, epoch, retained):
        self.saved = {
            one: saved for one, saved in {**self.saved, epoch: self.weights.copy()}.items() if one in retained
        }

    def restore_epoch(self, epoch):
        self.weights = self.saved[epoch].copy()

    def infer(self, rows):
        self.calls.append("infer")
        return self.inputs[rows] @ self.weights

    def forward(self, rows):
        assert self.waiting is None
        self.calls.append("forward")
        self.waiting = rows
        return self.inputs[rows] @ self.weights

    def backward(self, gradients):
        self.calls.append("backward")
        rows, self.waiting = self.waiting, None
        self.weights = self.weights - LEARNING_RATE * self.inputs[rows].T @ gradients

    def backward_and_forward(self, gradients, next_rows):
        self.backward(gradients)
        return self.forward(next_rows)


class NumpyFuse:
    """The model logit = scale · Σ scores, with the logistic loss."""

    outputs = 1

    def __init__(self, labels):
        self.labels = labels
        self.scale = np.float32(1.0)
        self.waiting = None
        self.failure = None
        self.saved = {}
        self.calls = []

    def _logits(self, hiddens):
        return self.scale * sum(hiddens[party][:, 0] for party in sorted(hiddens))

    def infer(self, rows, hiddens, present):
        self.calls.append("infer")
        logits = self._logits(hiddens)
        loss = float(np.mean(losses_of(logits, self.labels[rows]), dtype=np.float64))
        return InferenceResult(loss, logits[:, None], {})

    def score(self, outputs, labels, *, groups=None):
        return {"auc": area_under_curve(outputs[:, 0], labels[:, 0])}

    def gradients(self, rows, hiddens, present):
        assert self.waiting is None
        self.calls.append("gradients")
        logits = self._logits(hiddens)
        total = sum(hiddens[party][:, 0] for party in sorted(hiddens))
        slope = (1 / (1 + np.exp(-logits)) - self.labels[rows]) / np.float32(len(rows))
        self.waiting = np.float32(slope @ total)
        derivative = (self.scale * slope)[:, None].astype(np.float32)
        loss = float(losses_of(logits, self.labels[rows]).mean(dtype=np.float64))
        return TrainingResult(loss, logits[:, None], {}, dict.fromkeys(hiddens, derivative))

    def apply(self):
        self.calls.append("apply")
        gradient, self.waiting = self.waiting, None
        if self.failure is not None:
            raise self.failure
        self.scale = np.float32(self.scale - LEARNING_RATE * gradient)

    def save_epoch(self, epoch, retained):
        self.saved = {one: saved for one, saved in {**self.saved, epoch: self.scale}.items() if one in retained}

    def restore_epoch(self, epoch):
        self.scale = self.saved[epoch]


def losses_of(logits, labels):
    return (np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))).astype(np.float32)


def joint_training(schedule, labels, inputs):
    """Trains the same model in one process; returns the loss of every step, the weights by party, and the scale."""
    bases = {party: NumpyBase(array) for party, array in inputs.items()}
    fuse = NumpyFuse(labels)
    losses = []
    for position in range(schedule.exchanges):
        exchange = schedule.exchange(position)
        if exchange.activity.value != "train":
            continue
        rows = schedule.rows(exchange)
        result = fuse.gradients(rows, {party: base.forward(rows) for party, base in bases.items()}, {})
        fuse.apply()
        for party, base in bases.items():
            base.backward(result.gradients[party])
        losses.append(result.loss)
    return losses, {party: base.weights for party, base in bases.items()}, fuse.scale


def make_data(parties, rows):
    generator = np.random.default_rng(4)
    inputs = {party: generator.normal(0, 1, (rows, COLUMNS)).astype(np.float32) for party in parties}
    return inputs, (generator.random(rows) < 0.5).astype(np.float32)


def make_keys(parties):
    """Makes the keys of one session for every party, the label party included."""
    names = [*parties, LABEL_PARTY]
    numbers = {(a, b): bytes([1 + i * len(names) + j]) * 32 for i, a in enumerate(names) for j, b in enumerate(names)}
    return {
        name: SealingKeys(
            bytes(32),
            {other: numbers[name, other] for other in names if other != name},
            {other: numbers[other, name] for other in names if other != name},
        )
        for name in names
    }


def channels_of(keys, party, peers=(), rows=23, **training):
    """Makes the channels of a feature party, or those of the label party to and from its peers."""
    settings = ChannelSettings(party=party, label_party=LABEL_PARTY, dataset="train", rows=rows, **training)
    if not peers:
        return feature_channels(settings, LAYOUT, keys)
    return label_channels(settings, dict.fromkeys(peers, LAYOUT), keys)


def training_schedule(rows=23, **changes):
    section = {"batch_size": 4, "epochs": 2, "validation_fraction": 0.3, "evaluation_batch_size": 3, "seed": 9}
    return TrainingSchedule(TrainingSection(**(section | changes)), rows, bytes(32))


def inference_schedule(rows=23):
    return InferenceSchedule(rows, 5)


def make_timings():
    return Timings(time.monotonic)

"""A base and a fuse model small enough to be checked by hand, and the keys to send their tensors with."""

import time

import numpy as np

from party.configuration.run import TrainingSection
from party.protocol.hidden import Aggregation, HiddenSpec, Inferred, LossAndGradients
from party.protocol.metrics import area_under_curve
from party.protocol.schedule import InferenceSchedule, TrainingSchedule
from party.protocol.timings import Timings
from party.security.sealing import SealingKeys

LABEL_PARTY = "bank"
LEARNING_RATE = np.float32(0.1)
SPECS = (HiddenSpec("score", 1, Aggregation.SUM),)
COLUMNS = 2


class NumpyBase:
    """score = x · w; knows how many of its own forward passes wait for a gradient."""

    specs = SPECS

    def __init__(self, inputs):
        self.inputs = inputs
        self.weights = np.ones((COLUMNS, 1), np.float32)
        self.waiting = None
        self.kept = None
        self.calls = []

    def keep(self):
        self.kept = self.weights.copy()

    def restore(self):
        self.weights = self.kept.copy()

    def infer(self, rows):
        self.calls.append("infer")
        return {"score": self.inputs[rows] @ self.weights}

    def forward(self, rows):
        assert self.waiting is None
        self.calls.append("forward")
        self.waiting = rows
        return {"score": self.inputs[rows] @ self.weights}

    def backward(self, gradients):
        self.calls.append("backward")
        rows, self.waiting = self.waiting, None
        self.weights = self.weights - LEARNING_RATE * self.inputs[rows].T @ gradients["score"]

    def backward_and_forward(self, gradients, next_rows):
        self.backward(gradients)
        return self.forward(next_rows)


class NumpyFuse:
    """logit = scale · Σ scores, with the logistic loss."""

    outputs = 1

    def __init__(self, labels):
        self.labels = labels
        self.scale = np.float32(1.0)
        self.waiting = None
        self.failure = None
        self.calls = []

    def _logits(self, hiddens):
        return self.scale * sum(hiddens[party]["score"][:, 0] for party in sorted(hiddens))

    def infer(self, rows, hiddens):
        self.calls.append("infer")
        logits = self._logits(hiddens)
        loss = float(np.mean(losses_of(logits, self.labels[rows]), dtype=np.float64))
        return Inferred(loss, logits[:, None], {})

    def score(self, outputs, labels):
        return {"auc": area_under_curve(outputs[:, 0], labels[:, 0])}

    def gradients(self, rows, hiddens):
        assert self.waiting is None
        self.calls.append("gradients")
        logits = self._logits(hiddens)
        total = sum(hiddens[party]["score"][:, 0] for party in sorted(hiddens))
        slope = (1 / (1 + np.exp(-logits)) - self.labels[rows]) / np.float32(len(rows))
        self.waiting = np.float32(slope @ total)
        derivative = (self.scale * slope)[:, None].astype(np.float32)
        loss = float(losses_of(logits, self.labels[rows]).mean(dtype=np.float64))
        return LossAndGradients(loss, logits[:, None], {}, {party: {"score": derivative} for party in hiddens})

    def apply(self):
        self.calls.append("apply")
        gradient, self.waiting = self.waiting, None
        if self.failure is not None:
            raise self.failure
        self.scale = np.float32(self.scale - LEARNING_RATE * gradient)

    def keep(self):
        self.kept = self.scale

    def restore(self):
        self.scale = self.kept


def losses_of(logits, labels):
    return (np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))).astype(np.float32)


def joint_training(schedule, labels, inputs):
    """The same training in one process: loss of every step, weights by party, scale."""
    bases = {party: NumpyBase(array) for party, array in inputs.items()}
    fuse = NumpyFuse(labels)
    losses = []
    for position in range(schedule.exchanges):
        exchange = schedule.exchange(position)
        if exchange.activity.value != "train":
            continue
        rows = schedule.rows(exchange)
        result = fuse.gradients(rows, {party: base.forward(rows) for party, base in bases.items()})
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
    """The keys of one session at every party, the label party included."""
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


def training_schedule(rows=23, **changes):
    section = {"batch_size": 4, "epochs": 2, "validation_fraction": 0.3, "evaluation_batch_size": 3, "seed": 9}
    return TrainingSchedule(TrainingSection(**(section | changes)), rows)


def inference_schedule(rows=23):
    return InferenceSchedule(rows, 5)


def make_timings():
    return Timings(time.monotonic)

"""A coordinator that chose the seed reads the training labels off the metrics of one ordinary run.

It asks the parties to train a little and then with a learning rate of nothing: from then on a row has one loss,
whenever it comes. Every figure that it is told is then a linear equation over the losses of rows, if it knows which
rows are behind it; every epoch shuffles them anew and adds equations. A row's loss says whether its label is the
frequent one.
"""

import hashlib
import os
from dataclasses import dataclass

import numpy as np

from party.errors import PolicyError
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations
from tests.support.relaying import Relay

ASSET = "labels of training rows, by a coordinator"
BEFORE = "366 of 372, 372 with polling"
BATCH_SIZE = 32
WARM_UP_STEPS = 12
WARM_UP_RATE = 0.3
EPOCHS = 50
ERRORS_ALLOWED = 3  # standard errors
LOSS = "loss"


@dataclass(frozen=True)
class Figure:
    """A mean loss that a coordinator was told: of the rows from `first` to `end` in the order of an epoch."""

    epoch: int
    first: int
    end: int
    mean: float


def attack(folder, seed):
    """Trains once with policies as they are by default, and reads the labels of all rows."""
    overrides = {name: {"policy": None, "pinned_secret": None} for name in ("alice", "bob")}
    training = {"seed": seed, "epochs": EPOCHS, "batch_size": BATCH_SIZE, "optimizer": standstill()}
    with Organisations(folder, training=training, overrides=overrides) as organisations:
        organisations.start()
        try:
            wiretap = train(organisations)
        except PolicyError as error:
            return Outcome(ASSET, BEFORE, f"refused: {error}", held=True)
        truth = labels(organisations)
    read = wiretap.labels(seed, len(truth))
    return outcome(truth, read)


def outcome(truth, read):
    """Compares with saying the more frequent label for every row."""
    right, rows = int((read == truth).sum()), len(truth)
    majority = max(truth.mean(), 1 - truth.mean())
    allowed = majority * rows + ERRORS_ALLOWED * np.sqrt(majority * (1 - majority) * rows)
    now = f"{right} of {rows} ({majority * rows:.0f} by always guessing the same)"
    return Outcome(ASSET, BEFORE, now, held=bool(right <= allowed))


def standstill():
    """Plain gradient descent that soon stands still."""
    arguments = {"boundaries": [WARM_UP_STEPS - 1], "values": [WARM_UP_RATE, 0.0]}
    return {"name": "sgd", "learning_rate": {"name": "piecewise_constant_decay", "arguments": arguments}}


def train(organisations):
    """An ordinary alignment and run, with a look at the metrics after every batch."""
    path = organisations.write_run()
    wiretap = Wiretap()
    with Relay(path, wiretap) as parties:
        wiretap.label_party = parties._clients["bob"]
        parties.align()
        parties.fit()
    return wiretap


def labels(organisations):
    """The truth, in the common order."""
    common = set(organisations.read_table("alice", "train")["ID"]) & set(organisations.read_table("bob", "train")["ID"])
    table = organisations.read_table("bob", "train").set_index("ID").loc[sorted(common, key=str.encode)]
    return (table["rating"].astype(float) > 3).to_numpy().astype(int)


class Wiretap:
    """Keeps all that `Report` says of a run, whatever of it is there."""

    def __init__(self):
        self.label_party = None
        self.run_id = b""
        self._steps = {}  # (rows, mean loss) by the last step of a release: the coordinator asks too
        self._running = []  # (training batches seen, metrics)
        self._epochs = []
        self._batches = 0

    def __call__(self, send, party, method, request):
        reply = send(request)
        if (party, method) == ("bob", "Fuse"):
            self._batches += 1
            self.run_id = request.session.run_id
            self.label_party.report(request.session, steps_seen=len(self._steps))
        if (party, method) == ("bob", "Report"):
            self._take(reply)
        return reply

    def labels(self, seed, rows):
        """The labels that the equations give with the order that fits them best; the same for all where none do."""
        figures = list(self._figures(rows))
        if not figures:
            return np.ones(rows, int)
        solutions = [solve(figures, order, rows) for order in orders(seed, self.run_id, rows)]
        losses, _ = min(solutions, key=lambda solution: solution[1])
        return split(losses, self._positive_is_low())

    def _take(self, reply):
        self._steps |= {one.step: (one.rows, one.loss) for one in reply.steps}
        self._epochs = list(reply.epochs)
        if reply.HasField("running"):
            self._running.append((self._batches, reply.running))

    def _figures(self, rows):
        """Every figure of the time when weights stood still: from the second epoch on."""
        of_epoch = -(-rows // BATCH_SIZE)
        for step, (count, loss) in self._steps.items():
            epoch, place = divmod(step, of_epoch)
            end = min((place + 1) * BATCH_SIZE, rows)
            yield from _figure(epoch, end - count, end, loss)
        for batches, running in self._running:
            epoch, seen = divmod(batches - 1, of_epoch)
            if running.rows <= min((seen + 1) * BATCH_SIZE, rows):
                yield from _figure(epoch, 0, running.rows, _value(running, LOSS))
        for one in self._epochs:
            if one.HasField("train"):
                yield from _figure(one.epoch, 0, one.train.rows, _value(one.train, LOSS))

    def _positive_is_low(self):
        """Whether the model says 1 of most rows, so that a low loss means 1."""
        recalls = [_value(one.train, "recall") for one in self._epochs if one.HasField("train")]
        return not recalls or recalls[-1] is None or recalls[-1] > 0.5


def _figure(epoch, first, end, mean):
    if epoch and mean is not None:
        yield Figure(epoch, first, end, mean)


def _value(metrics, name):
    return next((one.value for one in metrics.values if one.name == name), None)


def solve(figures, order, rows):
    """Least squares: the loss of every row, and by how much the figures are missed."""
    equations = np.zeros((len(figures), rows))
    for equation, figure in zip(equations, figures, strict=True):
        equation[order(figure.epoch)[figure.first : figure.end]] = 1.0 / (figure.end - figure.first)
    means = np.array([figure.mean for figure in figures])
    losses = np.linalg.lstsq(equations, means, rcond=1e-9)[0]
    return losses, float(np.abs(equations @ losses - means).mean())


def split(losses, positive_is_low):
    """Where the model says the same of all rows, it is right of those that lose less than a coin does."""
    return np.where(losses < np.log(2), int(positive_is_low), int(not positive_is_low))


def orders(seed, run_id, rows):
    """What a coordinator can think of: the order of earlier versions, and the present rule without its secret."""
    number = seed.to_bytes(8, "little")
    keys = [number]
    for secret in (bytes(32), number.ljust(32, b"\0"), os.urandom(32)):
        for salt in (run_id, b""):
            pseudorandom = hashlib.sha256(salt + secret).digest()
            keys.append(hashlib.sha256(pseudorandom + b"vsl/1 row key\0" + number).digest())
    return [_order_of(key, rows) for key in keys]


def _order_of(key, rows):
    known = {}

    def order(epoch):
        if epoch not in known:
            text = b"vsl/1 order\0" + key + b"shuffle" + epoch.to_bytes(8, "little")
            philox = np.random.Philox(key=np.frombuffer(hashlib.sha256(text).digest()[:16], "<u8").astype(np.uint64))
            known[epoch] = np.argsort(philox.random_raw(rows), kind="stable")
        return known[epoch]

    return order

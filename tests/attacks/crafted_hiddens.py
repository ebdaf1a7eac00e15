"""A feature party and a coordinator read chosen test labels off the metrics of evaluations with crafted hiddens.

The feature party sets every logit as it likes: a hidden that is added to the logit is its own to choose. What it is
given besides is more than it could know: the label party has no features, and the fuse model's constant and the number
of positive rows are known to it. With exact metrics, logits that are powers of two spell the labels in binary. With
what is told by default it is the best that can be done with random signs: a logit that costs a row nothing or
everything, another one that only moves the order of the rows, and for all evaluations together the labels that explain
best what was told, drawn from their posterior by a Markov chain (how figures are released is public, the key is not).
"""

import contextlib
import math
from dataclasses import dataclass

import keras
import numpy as np

from coordinator import connect
from party.engine.base_model import BaseModel
from party.errors import PolicyError
from party.metrics.bounded_figures import area_bound
from party.metrics.grid import grid_step
from party.models.bounded_metrics import LEAST_LOSS_LIMIT
from tests.attacks.outcome import Outcome
from tests.support.organisations import FEATURES, Organisations, make_frames

NAMES = ("alice", "bob")
TARGETS = 60
EVALUATIONS = 20
EXACT_LABELS = 12  # by one evaluation
UNIT_LOGIT = 2.0**-10
LARGE, SMALL = 30.0, 1e-3  # a loss of nothing or all that counts; an order of rows without a loss
SWEEPS, BURN_IN, COOL_SWEEPS, HOTTEST = 250, 100, 80, 4.0
IMPOSSIBLE = 1e-3  # probability of what was told for labels that cannot explain it: with 0 no chain could pass


@dataclass(frozen=True)
class Aim:
    """The rows whose labels are wanted, and the test labels that the attack is judged by."""

    targets: np.ndarray
    labels: np.ndarray

    @property
    def truth(self):
        return self.labels[self.targets]

    @property
    def majority(self):
        """What guessing the commoner class gets right, and that with three standard errors."""
        share = self.labels.mean()
        right = max(self.truth.sum(), TARGETS - self.truth.sum())
        return right, right + 3 * math.sqrt(TARGETS * share * (1 - share))


def attack(folder, seed):
    """Plays the attack against default policies."""
    right, evaluations, aim = recovered(folder, seed)
    majority, most = aim.majority
    now = (
        f"{right} of {TARGETS} in {evaluations} evaluations; majority {majority}, with three standard errors {most:.1f}"
    )
    return Outcome("chosen test labels", "60 of 60 in 9 evaluations", now, bool(right <= most))


def recovered(folder, seed, exact=False):
    """Labels that were guessed right, evaluations that it took, and what was aimed at."""
    with federation(folder, {"exact_metrics": True} if exact else None, seed) as organisations:
        aim = take_aim(organisations, seed)
        craft = binary_logits if exact else random_logits
        logits = craft(np.random.default_rng(seed), aim)
        told = evaluate(organisations, logits)
    logits = logits[: len(told)]
    guess = spelled(told, logits, aim) if exact else most_probable(told, logits, aim, seed)
    return int((guess == aim.truth).sum()), len(told), aim


@contextlib.contextmanager
def federation(folder, policy, seed):
    """Two parties with default policies, but for what is given of the label party's, and a trained run."""
    features = {"alice": FEATURES["alice"], "bob": []}
    frames = make_frames(NAMES, seed=seed, datasets=("train", "test"))
    secret = f"{seed:064x}"  # which the attacker does not use: it makes an attack repeatable
    overrides = {"alice": {"policy": None}, "bob": {"policy": policy, "pinned_secret": secret}}
    with Organisations(folder, names=NAMES, features=features, frames=frames, overrides=overrides) as organisations:
        organisations.start_servers()
        with connect(organisations.write_run()) as parties:
            parties.align()
            parties.fit()
        yield organisations


def take_aim(organisations, seed):
    tables = [organisations.read_table(name, "test").set_index("ID") for name in NAMES]
    common = sorted(set(tables[0].index) & set(tables[1].index))
    labels = (tables[1].loc[common, "rating"].astype(float) > 3).to_numpy().astype(int)
    return Aim(np.random.default_rng(seed).permutation(len(labels))[:TARGETS], labels)


def evaluate(organisations, logits):
    """What is told of evaluations with these logits, as far as the policy lets them be."""
    (path,) = (organisations.state_path("bob") / "runs").glob("*/fuse.keras")
    fuse = keras.models.load_model(path)
    (constant,) = fuse({one.name: np.zeros((1, one.shape[1]), np.float32) for one in fuse.inputs}).values()
    told, sent = [], {}
    with crafted_hiddens(sent), connect(organisations.run_path) as parties, contextlib.suppress(PolicyError):
        for wanted in logits:
            sent["linear"] = wanted - float(constant[0, 0])
            told.append(parties.evaluate())
    return told


@contextlib.contextmanager
def crafted_hiddens(sent):
    """The only base model that there is answers with `sent`, by row, and zeros."""
    honest = BaseModel.infer

    def craft(model, rows):
        matrix = np.zeros_like(honest(model, rows))
        names = np.repeat([spec.name for spec in model.layout.specs], model.layout.units).tolist()
        for name, values in sent.items():
            matrix[:, names.index(name)] = values[rows]
        return matrix

    BaseModel.infer = craft
    try:
        yield
    finally:
        BaseModel.infer = honest


def random_logits(generator, aim):
    """Half of the targets count in the loss and in the order, the others in the order alone; other rows are even."""
    logits = np.zeros((EVALUATIONS, len(aim.labels)))
    size = np.where(generator.random((EVALUATIONS, TARGETS)) < 0.5, LARGE, SMALL)
    logits[:, aim.targets] = generator.choice([-1.0, 1.0], size.shape) * size
    return logits


def binary_logits(_, aim):
    """Some targets at a time, each with twice the logit of the one before."""
    parts = np.arange(TARGETS).reshape(-1, EXACT_LABELS)
    logits = np.zeros((len(parts), len(aim.labels)))
    for row, part in zip(logits, parts, strict=True):
        row[aim.targets[part]] = UNIT_LOGIT * 2.0 ** np.arange(EXACT_LABELS)
    return logits


def spelled(told, logits, aim):
    """Labels from exact losses: a row of logit z and label y loses log(1 + e^z) - y z."""
    sums = np.log1p(np.exp(logits)).sum(axis=1) - [one["loss"] * len(aim.labels) for one in told]
    numbers = np.rint(sums / UNIT_LOGIT).astype(int)
    return (numbers[:, None] >> np.arange(EXACT_LABELS) & 1).ravel()


def most_probable(told, logits, aim, seed):
    """The likelier label of each target by their posterior, given what was told."""
    generator = np.random.default_rng(seed)
    positives, share = aim.labels.sum(), aim.labels.mean()
    prior = math.log(share / (1 - share))
    explain = Explanation(told, logits[:, aim.targets], len(aim.labels), positives)
    guess = (generator.random(TARGETS) < share).astype(int)
    current = explain(guess) + prior * guess.sum()
    counts = np.zeros(TARGETS)
    for sweep in range(SWEEPS):
        temperature = max(1.0, HOTTEST * (1 - sweep / COOL_SWEEPS))
        for place in generator.permutation(TARGETS):
            guess[place] ^= 1
            other = explain(guess) + prior * guess.sum()
            if math.log1p(-generator.random()) < (other - current) / temperature:
                current = other
            else:
                guess[place] ^= 1
        if sweep >= BURN_IN:
            counts += guess
    return (counts > (SWEEPS - BURN_IN) / 2).astype(int)


class Explanation:
    """Log likelihood of what was told, by the labels of the targets; a figure goes up as often as its rest says.

    Args:
        told: metrics of every evaluation.
        logits: of the targets, (evaluations, targets); all other rows have 0.
        rows: of the dataset.
        positives: among them.
    """

    def __init__(self, told, logits, rows, positives):
        self.rows, self.positives = rows, positives
        self.costs = [np.clip(np.logaddexp(0, sign * logits), 0, LEAST_LOSS_LIMIT) for sign in (1, -1)]  # label 0, 1
        self.even = (rows - logits.shape[1]) * math.log(2)
        values = np.unique(logits)
        self.levels = np.stack([logits == value for value in values], axis=1)  # (evaluations, levels, targets)
        self.middle = np.searchsorted(values, 0.0)  # where the other rows stand
        bounds = {"loss": LEAST_LOSS_LIMIT / rows, "auc": area_bound(positives, rows - positives)}
        self.steps = {name: grid_step(bound, rows).size for name, bound in bounds.items()}
        self.told = {name: np.array([one.get(name, np.nan) for one in told]) for name in bounds}

    def __call__(self, labels):
        loss = (np.where(labels, self.costs[1], self.costs[0]).sum(axis=1) + self.even) / self.rows
        return self.likelihood("loss", loss) + self.likelihood("auc", self.areas(labels))

    def likelihood(self, name, values):
        probability = 1 - np.abs(self.told[name] - values) / self.steps[name]
        return np.nansum(np.log(np.maximum(probability, IMPOSSIBLE)))

    def areas(self, labels):
        positive, negative = self.levels @ labels, self.levels @ (1 - labels)
        others = self.positives - labels.sum()
        positive = np.insert(positive, self.middle, others, axis=1)
        negative = np.insert(negative, self.middle, self.rows - self.positives - (len(labels) - labels.sum()), axis=1)
        below = np.cumsum(negative, axis=1) - negative
        pairs = (positive * (below + 0.5 * negative)).sum(axis=1)
        return pairs / (self.positives * (self.rows - self.positives))

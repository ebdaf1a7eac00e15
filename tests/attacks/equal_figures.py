"""A coordinator and a feature party compare rounded figures of passes that differ in one row, or in nothing.

The learning rate is 0, so that only the hiddens of held-out rows change. All rows lie far on the side of label 1, and
one of them far on the other: further and further in five epochs, then the next row. A bounded loss of label 1 is the
same in all five epochs; one of label 0 is not, in its last digits. If equal figures are released as equal numbers, each
change of a number proves a label 0. The mean of the five numbers is a second, weaker source.
"""

import math
from unittest.mock import patch

import numpy as np

from coordinator import connect
from party.models.deepfm import LINEAR
from party.protocol.feature_exchanges import FeatureExchanges
from tests.attacks.outcome import Outcome
from tests.attacks.stopping_bit import DEFAULTS, CraftingBase, not_above_chance, true_labels
from tests.support.organisations import Organisations

EPOCHS_PER_ROW = 5
HELD_OUT_ROWS = 93  # of the 372 rows in common
FAR, ASIDE = 30.0, -10.0
NO_TRAINING = {
    "name": "sgd",
    "learning_rate": {"name": "piecewise_constant_decay", "arguments": {"boundaries": [0], "values": [0.0, 0.0]}},
}


class ProbingFeatureParty:
    """Crafts the hiddens of held-out rows.

    Attributes:
        rows: the held-out rows, in the order in which they are probed.
    """

    def __init__(self):
        self.rows, self._epoch = [], 0

    def infer(self, base, rows):
        self.rows = [int(row) for row in rows]
        place, repetition = divmod(self._epoch, EPOCHS_PER_ROW)
        self._epoch += 1
        logits = np.full(len(rows), FAR)
        logits[place : place + 1] = ASIDE - repetition
        names = np.repeat([spec.name for spec in base.layout.specs], base.layout.units)
        return np.where(names == LINEAR, np.float32(logits)[:, None], np.float32(0)).astype(np.float32)


def probe(folder, seed):
    """Returns the released losses, float (HELD_OUT_ROWS, EPOCHS_PER_ROW), and the true labels of the held-out rows."""
    probing = ProbingFeatureParty()
    made = FeatureExchanges.__init__

    def with_crafting_base(exchanges, *setup, base, **others):
        made(exchanges, *setup, base=CraftingBase(base, probing), **others)

    training = {
        "seed": seed,
        "epochs": EPOCHS_PER_ROW * HELD_OUT_ROWS,
        "batch_size": 512,
        "validation_fraction": 0.25,
        "optimizer": NO_TRAINING,
    }
    with Organisations(folder, training=training, overrides=DEFAULTS) as organisations:
        organisations.start_servers()
        with (
            # After so many epochs over so few rows the loss is withheld. The draws must protect it without that.
            patch("party.metrics.grid.WIDEST_STEP", math.inf),
            connect(organisations.write_run()) as parties,
            patch.object(FeatureExchanges, "__init__", with_crafting_base),
        ):
            parties.align()
            losses = parties.fit().history["val_loss"]
        truth = true_labels(organisations)
    return np.array(losses).reshape(HELD_OUT_ROWS, EPOCHS_PER_ROW), truth[probing.rows]


def guesses(losses, positives):
    """Returns the labels by the two sources: whether the numbers of a row are equal, and where their mean is high."""
    equal = (losses == losses[:, :1]).all(axis=1).astype(int)
    high = np.zeros(len(losses), int)
    high[np.argsort(losses.mean(axis=1))[len(losses) - positives :]] = 1
    return equal, high


def attack(folder, seed):
    """Probes all held-out rows; the attacker knows how many of them have label 1."""
    losses, truth = probe(folder, seed)
    positives = int(truth.sum())
    equal, high = (int((guess == truth).sum()) for guess in guesses(losses, positives))
    chance = max(positives, HELD_OUT_ROWS - positives)
    return Outcome(
        asset="held-out labels, by comparing rounded figures of one run",
        before="89, 91 and 89 of 93",
        now=f"{equal} of {HELD_OUT_ROWS} by equal numbers, {high} by their means; the majority guess gets {chance}",
        held=bool(not_above_chance(max(equal, high), chance, HELD_OUT_ROWS)),
    )

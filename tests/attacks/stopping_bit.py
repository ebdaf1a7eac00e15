"""A feature party alone asks, by its hiddens of held-out rows and through early stopping, for the labels of those rows.

It puts every held-out row far on one side, and from epoch to epoch one of them on the other: the loss of the held-out
rows falls where that is the row's side. Whoever learns whether an epoch was the best so far learns one label per epoch.
"""

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from coordinator import connect
from party.models.deepfm import LINEAR
from party.pb.party_pb2 import MESSAGE_KIND_DECISION
from party.protocol.feature_exchanges import FeatureExchanges
from party.security.sealing import SealingKeys
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations

ATTACKER = "alice"
EPOCHS = 70
LOGIT = 20.0  # far above what training moves from one epoch to the next
STANDARD_ERRORS = 3
TRAINING = {
    "epochs": EPOCHS,
    "batch_size": 128,
    "validation_fraction": 0.1,
    "early_stopping": {"metric": "val_loss", "patience": 20},
}
DEFAULTS = {name: {"policy": {}, "pinned_secret": None} for name in ("alice", "bob")}


class AskingFeatureParty:
    """Crafts the hiddens of held-out rows and reads the decisions that it gets.

    Attributes:
        rows: the held-out rows, in the order in which they are asked about.
        labels: by row, what was learned; 1 where the row belongs on the side of the labels above.
    """

    def __init__(self):
        self.rows, self.labels = [], {}
        self.decisions = 0

    def infer(self, base, rows):
        """Hiddens that put every row where its label is thought to be, and the row in question on the other side."""
        self.rows += [int(row) for row in rows if int(row) not in self.rows]
        sides = [-LOGIT if self.labels.get(int(row)) == 0 or int(row) == self.in_question else LOGIT for row in rows]
        names = np.repeat([spec.name for spec in base.layout.specs], base.layout.units)
        return np.where(names == LINEAR, np.float32(sides)[:, None], np.float32(0)).astype(np.float32)

    @property
    def in_question(self):
        """The row that this epoch asks about; the first epoch is what others are compared with."""
        return self.rows[self.decisions - 1] if 0 < self.decisions <= len(self.rows) else None

    def read(self, message):
        """Notes what a decision says: which epoch improved, at the end only."""
        if message[0] == 1:
            best = int.from_bytes(message[1:], "big")
            self.labels.update({row: 0 for row in self.rows[best - 1 : best] if best})
        self.decisions += 1

    @contextmanager
    def at_work(self):
        made, opened = FeatureExchanges.__init__, SealingKeys.open

        def with_crafting_base(exchanges, *setup, base, **others):
            made(exchanges, *setup, base=CraftingBase(base, self), **others)

        def open_and_read(keys, slot, envelope):
            message = opened(keys, slot, envelope)
            if slot.kind == MESSAGE_KIND_DECISION and slot.receiver == ATTACKER:
                self.read(message)
            return message

        with (
            patch.object(FeatureExchanges, "__init__", with_crafting_base),
            patch.object(SealingKeys, "open", open_and_read),
        ):
            yield


class CraftingBase:
    """A base model whose hiddens of held-out rows an attacker chooses, in `infer(base, rows)`."""

    def __init__(self, base, asking):
        self._base, self._asking = base, asking

    def __getattr__(self, name):
        return getattr(self._base, name)

    def infer(self, rows):
        return self._asking.infer(self._base, rows)


def true_labels(organisations):
    """Labels in the common order, which is that of the ids."""
    tables = [organisations.read_table(name, "train").set_index("ID") for name in organisations.names]
    common = sorted(set(tables[0].index) & set(tables[1].index))
    return (tables[1].loc[common, "rating"].astype(float) > 3).astype(int).to_numpy()


def ask(folder, seed, epochs=EPOCHS):
    """Held-out labels that the feature party gets right, what the majority guess gets right, and how many there are.

    Where it learned nothing of a row it guesses the more frequent label of the training rows, which it knows.
    """
    asking = AskingFeatureParty()
    with Organisations(folder, training={**TRAINING, "seed": seed, "epochs": epochs}, overrides=DEFAULTS) as made:
        made.start_servers()
        with connect(made.write_run()) as parties, asking.at_work():
            parties.align()
            parties.fit()
        truth = true_labels(made)
    held_out = np.array(sorted(asking.rows))
    majority = int(np.delete(truth, held_out).mean() > 0.5)
    found = np.array([asking.labels.get(row, majority) for row in held_out])
    return int((found == truth[held_out]).sum()), int((majority == truth[held_out]).sum()), len(held_out)


def not_above_chance(right, chance, rows):
    """Whether no more labels were found than the majority guess gives, up to three standard errors."""
    share = chance / rows
    return right <= chance + STANDARD_ERRORS * np.sqrt(rows * share * (1.0 - share))


def attack(folder, seed):
    right, chance, rows = ask(folder, seed)
    return Outcome(
        asset="held-out labels, by a feature party alone through early stopping",
        before=f"37 of 37 over {EPOCHS} epochs",
        now=f"{right} of {rows}; the majority guess gets {chance}",
        held=bool(not_above_chance(right, chance, rows)),
    )

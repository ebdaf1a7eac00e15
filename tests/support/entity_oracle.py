"""Training over natural tables as one model in one process, on one tape, over the joined table."""

import numpy as np
import pandas as pd
import tensorflow as tf

from tests.support.entity_tables import KEYS, inputs_of
from tests.support.keras_models import SPECS
from tests.support.numpy_models import LABEL_PARTY


class EntityOracle:
    """The joined model; feature parties use their weights of `depth - 1` updates before.

    With `distinct`, an entity is computed once for a batch and its rows take it from there, so that the tape sums its
    gradients before an optimizer sees them; otherwise every row of the joined table is computed for itself.

    Args:
        tables: the tables.
        models: base models by party, and "fuse".
        optimizers: one for each model, not built.
        distinct: as above.
        absent_parties: parties with a learned vector for each hidden.
        dropped: returns the dropped rows of a party and step, bool (batch,), or None.
        depth: of the schedule.
    """

    def __init__(self, tables, models, optimizers, *, distinct, absent_parties=(), dropped=None, depth=1):
        self.tables, self.models, self.distinct, self.depth = tables, models, distinct, depth
        self.dropped = dropped or (lambda party, step, rows: None)
        self.joined = {party: tables.joined(party) for party in KEYS}
        self.absent = {
            party: {spec.name: tf.Variable(tf.zeros((spec.units,))) for spec in SPECS} for party in absent_parties
        }
        self.optimizers = optimizers
        self.weights = {name: [one.value for one in model.trainable_variables] for name, model in models.items()}
        self.weights["fuse"] += [vector for vectors in self.absent.values() for vector in vectors.values()]
        for name, optimizer in optimizers.items():
            optimizer.build(self.weights[name])
        self.history = {party: [] for party in KEYS}

    def _batch(self, party, rows, step):
        """Returns the inputs of a party's entities, the place of each row's entity, and where rows are present.

        One entity more, which no row refers to, stands for those of a batch without any.
        """
        if party == LABEL_PARTY:
            return inputs_of(self.tables.ratings.iloc[rows]), np.arange(len(rows)), np.ones(len(rows), bool), True
        frame = self.joined[party].iloc[rows].reset_index(drop=True)
        known = frame["x"].notna().to_numpy()
        partners, places = frame[known], np.full(len(rows), known.sum())
        if self.distinct:
            places[known], _ = pd.factorize(partners[KEYS[party]], sort=True)
            partners = partners.drop_duplicates(KEYS[party]).sort_values(KEYS[party])
        else:
            places[known] = np.arange(len(partners))
        padded = pd.concat([partners, self.joined[party].iloc[:1].fillna(0)])
        dropped = self.dropped(party, step, len(rows))
        return inputs_of(padded), places, known if dropped is None else known & ~dropped, bool(len(partners))

    def _loss(self, labels, batches):
        hiddens = {}
        for party, (inputs, places, present) in batches.items():
            computed = self.models[party](inputs, training=True)
            vectors = self.absent.get(party, dict.fromkeys(computed, tf.zeros(())))
            hiddens[party] = {
                name: tf.where(present[:, None], tf.gather(one, places), vectors[name])
                for name, one in computed.items()
            }
        deep = tf.concat([one["deep"] for one in hiddens.values()], axis=1)
        total = tf.add_n([one["total"] for one in hiddens.values()])
        logits = self.models["fuse"]({"deep": deep, "total": total}, training=True)["liked"][:, 0]
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))

    @tf.function(reduce_retracing=True)
    def _differentiate(self, labels, batches):
        with tf.GradientTape() as tape:
            loss = self._loss(labels, batches)
        return loss, tape.gradient(loss, self.weights)

    def step(self, rows, step, *, first):
        """Makes a training step; returns its loss. `first`: whether it is the first of its epoch."""
        now = {party: [one.numpy().copy() for one in self.weights[party]] for party in KEYS}
        for party in KEYS:
            self.history[party] = [now[party]] if first else [*self.history[party], now[party]]
            self._assign(party, self.history[party][max(0, len(self.history[party]) - self.depth)])
        batches = {party: self._batch(party, rows, step) for party in sorted([*KEYS, LABEL_PARTY])}
        tensors = {party: tf.nest.map_structure(tf.constant, batch[:3]) for party, batch in batches.items()}
        loss, gradients = self._differentiate(tf.constant(self.tables.labels[rows]), tensors)
        computed = ["fuse", *(party for party, batch in batches.items() if batch[3])]
        for party in KEYS:
            self._assign(party, now[party])
        for name in computed:
            self.optimizers[name].apply(gradients[name], self.weights[name])
        return float(loss)

    def _assign(self, party, values):
        for variable, value in zip(self.weights[party], values, strict=True):
            variable.assign(value)

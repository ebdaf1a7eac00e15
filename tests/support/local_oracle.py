"""Local updates of the joined model in one process, the reference for parties that reuse cached batches.

Written from the rules alone (Fu et al., "Towards Communication-efficient
Vertical Federated Learning Training via Cache-enabled Local Updates", PVLDB
15(10), 2022), with a clock and a seed instead of the timing of a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.oracle import JoinedOracle, philox_permutation


def planned_draws(row_key: bytes, training_steps: int, steps: int, window: int, uses: int) -> list[list[int]]:
    """Returns, for each training step of a run, the steps whose batches are reused after it, in order.

    It has no cache: the candidates are derived from everything that happened so far.

    Args:
        row_key: of the run's order of rows.
        training_steps: of the run.
        steps: local steps after a training step, at most.
        window: how many batches are used again.
        uses: how often a batch is used again, at most.
    """
    happened: list[tuple[str, int]] = []  # the clock is its length
    plan = []
    for step in range(training_steps):
        happened.append(("exchange", step))
        plan.append([drawn for place in range(steps) for drawn in _draw(happened, row_key, place, step, window, uses)])
    return plan


def _draw(happened: list[tuple[str, int]], row_key: bytes, place: int, step: int, window: int, uses: int) -> list[int]:
    """Returns a list with the drawn step, and records the draw; an empty list if there is no candidate."""
    draws = [drawn for what, drawn in happened if what == "local"]
    recent = draws[max(0, len(draws) - (window - 1)) :]

    def may_be_drawn(one: int) -> bool:
        later = len(happened) - 1 - happened.index(("exchange", one))
        return draws.count(one) < uses and later < window * uses and one not in recent

    candidates = [one for one in range(max(0, step - window + 1), step + 1) if may_be_drawn(one)]
    if not candidates:
        return []
    drawn = candidates[philox_permutation(row_key, f"local {place}", step, len(candidates))[0]]
    happened.append(("local", drawn))
    return [drawn]


@dataclass(frozen=True)
class Exchanged:
    """What all parties cache of one batch: matrices of (rows, columns) by feature party.

    Attributes:
        rows: of the batch.
        sent: hiddens as the feature party computed them.
        received: hiddens as the label party received them.
        derivatives: of the loss by the received hiddens, as the label party computed them.
        gradients: the same as the feature party received them.
    """

    rows: np.ndarray
    sent: Mapping[str, np.ndarray]
    received: Mapping[str, np.ndarray]
    derivatives: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Followed:
    """What a party computed on its current weights.

    Attributes:
        tape: gradient tape of the computation.
        target: hiddens (rows, columns), or the loss of each row (rows,).
        penalties: regularisation losses, which depend on the weights alone.
        variables: the weights by key.
    """

    tape: tf.GradientTape
    target: tf.Tensor
    penalties: Sequence[tf.Tensor]
    variables: Mapping[str, Sequence[Any]]

    def weight_gradients(self, coefficients: np.ndarray) -> dict[str, list[Any]]:
        """Returns weight gradients of Σ coefficients times target, plus penalties; tf.IndexedSlices for tables."""
        ones = [tf.ones_like(one) for one in self.penalties]
        targets, upstream = [self.target, *self.penalties], [tf.constant(coefficients), *ones]
        return self.tape.gradient(targets, dict(self.variables), output_gradients=upstream)


class LocalUpdatesOracle:
    """The joined DeepFM, cut between the parties, with local updates and batches under way.

    Args:
        oracle: the joined model, its weights and its optimizers.
        depth: batches under way.
        steps: local steps after a training step, at most.
        window: how many batches are used again.
        uses: how often a batch is used again, at most.
        minimum_cosine: threshold below which a row has weight 0; None gives every row weight 1.
        codec: function from a message (rows, columns) to its decoded value; None for lossless messages.
        embedding_l2: factor of the squares of every party's factors in its loss.
        positive_weight: weight of a row of the positive class in training.
    """

    def __init__(
        self,
        oracle: JoinedOracle,
        depth: int,
        steps: int,
        window: int,
        uses: int,
        minimum_cosine: float | None,
        codec: Callable[[np.ndarray], np.ndarray] | None = None,
        embedding_l2: float = 0.0,
        positive_weight: float = 1.0,
    ) -> None:
        self.oracle, self.depth = oracle, depth
        self.steps, self.window, self.uses, self.minimum_cosine = steps, window, uses, minimum_cosine
        self.codec = codec or (lambda matrix: matrix)
        self.embedding_l2 = embedding_l2
        self.row_weights = np.where(oracle.labels == 1, positive_weight, 1.0).astype(np.float32)
        self.feature_parties = [name for name in sorted(oracle._variables) if name != oracle.label_party]
        self.batches_per_epoch = math.ceil(oracle.training_row_count / oracle.batch_size)
        self.cosines: dict[str, list[np.ndarray]] = {name: [] for name in oracle._variables}
        self.validation_losses: list[float] = []

    def train(self, training_steps: int) -> list[float]:
        """Trains from the start of a run and returns the loss of each training step, before its update."""
        plan = planned_draws(self.oracle.row_key, training_steps, self.steps, self.window, self.uses)
        exchanged: list[Exchanged] = []
        losses = []
        for step in range(training_steps):
            if step % self.batches_per_epoch == 0:
                since_drain = []
            since_drain.append({name: self._copy(name) for name in self.feature_parties})
            sent_on = since_drain[max(0, len(since_drain) - self.depth)]
            loss, batch = self._exchange(self.oracle.batch_rows(step), sent_on)
            losses.append(loss)
            exchanged.append(batch)
            for drawn in plan[step]:
                self._local_step(exchanged[drawn])
            if (step + 1) % self.batches_per_epoch == 0:
                self.validation_losses.append(self._validate())
        return losses

    def dropped_share(self, party: str) -> float:
        """Returns the share of the rows of a party's local steps that had weight 0."""
        return float(np.mean(np.concatenate(self.cosines[party]) < self.minimum_cosine))

    def closest_to_threshold(self) -> float:
        """Returns the least distance of a cosine to the threshold; if rounding is larger, two machines may disagree."""
        cosines = np.concatenate([one for by_step in self.cosines.values() for one in by_step])
        return float(np.abs(cosines - self.minimum_cosine).min())

    def _exchange(
        self, rows: np.ndarray, sent_on: Mapping[str, Mapping[str, Sequence[np.ndarray]]]
    ) -> tuple[float, Exchanged]:
        """Makes one training step of all parties; feature parties computed their hiddens on the weights `sent_on`."""
        present = {name: self._copy(name) for name in self.feature_parties}
        for name in self.feature_parties:
            self._assign(name, sent_on[name])
        followed = {name: self._follow_feature_party(name, rows) for name in self.feature_parties}
        sent = {name: one.target.numpy() for name, one in followed.items()}
        received = {name: self.codec(matrix) for name, matrix in sent.items()}
        label_party, derivatives = self._follow_label_party(rows, received)
        gradients = {name: self.codec(matrix) for name, matrix in derivatives.items()}
        updates = {name: one.weight_gradients(gradients[name]) for name, one in followed.items()}
        updates[self.oracle.label_party] = label_party.weight_gradients(np.full(len(rows), 1 / len(rows), np.float32))
        for name in self.feature_parties:
            self._assign(name, present[name])
        for name, weight_gradients in updates.items():
            self._apply(name, weight_gradients)
        return float(tf.reduce_mean(label_party.target)), Exchanged(rows, sent, received, derivatives, gradients)

    def _local_step(self, batch: Exchanged) -> None:
        """Makes one local step of all parties, which are independent, so their order does not matter."""
        for name in self.feature_parties:
            followed = self._follow_feature_party(name, batch.rows)
            trusted = self._trust(name, followed.target.numpy(), batch.sent[name])
            self._apply(name, followed.weight_gradients(batch.gradients[name] * trusted[:, None]))
        followed, derivatives = self._follow_label_party(batch.rows, batch.received)
        now, then = (
            np.concatenate([one[name] for name in self.feature_parties], axis=1)
            for one in (derivatives, batch.derivatives)
        )
        trusted = self._trust(self.oracle.label_party, now, then)
        self._apply(self.oracle.label_party, followed.weight_gradients(trusted / np.float32(len(batch.rows))))

    def _follow_feature_party(self, party: str, rows: np.ndarray) -> Followed:
        """Computes the hiddens of a feature party on its current weights."""
        with tf.GradientTape(persistent=True) as tape:
            hidden, penalties = self._hidden(party, rows), self._penalties(party)
        return Followed(tape, hidden, penalties, self._values(party))

    def _follow_label_party(
        self, rows: np.ndarray, received: Mapping[str, np.ndarray]
    ) -> tuple[Followed, dict[str, np.ndarray]]:
        """Computes row losses on current weights, and the derivatives of their mean by the received hiddens."""
        hiddens = {name: tf.constant(matrix) for name, matrix in received.items()}
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(hiddens)
            losses, penalties = self._row_losses(rows, hiddens), self._penalties(self.oracle.label_party)
            mean = tf.reduce_mean(losses)
        derivatives = {name: one.numpy() for name, one in tape.gradient(mean, hiddens).items()}
        return Followed(tape, losses, penalties, self._values(self.oracle.label_party)), derivatives

    def _trust(self, party: str, now: np.ndarray, then: np.ndarray) -> np.ndarray:
        """Returns the weight of each row, float32 (rows,): the cosine of its current and its cached value."""
        if self.minimum_cosine is None:
            return np.ones(len(now), np.float32)
        now, then = now.astype(np.float64), then.astype(np.float64)
        lengths = np.linalg.norm(now, axis=1) * np.linalg.norm(then, axis=1)
        cosines = np.einsum("rc,rc->r", now, then) / np.where(lengths > 0, lengths, np.inf)
        self.cosines[party].append(cosines)
        return np.where(cosines < self.minimum_cosine, 0.0, cosines).astype(np.float32)

    def _hidden(self, party: str, rows: np.ndarray) -> tf.Tensor:
        """Returns the hiddens of a party side by side: deep, factor_sum, factor_square, linear."""
        deep, factor_sum, factor_square, linear = self.oracle._base(party, rows)
        return tf.concat([deep, factor_sum, factor_square[:, None], linear[:, None]], axis=1)

    def _row_losses(self, rows: np.ndarray, received: Mapping[str, Any]) -> tf.Tensor:
        """Returns the loss of each row from the hiddens of feature parties and the label party's current weights."""
        oracle, hiddens = self.oracle, dict(received)
        if oracle.encoded[oracle.label_party]:
            hiddens[oracle.label_party] = self._hidden(oracle.label_party, rows)
        matrices = [hiddens[name] for name in sorted(hiddens)]
        deeps = [one[:, : -oracle.dimension - 2] for one in matrices]
        total = tf.add_n([one[:, -oracle.dimension - 2 :] for one in matrices])
        interactions = 0.5 * (tf.reduce_sum(total[:, :-2] ** 2, axis=1) - total[:, -2])
        deep = oracle._dense(oracle.label_party, "fuse", oracle.fuse_units, tf.concat(deeps, axis=1))
        fuse = oracle._variables[oracle.label_party]
        deep = deep @ fuse["fuse/logit/kernel"][0].value + fuse["fuse/logit/bias"][0].value
        logits = total[:, -1] + interactions + deep[:, 0]
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=oracle.labels[rows], logits=logits)
        return losses * self.row_weights[rows]

    def _penalties(self, party: str) -> list[tf.Tensor]:
        if not self.embedding_l2 or not self.oracle.encoded[party]:
            return []
        return [
            self.embedding_l2 * tf.reduce_sum(one.value**2) for one in self.oracle._variables[party]["base/factors"]
        ]

    def _apply(self, party: str, weight_gradients: Mapping[str, Sequence[Any]]) -> None:
        variables = self.oracle._variables[party]
        pairs = [pair for key in variables for pair in zip(weight_gradients[key], variables[key], strict=True)]
        self.oracle._optimizers[party].apply_gradients(pairs)

    def _validate(self) -> float:
        rows = np.sort(self.oracle.held_out_rows)
        logits, labels = self.oracle.logits(rows).astype(np.float64), self.oracle.labels[rows]
        return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))

    def _values(self, party: str) -> dict[str, list[Any]]:
        return {key: [one.value for one in pieces] for key, pieces in self.oracle._variables[party].items()}

    def _copy(self, party: str) -> dict[str, list[np.ndarray]]:
        return {key: [one.numpy().copy() for one in pieces] for key, pieces in self._values(party).items()}

    def _assign(self, party: str, values: Mapping[str, Sequence[np.ndarray]]) -> None:
        for key, pieces in self.oracle._variables[party].items():
            for variable, value in zip(pieces, values[key], strict=True):
                variable.assign(value)

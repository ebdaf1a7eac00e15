"""The backward pass of a base model where several batches are under way: the forward pass again, from a stash."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from party.models.forward_pass import ForwardPass
from party.models.remainder import Result
from party.models.stashed_weights import StashedWeights


class RecomputedPass:
    """Stashes what a forward pass started from: rows, non-trainable variables, and the weights that it used.

    What the pass computes on its way is several times as much, and would be there once for every batch under way. To
    compute it again gives the same bits, dropout and batch statistics included.

    Args:
        forward: the pass.
    """

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        self._stashed_weights = StashedWeights(forward.model)

    def forward(self, rows: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Hiddens of the next batch, and its stash; for use inside a compiled call, as the next method."""
        states, weights = self._forward.present_states(), self._forward.present_weights()
        passed = self._forward(weights, states, rows)
        stashed = self._stashed_weights.take(weights, self._forward.gather(rows))
        self._forward.advance(passed.states)
        return passed.hiddens, [rows, *states, *stashed]

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Result]:
        """Gradients by the weights that a batch was sent with.

        Args:
            gradients: of the loss by the hiddens, side by side, float32 (batch, sum of units).
            stash: of the batch.
        """
        count = 1 + len(self._forward.states)
        (rows, *states), stashed = stash[:count], stash[count:]
        present = self._forward.present_weights()
        weights = self._stashed_weights.put_back(present, self._forward.gather(rows), stashed)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            passed = self._forward(weights, states, rows)
        upstream = [gradients, *map(tf.ones_like, passed.losses)]
        return list(tape.gradient([passed.hiddens, *passed.losses], weights, output_gradients=upstream))

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """The part of a stash that a checkpoint holds."""
        return stash

    def completed(self, saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """The stash that a checkpoint held a part of."""
        return saved

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
        """See `BackwardPass`."""
        states, weights = self._forward.present_states(), self._forward.present_weights()
        passed = self._forward(weights, states, rows)
        stashed = self._stashed_weights.take(weights, self._forward.gather(rows))
        self._forward.advance(passed.states)
        return passed.hiddens, [rows, *states, *stashed]

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Result]:
        """See `BackwardPass`."""
        count = 1 + len(self._forward.states)
        (rows, *states), stashed = stash[:count], stash[count:]
        present = self._forward.present_weights()
        weights = self._stashed_weights.put_back(present, self._forward.gather(rows), stashed)
        return self._forward.with_gradients(weights, states, rows, lambda hiddens: gradients)[1]

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`."""
        return stash

    def completed(self, saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`."""
        return saved

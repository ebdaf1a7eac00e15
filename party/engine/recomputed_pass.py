"""The backward pass of a base model with several batches under way: it recomputes the forward pass from a stash."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from party.engine.forward_pass import ForwardPass
from party.engine.remainder import Gradient


class RecomputedPass:
    """Stashes what a forward pass started from: inputs, non-trainable variables and the weights that it used.

    Of a table that the batch looks rows up in, these rows are stashed; updates that follow do not change them.

    The intermediate results of the pass take several times as much memory, for every batch under way. Recomputing them
    gives the same bits, dropout and batch statistics included.

    Args:
        forward: the forward pass.
    """

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        self._inputs = forward.inputs

    def forward(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """See `BackwardPass`."""
        states, weights = self._forward.present_states(), self._forward.present_weights(inputs)
        result = self._forward(weights, states, inputs)
        stashed = [tf.identity(weight) for weight in weights]
        self._forward.advance(result.states)
        return result.hiddens, [*inputs, *states, *stashed]

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Gradient]:
        """See `BackwardPass`."""
        inputs, rest = stash[: self._inputs], stash[self._inputs :]
        states, weights = rest[: len(self._forward.states)], rest[len(self._forward.states) :]
        return self._forward.with_gradients(weights, states, inputs, gradients=lambda hiddens: gradients)[1]

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`."""
        return stash[self._inputs :]

    def completed(self, inputs: Sequence[tf.Tensor], saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`."""
        return [*inputs, *saved]

"""The backward pass of a base model where one batch is under way: from what its forward pass left behind."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from party.models.compiled_call import CompiledCall
from party.models.forward_pass import ForwardPass
from party.models.remainder import Remainder, Result


class KeptPass:
    """Keeps what a forward pass computed on its way; nothing is computed again while others wait for the update.

    The weights are not kept: with one batch under way, nothing updates them between its passes.

    Args:
        forward: the pass.
    """

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        # One trace for whoever calls it, so that what was left behind fits the one remainder of its size.
        self._function = tf.function(self._trace, autograph=False)
        self._left_behind_call = CompiledCall(self._leave_behind)
        self._remainders: dict[int, Remainder] = {}

    def forward(self, rows: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Hiddens of the next batch, and its stash; for use inside a compiled call, as the next method."""
        states = self._forward.present_states()
        hiddens, after, left_behind = self._function(rows, states)
        self._forward.advance(after)
        return hiddens, [rows, *states, *left_behind]

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Result]:
        """Gradients by the weights.

        Args:
            gradients: of the loss by the hiddens, side by side, float32 (batch, sum of units).
            stash: of the batch.
        """
        remainder = self._remainders[gradients.shape[0]]
        left_behind = stash[1 + len(self._forward.states) :]
        return remainder(left_behind, later=[gradients], again=self._forward.present_weights())

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """The part of a stash that a checkpoint holds: what its forward pass started from."""
        return stash[: 1 + len(self._forward.states)]

    def completed(self, saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """The stash that a checkpoint held a part of; the weights must be as they were."""
        rows, *states = saved
        return [*saved, *self._left_behind_call((len(rows),), rows, *states)]

    def _leave_behind(self, rows: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        return list(self._function(rows, list(states))[2])

    def _trace(self, rows: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        weights = self._forward.present_weights()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            passed = self._forward(weights, states, rows)
        gradients = tf.compat.v1.placeholder(tf.float32, passed.hiddens.shape)
        upstream = [gradients, *map(tf.ones_like, passed.losses)]
        by_weights = tape.gradient([passed.hiddens, *passed.losses], weights, output_gradients=upstream)
        remainder = Remainder([passed.hiddens, *passed.states], by_weights, later=[gradients], again=weights)
        self._remainders[rows.shape[0]] = remainder
        return passed.hiddens, passed.states, remainder.left_behind

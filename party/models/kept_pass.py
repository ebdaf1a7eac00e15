"""The backward pass of a base model where one batch is under way: from what its forward pass left behind."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from party.models.compiled_call import CompiledCall
from party.models.forward_pass import ForwardPass, Passed
from party.models.remainder import InseparableError, Remainder, Result


class KeptPass:
    """Keeps what a forward pass computed on its way; nothing is computed again while others wait for the update.

    Where a model's gradients have a state of their own, as a Python function has, the pass is computed again after
    all: with one batch under way, nothing updates the weights in between.

    Args:
        forward: the pass.
    """

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        # One trace of each size for whoever calls it, so that what was left behind fits its one remainder.
        self._function = tf.function(self._trace, autograph=False)
        self._function_to_repeat = tf.function(self._trace_to_repeat, autograph=False)
        self._again_call = CompiledCall(self._run_again)
        self._remainders: dict[int, Remainder | None] = {}

    def forward(self, rows: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """See `BackwardPass`."""
        states = self._forward.present_states()
        hiddens, after, left_behind = self._run(rows, states)
        self._forward.advance(after)
        return hiddens, [rows, *states, *left_behind]

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Result]:
        """See `BackwardPass`."""
        count = 1 + len(self._forward.states)
        (rows, *states), left_behind = stash[:count], stash[count:]
        remainder = self._remainders[gradients.shape[0]]
        if remainder is None:
            weights = self._forward.present_weights()
            return self._forward.with_gradients(weights, states, rows, lambda hiddens: gradients)[1]
        return remainder(left_behind, later=[gradients])

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`: what the forward pass started from, which is far less than what it left behind."""
        return stash[: 1 + len(self._forward.states)]

    def completed(self, saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`."""
        rows, *states = saved
        results = self._again_call((len(rows),), rows, *states)
        return [*saved, *results[1 + len(states) :]]

    def _run_again(self, rows: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        """Returns all that a pass returns: TensorFlow would compute less by other operations, with other last bits."""
        hiddens, after, left_behind = self._run(rows, list(states))
        return [hiddens, *after, *left_behind]

    def _run(self, rows: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        try:
            hiddens, after, left_behind = self._function(rows, states)
        except InseparableError:
            self._remainders[rows.shape[0]] = None
            hiddens, after, left_behind = self._function_to_repeat(rows, states)
        return hiddens, after, left_behind

    def _trace(self, rows: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        gradients: list[tf.Tensor] = []

        def those_of(hiddens: tf.Tensor) -> tf.Tensor:
            gradients.append(tf.compat.v1.placeholder(hiddens.dtype, hiddens.shape))
            return gradients[0]

        passed, by_weights = self._forward.with_gradients(self._forward.present_weights(), states, rows, those_of)
        remainder = Remainder([passed.hiddens, *passed.states], by_weights, later=gradients)
        self._remainders[rows.shape[0]] = remainder
        return passed.hiddens, passed.states, remainder.left_behind

    def _trace_to_repeat(
        self, rows: tf.Tensor, states: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        passed: Passed = self._forward(self._forward.present_weights(), states, rows)
        return passed.hiddens, passed.states, []

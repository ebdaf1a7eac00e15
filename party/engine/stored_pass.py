"""The backward pass of a base model with one batch under way: it uses what the forward pass computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from party.engine.compiled_call import Argument, CompiledCall, any_rows, exact
from party.engine.forward_pass import ForwardPass
from party.engine.remainder import Gradient, InseparableError, Remainder

_Traced = tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]


@dataclass(frozen=True)
class _Run:
    """The results of a forward pass: hiddens, new values of the non-trainable variables, and intermediates."""

    hiddens: tf.Tensor
    after: list[tf.Tensor]
    intermediates: list[tf.Tensor]


class StoredPass:
    """Stashes the intermediate results of a forward pass, so that the update need not recompute them.

    If the gradients of a model contain stateful operations, such as a Python function, the pass is recomputed from its
    inputs after all: with one batch under way, no update changes the weights in between.

    Args:
        forward: the forward pass.
        varying: whether one compilation serves any number of rows; otherwise there is one for each batch size.
    """

    def __init__(self, forward: ForwardPass, *, varying: bool = False) -> None:
        self._forward = forward
        # One trace of each size, or for all sizes, for all callers, so that the intermediates fit its only remainder.
        self._function = tf.function(self._trace, autograph=False)
        self._function_to_repeat = tf.function(self._trace_to_repeat, autograph=False)
        self._again_call = CompiledCall(self._run, _repeated_specs if varying else None)
        self._remainders: dict[int | None, Remainder | None] = {}

    def forward(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """See `BackwardPass`."""
        states = self._forward.present_states()
        run = self._run(inputs, states)
        self._forward.advance(run.after)
        return run.hiddens, [*states, *run.intermediates]

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Gradient]:
        """See `BackwardPass`."""
        count = len(self._forward.states)
        states, intermediates = stash[:count], stash[count:]
        remainder = self._remainders[gradients.shape[0]]
        if remainder is not None:
            return remainder(intermediates, later=[gradients])
        weights = self._forward.present_weights(intermediates)
        return self._forward.with_gradients(weights, states, intermediates, gradients=lambda hiddens: gradients)[1]

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`: the non-trainable variables, which are far smaller than the intermediate results."""
        return stash[: len(self._forward.states)]

    def completed(self, inputs: Sequence[tf.Tensor], saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """See `BackwardPass`."""
        # The call returns all results of a run: for fewer, TensorFlow would use other operations, with other last bits.
        run = self._again_call((len(inputs[0]),), list(inputs), list(saved))
        return [*saved, *run.intermediates]

    def _run(self, inputs: Sequence[tf.Tensor], states: Sequence[tf.Tensor]) -> _Run:
        size = inputs[0].shape[0]
        try:
            return _Run(*self._function(list(inputs), list(states)))
        except InseparableError:
            self._remainders[size] = None
            return _Run(*self._function_to_repeat(list(inputs), list(states)))

    def _trace(self, inputs: list[tf.Tensor], states: list[tf.Tensor]) -> _Traced:
        gradients: list[tf.Tensor] = []

        def placeholder(hiddens: tf.Tensor) -> tf.Tensor:
            gradients.append(tf.compat.v1.placeholder(hiddens.dtype, hiddens.shape))
            return gradients[0]

        weights = self._forward.present_weights(inputs)
        result, by_weights = self._forward.with_gradients(weights, states, inputs, gradients=placeholder)
        remainder = Remainder([result.hiddens, *result.states], by_weights, later=gradients)
        self._remainders[inputs[0].shape[0]] = remainder
        return result.hiddens, result.states, remainder.intermediates

    def _trace_to_repeat(self, inputs: list[tf.Tensor], states: list[tf.Tensor]) -> _Traced:
        result = self._forward(self._forward.present_weights(inputs), states, inputs)
        return result.hiddens, result.states, inputs


def _repeated_specs(arguments: Sequence[Argument]) -> list[tf.TensorSpec]:
    """Specs of the inputs of a batch, of any number of rows, and of values of the non-trainable variables."""
    inputs, states = arguments
    return [*any_rows([inputs]), *exact([states])]

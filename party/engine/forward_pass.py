"""The forward pass of a base model in training, for use inside a compiled call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from party.cut.layout import CutLayout
from party.engine.cut_tensors import join
from party.engine.decorrelation import Decorrelation
from party.engine.remainder import Gradient
from party.engine.table_lookups import TableLookups


def input_names(model: keras.Model) -> tuple[str, ...]:
    """The names of a functional model's inputs, in the order in which compiled calls take them."""
    return tuple(tensor.name for tensor in model.inputs)


@dataclass(frozen=True)
class ForwardResult:
    """The tensors of a forward pass.

    Attributes:
        hiddens: hiddens of the batch, float32 (batch, columns).
        states: values of the non-trainable variables after it.
        losses: regularisation losses and, if there is one, the penalty.
    """

    hiddens: tf.Tensor
    states: list[tf.Tensor]
    losses: list[tf.Tensor]


class ForwardPass:
    """Runs a model on gathered rows; variables are passed and returned as tensors, so that any values can be used.

    The values of its weights are those of `TableLookups`: of a table, the rows that a batch looks up.

    Args:
        lookups: functional model from named arrays to the named hiddens.
        layout: column layout of the hiddens.
        decorrelation: the penalty on hiddens that go with certain columns; its groups follow the model's inputs.
    """

    def __init__(self, lookups: TableLookups, layout: CutLayout, decorrelation: Decorrelation | None = None) -> None:
        self.layout = layout
        self.inputs = len(lookups.model.inputs) + (decorrelation is not None)
        self.trainable = lookups.trainable
        self.states = lookups.states
        self._lookups = lookups
        self._decorrelation = decorrelation

    def __call__(
        self, weights: Sequence[tf.Tensor], states: Sequence[tf.Tensor], inputs: Sequence[tf.Tensor]
    ) -> ForwardResult:
        """Runs the model.

        Args:
            weights: values of the trainable variables.
            states: values of the non-trainable variables.
            inputs: inputs of a batch, in the order of `input_names`; with a penalty, its groups at the end.

        Returns:
            The tensors of the pass; the variables do not change.
        """
        outputs, after, losses = self._lookups(weights, states, self._of_model(inputs))
        hiddens = join(self.layout, outputs)
        penalties = [] if self._decorrelation is None else [self._decorrelation.penalty(hiddens, inputs[-1])]
        return ForwardResult(hiddens, after, [*losses, *penalties])

    def with_gradients(
        self,
        weights: Sequence[tf.Tensor],
        states: Sequence[tf.Tensor],
        inputs: Sequence[tf.Tensor],
        *,
        gradients: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[ForwardResult, list[Gradient]]:
        """Runs the model, and computes the gradients of the loss with respect to the weights.

        Args:
            weights: values of the trainable variables.
            states: values of the non-trainable variables.
            inputs: inputs of a batch, in the order of `input_names`.
            gradients: computes the gradients of the loss with respect to the hiddens, given the hiddens, float32
                (batch, columns).

        Returns:
            The tensors of the pass, and one gradient per weight, in the order of the weights.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            result = self(weights, states, inputs)
        upstream = [gradients(result.hiddens), *map(tf.ones_like, result.losses)]
        targets = [result.hiddens, *result.losses]
        by_values = tape.gradient(targets, weights, output_gradients=upstream)
        return result, self.by_variables(by_values, inputs)

    def by_variables(self, by_values: Sequence[Gradient], inputs: Sequence[tf.Tensor]) -> list[Gradient]:
        """Gradients with respect to the weights.

        Args:
            by_values: gradients with respect to the values of the weights.
            inputs: inputs of the batch that they are of.

        Returns:
            One gradient per weight, in the order of the weights.
        """
        return self._lookups.gradients(by_values, self._of_model(inputs))

    def present_weights(self, inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The present values of the trainable variables, each of a whole variable read at the point of use.

        Args:
            inputs: inputs of the batch that they are for.
        """
        return self._lookups.values(self._of_model(inputs))

    def present_states(self) -> list[tf.Tensor]:
        """Copies of the present values of the non-trainable variables."""
        return [tf.identity(state.value) for state in self.states]

    def advance(self, states: Sequence[tf.Tensor]) -> None:
        """Assigns the non-trainable variables their values after a pass.

        Args:
            states: the values, in the order of the variables.
        """
        for state, value in zip(self.states, states, strict=True):
            state.assign(value)

    def _of_model(self, inputs: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """The inputs of the model alone, without the groups of a penalty."""
        return inputs[: len(self._lookups.model.inputs)]

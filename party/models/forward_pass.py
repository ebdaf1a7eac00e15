"""A forward pass of a base model in training, inside a compiled call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.columns import HiddenColumns
from party.models.remainder import Result
from party.protocol.hidden import HiddenSpec


@dataclass(frozen=True)
class Passed:
    """What a forward pass came to.

    Attributes:
        hiddens: side by side, float32 (batch, sum of units).
        states: values of the non-trainable variables after it.
        losses: of regularisation.
    """

    hiddens: tf.Tensor
    states: list[tf.Tensor]
    losses: list[tf.Tensor]


class ForwardPass:
    """The model with its data; variables go in and come out as tensors, so that it can be run at any of their values.

    Args:
        model: from named arrays to the named hiddens.
        inputs: all rows of the session's dataset, arrays of shape (rows, ...).
        specs: the hiddens, in the order in which they cross the cut.
    """

    def __init__(
        self, model: keras.Model, inputs: Mapping[str, npt.NDArray[np.generic]], specs: Sequence[HiddenSpec]
    ) -> None:
        self.model = model
        self.columns = HiddenColumns(specs)
        self.trainable = list(model.trainable_variables)
        self.states = list(model.non_trainable_variables)
        self._inputs = {name: tf.constant(array) for name, array in inputs.items()}

    def __call__(self, weights: Sequence[tf.Tensor], states: Sequence[tf.Tensor], rows: tf.Tensor) -> Passed:
        """Runs the model on some rows.

        Args:
            weights: values of the trainable variables.
            states: values of the non-trainable variables.
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            The pass; the variables are as before.
        """
        outputs, after, losses = self.model.stateless_call(
            weights, states, self.gather(rows), training=True, return_losses=True
        )
        return Passed(self.columns.join_graph(outputs), list(after), list(losses))

    def with_gradients(
        self,
        weights: Sequence[tf.Tensor],
        states: Sequence[tf.Tensor],
        rows: tf.Tensor,
        gradients: Callable[[tf.Tensor], tf.Tensor],
    ) -> tuple[Passed, list[Result]]:
        """Runs the model on some rows, and computes the gradients of the loss by the weights.

        Args:
            weights: values of the trainable variables.
            states: values of the non-trainable variables.
            rows: row numbers of the dataset, int32 (batch,).
            gradients: of the loss by the hiddens, for the hiddens, float32 (batch, sum of units).

        Returns:
            The pass, and a gradient for each weight, in the order of the weights.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            passed = self(weights, states, rows)
        upstream = [gradients(passed.hiddens), *map(tf.ones_like, passed.losses)]
        targets = [passed.hiddens, *passed.losses]
        return passed, list(tape.gradient(targets, weights, output_gradients=upstream))

    def present_weights(self) -> list[tf.Tensor]:
        """The trainable variables as tensors; each is read where it is used."""
        return [weight.value for weight in self.trainable]

    def present_states(self) -> list[tf.Tensor]:
        """Values of the non-trainable variables as they are, which stay when these change."""
        return [tf.identity(state.value) for state in self.states]

    def advance(self, states: Sequence[tf.Tensor]) -> None:
        """Gives the non-trainable variables their values after a pass."""
        for state, value in zip(self.states, states, strict=True):
            state.assign(value)

    def gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The inputs of some rows, by name."""
        return {name: tf.gather(array, rows) for name, array in self._inputs.items()}

"""A base model in training: hiddens out, gradients in, weights updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.columns import HiddenColumns
from party.models.kept_weights import KeptWeights
from party.models.variables import assign_all, copies
from party.models.weight_update import WeightUpdate
from party.protocol.hidden import HiddenSpec, Rows, Tensors
from party.protocol.state import State, join_states, numbered, part_of


class BaseModel:
    """The half of the joined model below the cut, at one party.

    A forward pass in training keeps its rows and the non-trainable variables it
    started from; the update recomputes it from those, which is faster than a
    tape kept open and gives the same bits, dropout and batch statistics included.

    Args:
        model: from named arrays to the named hiddens.
        inputs: all rows of the session's dataset, arrays of shape (rows, ...).
        specs: the hiddens, in the order in which they cross the cut.
        optimizer: of this model's weights; None where nothing is trained.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, npt.NDArray[np.generic]],
        specs: Sequence[HiddenSpec],
        optimizer: keras.Optimizer | None = None,
    ) -> None:
        self.specs = tuple(specs)
        self._columns = HiddenColumns(specs)
        self._model = model
        self._weight_update: WeightUpdate | None = None
        self._inputs = {name: tf.constant(array) for name, array in inputs.items()}
        self._trainable = list(model.trainable_variables)
        self._states = list(model.non_trainable_variables)
        self._kept = KeptWeights(model.variables)
        self._pending: tuple[tf.Tensor, list[tf.Tensor]] | None = None
        rows = tf.TensorSpec((None,), tf.int32)
        states = [tf.TensorSpec(state.shape, state.dtype) for state in self._states]
        gradients = self._columns.matrix_spec
        self._infer_call = tf.function(self._infer).get_concrete_function(rows)
        if optimizer is not None:
            self._weight_update = WeightUpdate(optimizer, self._trainable)
            self._forward_call = tf.function(self._forward).get_concrete_function(rows)
            self._update_call = tf.function(self._update).get_concrete_function(rows, gradients, *states)
            self._step_call = tf.function(self._step).get_concrete_function(rows, gradients, rows, *states)

    def infer(self, rows: Rows) -> Tensors:
        """Hiddens outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Hiddens by name, float32 (batch, units).
        """
        return self._columns.named(self._infer_call(tf.constant(rows)).numpy())

    def forward(self, rows: Rows) -> Tensors:
        """Hiddens of a training batch, whose gradients must come before the next one.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Hiddens by name, float32 (batch, units).
        """
        row_tensor = tf.constant(rows)
        hiddens, *states = self._forward_call(row_tensor)
        self._pending = (row_tensor, states)
        return self._columns.named(hiddens.numpy())

    def backward(self, gradients: Tensors) -> None:
        """Updates the weights by the gradients of the last forward pass.

        Args:
            gradients: of the loss by each hidden, float32 (batch, units).
        """
        rows, states = self._take_pending()
        self._update_call(rows, tf.constant(self._columns.join(gradients)), *states)

    def backward_and_forward(self, gradients: Tensors, next_rows: Rows) -> Tensors:
        """Updates the weights, then computes the next batch, in one compiled call.

        Args:
            gradients: of the loss by each hidden of the last forward pass.
            next_rows: row numbers of the next batch, int32 (batch,).

        Returns:
            Hiddens of the next batch by name, float32 (batch, units).
        """
        rows, states = self._take_pending()
        next_row_tensor = tf.constant(next_rows)
        matrix = tf.constant(self._columns.join(gradients))
        hiddens, *next_states = self._step_call(rows, matrix, next_row_tensor, *states)
        self._pending = (next_row_tensor, next_states)
        return self._columns.named(hiddens.numpy())

    def keep(self) -> None:
        """Remembers the weights as they are."""
        self._kept.keep()

    def restore(self) -> None:
        """Goes back to the weights that were kept last."""
        self._kept.restore()

    def state(self) -> State:
        """Weights, optimizer and non-trainable variables, as before a forward pass that still waits for gradients."""
        states = copies(self._states)
        if self._pending is not None:
            states = numbered([state.numpy().copy() for state in self._pending[1]])
        return join_states(
            {
                "weights": copies(self._trainable),
                "states": states,
                "optimizer": State() if self._weight_update is None else self._weight_update.state(),
                "kept": self._kept.state(),
            }
        )

    def set_state(self, state: State) -> None:
        """Goes on from a state; the next training batch begins with a forward pass.

        Raises:
            CheckpointError: the state is that of another model or optimizer.
        """
        assign_all(self._trainable, part_of(state, "weights"), "weights of the base model")
        assign_all(self._states, part_of(state, "states"), "non-trainable variables of the base model")
        if self._weight_update is not None:
            self._weight_update.set_state(part_of(state, "optimizer"))
        self._kept.set_state(part_of(state, "kept"))
        self._pending = None

    def _take_pending(self) -> tuple[tf.Tensor, list[tf.Tensor]]:
        if self._pending is None:
            raise RuntimeError("no forward pass is waiting for gradients")
        pending, self._pending = self._pending, None
        return pending

    def _gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.gather(array, rows) for name, array in self._inputs.items()}

    def _infer(self, rows: tf.Tensor) -> tf.Tensor:
        return self._columns.join_graph(self._model(self._gather(rows), training=False))

    def _forward(self, rows: tf.Tensor) -> list[tf.Tensor]:
        """The hiddens, and the non-trainable variables as they were before."""
        before = [tf.identity(state.value) for state in self._states]
        weights = [weight.value for weight in self._trainable]
        outputs, after = self._model.stateless_call(weights, before, self._gather(rows), training=True)
        for state, value in zip(self._states, after, strict=True):
            state.assign(value)
        return [self._columns.join_graph(outputs), *before]

    def _update(self, rows: tf.Tensor, gradients: tf.Tensor, *states: tf.Tensor) -> None:
        weights = [weight.value for weight in self._trainable]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            outputs, _, losses = self._model.stateless_call(
                weights, list(states), self._gather(rows), training=True, return_losses=True
            )
            targets = [outputs[spec.name] for spec in self.specs] + list(losses)
        upstream = [*self._columns.split_graph(gradients), *(tf.ones_like(loss) for loss in losses)]
        weight_gradients = tape.gradient(targets, weights, output_gradients=upstream)
        if self._weight_update is None:
            raise RuntimeError("a model without an optimizer cannot be updated")
        # TensorFlow's graph optimizer may otherwise read a weight for another one's gradient after its update.
        with tf.control_dependencies(tf.nest.flatten(weight_gradients, expand_composites=True)):
            self._weight_update.apply(weight_gradients)

    def _step(self, rows: tf.Tensor, gradients: tf.Tensor, next_rows: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        self._update(rows, gradients, *states)
        return self._forward(next_rows)

"""A base model in training: hiddens out, gradients in, weights updated."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.columns import HiddenColumns
from party.models.compiled_call import CompiledCall
from party.models.instance_weights import InstanceWeights
from party.models.kept_weights import KeptWeights
from party.models.local_states import local_states, number_array
from party.models.stash import StashedWeights
from party.models.variables import assign_all, copies
from party.models.weight_update import WeightUpdate
from party.protocol.hidden import HiddenSpec, Rows, Tensors
from party.protocol.state import State, join_states, numbered, part_of


class BaseModel:
    """The half of the joined model below the cut, at one party.

    A forward pass in training stashes what it started from: its rows, the
    non-trainable variables and, where further batches are sent before its
    gradients come, the weights that it used. The update recomputes it from
    the stash, which is faster than a tape kept open and gives the same bits,
    dropout and batch statistics included. It applies to the present weights.

    Args:
        model: from named arrays to the named hiddens.
        inputs: all rows of the session's dataset, arrays of shape (rows, ...).
        specs: the hiddens, in the order in which they cross the cut.
        optimizer: of this model's weights; None where nothing is trained.
        depth: batches under way at a time: with more than one, gradients belong to weights of up to depth - 1
            updates before.
        instance_weights: of the rows of a local step.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, npt.NDArray[np.generic]],
        specs: Sequence[HiddenSpec],
        optimizer: keras.Optimizer | None = None,
        depth: int = 1,
        instance_weights: InstanceWeights | None = None,
    ) -> None:
        self.specs = tuple(specs)
        self._columns = HiddenColumns(specs)
        self._model = model
        self._weight_update: WeightUpdate | None = None
        self._inputs = {name: tf.constant(array) for name, array in inputs.items()}
        self._trainable = list(model.trainable_variables)
        self._states = list(model.non_trainable_variables)
        self._stashed_weights = StashedWeights(model) if depth > 1 else None
        self._kept = KeptWeights(model.variables)
        self._stashes: deque[list[tf.Tensor]] = deque()
        self._instance_weights = instance_weights or InstanceWeights()
        self._infer_call = CompiledCall(self._infer)
        if optimizer is not None:
            self._weight_update = WeightUpdate(optimizer, self._trainable)
            self._forward_call = CompiledCall(self._forward)
            self._update_call = CompiledCall(self._update)
            self._step_call = CompiledCall(self._step)
            self._local_call = CompiledCall(self._local)

    def infer(self, rows: Rows) -> Tensors:
        """Hiddens outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Hiddens by name, float32 (batch, units).
        """
        (hiddens,) = self._infer_call((len(rows),), rows)
        return self._columns.named(hiddens.numpy())

    def forward(self, rows: Rows) -> Tensors:
        """Hiddens of a training batch, whose gradients come after those of the batches under way.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Hiddens by name, float32 (batch, units).
        """
        hiddens, *stash = self._forward_call((len(rows),), rows)
        self._stashes.append(stash)
        return self._columns.named(hiddens.numpy())

    def backward(self, gradients: Tensors) -> None:
        """Updates the weights by the gradients of the oldest batch under way.

        Args:
            gradients: of the loss by each hidden, float32 (batch, units).
        """
        matrix = self._columns.join(gradients)
        self._update_call((len(matrix),), matrix, *self._take_stash())

    def backward_and_forward(self, gradients: Tensors, next_rows: Rows) -> Tensors:
        """Updates the weights, then computes the next batch, in one compiled call.

        Args:
            gradients: of the loss by each hidden of the oldest batch under way.
            next_rows: row numbers of the next batch, int32 (batch,).

        Returns:
            Hiddens of the next batch by name, float32 (batch, units).
        """
        matrix = self._columns.join(gradients)
        sizes = (len(matrix), len(next_rows))
        hiddens, *stash = self._step_call(sizes, matrix, next_rows, *self._take_stash())
        self._stashes.append(stash)
        return self._columns.named(hiddens.numpy())

    def local_step(self, rows: Rows, hiddens: Tensors, gradients: Tensors, number: int) -> None:
        """Updates the weights by a batch that was exchanged before, as far as its rows still count.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: as this model computed them for the exchange, float32 (batch, units).
            gradients: of the loss by each hidden, as the exchange brought them.
            number: of the local step in its run; seeds its masks.
        """
        matrices = [self._columns.join(tensors) for tensors in (hiddens, gradients)]
        self._local_call((len(rows),), rows, number_array(number), *matrices)

    def follow(
        self, tape: tf.GradientTape, rows: tf.Tensor, local_number: tf.Tensor | None = None
    ) -> tuple[list[tf.Tensor], tf.Tensor, list[tf.Tensor]]:
        """A forward pass in training as part of another compiled call, whose tape follows it.

        Args:
            tape: of that call.
            rows: row numbers of the dataset, int32 (batch,).
            local_number: of the local step that it is part of, int64; None in an exchange.

        Returns:
            The weights that it used, the hiddens side by side, and regularisation losses.
        """
        weights = [weight.value for weight in self._trainable]
        tape.watch(weights)
        if local_number is None:
            before = [tf.identity(state.value) for state in self._states]
        else:
            before = local_states(self._states, local_number)
        outputs, after, losses = self._model.stateless_call(
            weights, before, self._gather(rows), training=True, return_losses=True
        )
        if local_number is None:
            for state, value in zip(self._states, after, strict=True):
                state.assign(value)
        return weights, self._columns.join_graph(outputs), list(losses)

    def update(self, weight_gradients: list[tf.Tensor | tf.IndexedSlices]) -> None:
        """Updates the weights as part of another compiled call.

        Args:
            weight_gradients: of the loss by every weight that `follow` returned.
        """
        if self._weight_update is None:
            raise RuntimeError("a model without an optimizer cannot be updated")
        self._weight_update.apply(weight_gradients)

    def keep(self) -> None:
        """Remembers the weights as they are."""
        self._kept.keep()

    def restore(self) -> None:
        """Goes back to the weights that were kept last."""
        self._kept.restore()

    def state(self) -> State:
        """Weights, optimizer and non-trainable variables, and the stash of every batch under way."""
        stashes = {
            str(place): numbered([tensor.numpy().copy() for tensor in stash])
            for place, stash in enumerate(self._stashes)
        }
        return join_states(
            {
                "weights": copies(self._trainable),
                "states": copies(self._states),
                "optimizer": State() if self._weight_update is None else self._weight_update.state(),
                "kept": self._kept.state(),
                "stashes": join_states({"count": State({"stashes": len(stashes)}), **stashes}),
            }
        )

    def set_state(self, state: State) -> None:
        """Goes on from a state, with its batches under way.

        Raises:
            CheckpointError: the state is that of another model or optimizer.
        """
        assign_all(self._trainable, part_of(state, "weights"), "weights of the base model")
        assign_all(self._states, part_of(state, "states"), "non-trainable variables of the base model")
        if self._weight_update is not None:
            self._weight_update.set_state(part_of(state, "optimizer"))
        self._kept.set_state(part_of(state, "kept"))
        stashes = part_of(state, "stashes")
        self._stashes.clear()
        for place in range(int(part_of(stashes, "count").values["stashes"])):
            arrays = part_of(stashes, str(place)).arrays
            self._stashes.append([tf.constant(arrays[str(number)]) for number in range(len(arrays))])

    def _take_stash(self) -> list[tf.Tensor]:
        if not self._stashes:
            raise RuntimeError("no forward pass is waiting for gradients")
        return self._stashes.popleft()

    def _gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.gather(array, rows) for name, array in self._inputs.items()}

    def _infer(self, rows: tf.Tensor) -> list[tf.Tensor]:
        return [self._columns.join_graph(self._model(self._gather(rows), training=False))]

    def _forward(self, rows: tf.Tensor) -> list[tf.Tensor]:
        """The hiddens, and the stash: rows, non-trainable variables as they were before, weights."""
        before = [tf.identity(state.value) for state in self._states]
        weights = [weight.value for weight in self._trainable]
        gathered = self._gather(rows)
        outputs, after = self._model.stateless_call(weights, before, gathered, training=True)
        stashed = [] if self._stashed_weights is None else self._stashed_weights.take(weights, gathered)
        for state, value in zip(self._states, after, strict=True):
            state.assign(value)
        return [self._columns.join_graph(outputs), rows, *before, *stashed]

    def _update(self, gradients: tf.Tensor, rows: tf.Tensor, *stash: tf.Tensor) -> None:
        states, stashed = list(stash[: len(self._states)]), stash[len(self._states) :]
        gathered = self._gather(rows)
        weights = [weight.value for weight in self._trainable]
        if self._stashed_weights is not None:
            weights = self._stashed_weights.put_back(weights, gathered, stashed)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            outputs, _, losses = self._model.stateless_call(
                weights, states, gathered, training=True, return_losses=True
            )
            targets = [outputs[spec.name] for spec in self.specs] + list(losses)
        upstream = [*self._columns.split_graph(gradients), *(tf.ones_like(loss) for loss in losses)]
        self._apply(tape.gradient(targets, weights, output_gradients=upstream))

    def _local(self, rows: tf.Tensor, number: tf.Tensor, exchanged: tf.Tensor, gradients: tf.Tensor) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights, hiddens, losses = self.follow(tape, rows, number)
        counting = self._instance_weights(hiddens, exchanged)[:, None]
        upstream = [gradients * counting, *(tf.ones_like(loss) for loss in losses)]
        self._apply(tape.gradient([hiddens, *losses], weights, output_gradients=upstream))

    def _apply(self, weight_gradients: list[tf.Tensor | tf.IndexedSlices]) -> None:
        # TensorFlow's graph optimizer may otherwise read a weight for another one's gradient after its update.
        with tf.control_dependencies(tf.nest.flatten(weight_gradients, expand_composites=True)):
            self.update(weight_gradients)

    def _step(self, gradients: tf.Tensor, next_rows: tf.Tensor, *stash: tf.Tensor) -> list[tf.Tensor]:
        self._update(gradients, *stash)
        return self._forward(next_rows)

"""A base model in training: hiddens out, gradients in, weights updated."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.backward_pass import BackwardPass
from party.models.compiled_call import CompiledCall
from party.models.forward_pass import ForwardPass
from party.models.instance_weights import InstanceWeights
from party.models.kept_pass import KeptPass
from party.models.kept_weights import KeptWeights
from party.models.local_states import local_states, number_array
from party.models.recomputed_pass import RecomputedPass
from party.models.remainder import Result
from party.models.variables import assign_all, copies
from party.models.weight_update import WeightUpdate
from party.protocol.hidden import HiddenSpec, Rows, Tensors
from party.protocol.state import State, join_states, numbered, part_of


class BaseModel:
    """The half of the joined model below the cut, at one party.

    A forward pass in training leaves a stash: with one batch under way, what
    it computed; where further batches are sent before its gradients come,
    what it started from. The update applies to the present weights.

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
        self._forward_pass = ForwardPass(model, inputs, specs)
        self._columns = self._forward_pass.columns
        self._model = model
        self._weight_update: WeightUpdate | None = None
        way = RecomputedPass if depth > 1 else KeptPass
        self._backward_pass: BackwardPass = way(self._forward_pass)
        self._kept = KeptWeights(model.variables)
        self._stashes: deque[list[tf.Tensor]] = deque()
        self._instance_weights = instance_weights or InstanceWeights()
        self._infer_call = CompiledCall(self._infer)
        if optimizer is not None:
            self._weight_update = WeightUpdate(optimizer, self._forward_pass.trainable)
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
        weights = self._forward_pass.present_weights()
        tape.watch(weights)
        if local_number is not None:
            passed = self._forward_pass(weights, local_states(self._forward_pass.states, local_number), rows)
        else:
            passed = self._forward_pass(weights, self._forward_pass.present_states(), rows)
            self._forward_pass.advance(passed.states)
        return weights, passed.hiddens, passed.losses

    def update(self, weight_gradients: list[Result]) -> None:
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
            str(place): numbered([tensor.numpy().copy() for tensor in self._backward_pass.saved(stash)])
            for place, stash in enumerate(self._stashes)
        }
        return join_states(
            {
                "weights": copies(self._forward_pass.trainable),
                "states": copies(self._forward_pass.states),
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
        assign_all(self._forward_pass.trainable, part_of(state, "weights"), "weights of the base model")
        assign_all(self._forward_pass.states, part_of(state, "states"), "non-trainable variables of the base model")
        if self._weight_update is not None:
            self._weight_update.set_state(part_of(state, "optimizer"))
        self._kept.set_state(part_of(state, "kept"))
        stashes = part_of(state, "stashes")
        self._stashes.clear()
        for place in range(int(part_of(stashes, "count").values["stashes"])):
            arrays = part_of(stashes, str(place)).arrays
            saved = [tf.constant(arrays[str(number)]) for number in range(len(arrays))]
            self._stashes.append(self._backward_pass.completed(saved))

    def _take_stash(self) -> list[tf.Tensor]:
        if not self._stashes:
            raise RuntimeError("no forward pass is waiting for gradients")
        return self._stashes.popleft()

    def _infer(self, rows: tf.Tensor) -> list[tf.Tensor]:
        return [self._columns.join_graph(self._model(self._forward_pass.gather(rows), training=False))]

    def _forward(self, rows: tf.Tensor) -> list[tf.Tensor]:
        hiddens, stash = self._backward_pass.forward(rows)
        return [hiddens, *stash]

    def _update(self, gradients: tf.Tensor, *stash: tf.Tensor) -> None:
        self._apply(self._backward_pass.weight_gradients(gradients, stash))

    def _local(self, rows: tf.Tensor, number: tf.Tensor, exchanged: tf.Tensor, gradients: tf.Tensor) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            weights, hiddens, losses = self.follow(tape, rows, number)
        counting = self._instance_weights(hiddens, exchanged)[:, None]
        upstream = [gradients * counting, *(tf.ones_like(loss) for loss in losses)]
        self._apply(tape.gradient([hiddens, *losses], weights, output_gradients=upstream))

    def _apply(self, weight_gradients: list[Result]) -> None:
        # TensorFlow's graph optimizer may otherwise read a weight for another one's gradient after its update.
        with tf.control_dependencies(tf.nest.flatten(weight_gradients, expand_composites=True)):
            self.update(weight_gradients)

    def _step(self, gradients: tf.Tensor, next_rows: tf.Tensor, *stash: tf.Tensor) -> list[tf.Tensor]:
        self._update(gradients, *stash)
        return self._forward(next_rows)

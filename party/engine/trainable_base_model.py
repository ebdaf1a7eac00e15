"""A base model in training: hiddens out, gradients in, weights updated."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from party.cut.hidden import FloatArray, Rows
from party.cut.layout import CutLayout
from party.cut.state import State, join_states, numbered, part_of
from party.data.rows import RowArray, RowSource
from party.engine.backward_pass import BackwardPass
from party.engine.base_model import BaseModel
from party.engine.compiled_call import Argument, CompiledCall, Specs, any_rows
from party.engine.decorrelation import Decorrelation
from party.engine.forward_pass import ForwardPass
from party.engine.instance_weights import InstanceWeights
from party.engine.local_states import local_states, number_array
from party.engine.recomputed_pass import RecomputedPass
from party.engine.remainder import Gradient
from party.engine.row_tables import NamedRows, RowTables
from party.engine.saved_epochs import SavedEpochs
from party.engine.stored_pass import StoredPass
from party.engine.variables import assign_all, copies
from party.engine.weight_update import WeightUpdate

NO_ROWS: Rows = np.zeros(0, np.int32)


@dataclass(frozen=True)
class _ForwardTensors:
    """The tensors of a forward pass in training: hiddens side by side, and its stash."""

    hiddens: tf.Tensor
    stash: list[tf.Tensor]


@dataclass(frozen=True)
class _BatchUnderWay:
    """A batch whose gradients are still expected.

    Attributes:
        rows: its row numbers.
        stash: the stash of its forward pass.
        named: the rows of large tables that its update will change.
    """

    rows: Rows
    stash: list[tf.Tensor]
    named: NamedRows


@dataclass(frozen=True)
class TapedForward:
    """A forward pass in training that the tape of another compiled call records.

    Attributes:
        weights: values of the trainable variables that it used: of a table, the rows that the batch looks up.
        hiddens: hiddens of the batch, float32 (batch, columns).
        losses: regularisation losses and, if there is one, the penalty.
    """

    weights: list[tf.Tensor]
    hiddens: tf.Tensor
    losses: list[tf.Tensor]


class TrainableBaseModel(BaseModel):
    """A base model with its optimizer and the batches under way.

    A forward pass in training leaves a stash. With one batch under way, the
    stash holds what the pass computed; if further batches are sent before the
    gradients arrive, it holds what the pass started from. Updates apply to the
    present weights. A batch without rows has an empty stash, and no update.

    Args:
        model: functional model from named arrays to the named hiddens.
        source: source of the model's inputs by name, arrays of shape (batch, ...).
        layout: column layout of the hiddens.
        optimizer: the optimizer of this model's weights, not built yet.
        depth: number of batches under way at a time; with more than one, gradients belong to weights of up to
            depth - 1 updates before.
        instance_weights: computes the weights of the rows in a local step; if omitted, every row weighs 1.
        decorrelation: a penalty on hiddens that go with certain columns.
        varying: whether batches may have any number of rows, none included; otherwise calls are compiled for each size.
    """

    def __init__(
        self,
        model: keras.Model,
        source: RowSource,
        layout: CutLayout,
        optimizer: keras.Optimizer,
        *,
        depth: int = 1,
        instance_weights: InstanceWeights | None = None,
        decorrelation: Decorrelation | None = None,
        varying: bool = False,
    ) -> None:
        super().__init__(model, source, layout, varying=varying)
        self._decorrelation = decorrelation
        self._forward_pass = ForwardPass(self._lookups, layout, decorrelation)
        self._backward_pass: BackwardPass = (
            RecomputedPass(self._forward_pass) if depth > 1 else StoredPass(self._forward_pass, varying=varying)
        )
        self._weight_update = WeightUpdate(optimizer, self._forward_pass.trainable)
        self._tables = RowTables(self._lookups, self._weight_update)
        self._instance_weights = instance_weights or InstanceWeights()
        self._saved_epochs = SavedEpochs(model.variables)
        self._under_way: deque[_BatchUnderWay] = deque()
        of_batch: Specs | None = any_rows if varying else None
        of_stash: Specs | None = self._specs_with_stash if varying else None
        self._forward_call = CompiledCall(self._forward, of_batch)
        self._update_call = CompiledCall(self._update, of_stash)
        self._step_call = CompiledCall(self._step, of_stash)
        self._local_call = CompiledCall(self._local, of_batch)

    def forward(self, rows: Rows) -> FloatArray:
        """Computes the hiddens of a training batch; its gradients follow those of the batches under way.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Hiddens, float32 (batch, columns).
        """
        if not len(rows):
            return self._send_nothing(rows)
        inputs = self._training_inputs(rows)
        return self._send(rows, inputs, self._forward_call((len(rows),), inputs))

    def backward(self, gradients: FloatArray) -> None:
        """Updates the weights by the gradients of the oldest batch under way.

        Args:
            gradients: gradients of the loss with respect to its hiddens, float32 (batch, columns).
        """
        stash = self._take_stash()
        if len(gradients):
            self._update_call((len(gradients),), gradients, stash)

    def backward_and_forward(self, gradients: FloatArray, next_rows: Rows) -> FloatArray:
        """Updates the weights, then computes the hiddens of the next batch, in one compiled call.

        Args:
            gradients: gradients of the loss with respect to the hiddens of the oldest batch under way, float32 (batch,
                columns).
            next_rows: row numbers of the next batch, int32 (batch,).

        Returns:
            Hiddens of the next batch, float32 (batch, columns).
        """
        if not (len(gradients) and len(next_rows)):
            self.backward(gradients)
            return self.forward(next_rows)
        sizes = (len(gradients), len(next_rows))
        inputs = self._training_inputs(next_rows)
        return self._send(next_rows, inputs, self._step_call(sizes, gradients, inputs, self._take_stash()))

    def local_step(self, rows: Rows, number: int, *, hiddens: FloatArray, gradients: FloatArray) -> None:
        """Updates the weights by a batch that was exchanged before; each row counts by its instance weight.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            number: number of the local step in its run; seeds its dropout masks.
            hiddens: hiddens that this model computed for the exchange, float32 (batch, columns).
            gradients: gradients of the loss with respect to the hiddens, as received in the exchange, float32 (batch,
                columns).
        """
        if not len(rows):
            return
        inputs = self._training_inputs(rows)
        self._local_call((len(rows),), inputs, number_array(number), hiddens, gradients)
        self.note_update(inputs)

    def forward_on_tape(
        self, tape: tf.GradientTape, inputs: Sequence[tf.Tensor], *, local_number: tf.Tensor | None = None
    ) -> TapedForward:
        """Runs a forward pass in training as part of another compiled call, whose tape records it.

        Args:
            tape: tape of that call.
            inputs: inputs of a batch, as `gather` orders them.
            local_number: number of the local step that it is part of, int64; None in an exchange.

        Returns:
            The tensors of the pass.
        """
        weights = self._forward_pass.present_weights(inputs)
        tape.watch(weights)
        if local_number is not None:
            result = self._forward_pass(weights, local_states(self._forward_pass.states, local_number), inputs)
        else:
            result = self._forward_pass(weights, self._forward_pass.present_states(), inputs)
            self._forward_pass.advance(result.states)
        return TapedForward(weights, result.hiddens, result.losses)

    def update(self, gradients: Sequence[Gradient], inputs: Sequence[tf.Tensor]) -> None:
        """Updates the weights as part of another compiled call; with each run of it, `note_update` must follow.

        Args:
            gradients: gradients of the loss with respect to every value that `forward_on_tape` returned.
            inputs: inputs of the batch, as it was given them.
        """
        self._weight_update.apply(self._forward_pass.by_variables(gradients, inputs))

    def note_update(self, inputs: Sequence[RowArray]) -> None:
        """Notes which rows of large tables an update has changed, for the next checkpoint.

        Args:
            inputs: inputs of the batch, as `gather` orders them.
        """
        self._tables.touch(self._tables.named(inputs))

    def save_epoch(self, epoch: int, retained: Collection[int]) -> None:
        """Saves the present weights as those of an epoch, and drops the weights of all epochs but `retained`.

        Args:
            epoch: the epoch that has ended.
            retained: epochs whose weights are retained.
        """
        self._saved_epochs.save(epoch, retained)

    def restore_epoch(self, epoch: int) -> None:
        """Restores the weights of an epoch.

        Args:
            epoch: the epoch whose weights were saved.
        """
        self._saved_epochs.restore(epoch)
        self._tables.touch_all()

    def state(self) -> State:
        """Weights, optimizer, non-trainable variables, and the row numbers of every batch under way."""
        tables = self._tables.tables
        stashes = {str(place): self._saved(batch) for place, batch in enumerate(self._under_way)}
        return join_states(
            {
                "weights": copies(self._forward_pass.trainable, tables),
                "states": copies(self._forward_pass.states),
                "optimizer": self._weight_update.state(tables),
                "saved_epochs": self._saved_epochs.state(),
                "stashes": join_states({"count": State({"stashes": len(stashes)}), **stashes}),
            }
        )

    def set_state(self, state: State) -> None:
        """Continues from a state, with its batches under way.

        Args:
            state: as `state` returned it.

        Raises:
            CheckpointError: the state belongs to another model or optimizer.
        """
        weights = part_of(state, "weights")
        assign_all(self._forward_pass.trainable, weights, "weights of the base model")
        self._tables.restart(weights)
        assign_all(self._forward_pass.states, part_of(state, "states"), "non-trainable variables of the base model")
        self._weight_update.set_state(part_of(state, "optimizer"))
        self._saved_epochs.set_state(part_of(state, "saved_epochs"))
        stashes = part_of(state, "stashes")
        count = int(part_of(stashes, "count").values["stashes"])
        self._under_way = deque(self._completed(part_of(stashes, str(place))) for place in range(count))

    def _training_inputs(self, rows: Rows) -> list[RowArray]:
        penalised = [] if self._decorrelation is None else [self._decorrelation.gather(rows)]
        return [*self.gather(rows), *penalised]

    def _send(self, rows: Rows, inputs: Sequence[RowArray], forward: _ForwardTensors) -> FloatArray:
        self._under_way.append(_BatchUnderWay(rows, forward.stash, self._tables.named(inputs)))
        hiddens: FloatArray = forward.hiddens.numpy()
        return hiddens

    def _send_nothing(self, rows: Rows) -> FloatArray:
        self._under_way.append(_BatchUnderWay(rows, [], {}))
        return self._no_hiddens()

    def _specs_with_stash(self, arguments: Sequence[Argument]) -> list[tf.TensorSpec]:
        """Specs of arguments of which the last is a stash; it has tensors without rows, and their shapes are fixed."""
        forward = self._forward_call.result_specs(self._training_inputs(NO_ROWS))
        return [*any_rows(arguments[:-1]), *forward.stash]

    def _take_stash(self) -> list[tf.Tensor]:
        if not self._under_way:
            raise RuntimeError("no forward pass is waiting for gradients")
        batch = self._under_way.popleft()
        self._tables.touch(batch.named)
        return batch.stash

    def _saved(self, batch: _BatchUnderWay) -> State:
        saved = [tensor.numpy().copy() for tensor in self._backward_pass.saved(batch.stash)]
        return numbered([batch.rows, *saved])

    def _completed(self, state: State) -> _BatchUnderWay:
        rows = np.asarray(state.arrays["0"], np.int32)
        if not len(rows):
            return _BatchUnderWay(rows, [], {})
        saved = [tf.constant(state.arrays[str(number)]) for number in range(1, len(state.arrays))]
        inputs = self._training_inputs(rows)
        stash = self._backward_pass.completed([tf.constant(array) for array in inputs], saved)
        return _BatchUnderWay(rows, stash, self._tables.named(inputs))

    def _forward(self, inputs: list[tf.Tensor]) -> _ForwardTensors:
        return _ForwardTensors(*self._backward_pass.forward(inputs))

    def _update(self, gradients: tf.Tensor, stash: list[tf.Tensor]) -> None:
        self._apply(self._backward_pass.weight_gradients(gradients, stash))

    def _step(self, gradients: tf.Tensor, next_inputs: list[tf.Tensor], stash: list[tf.Tensor]) -> _ForwardTensors:
        self._update(gradients, stash)
        return self._forward(next_inputs)

    def _local(self, inputs: list[tf.Tensor], number: tf.Tensor, exchanged: tf.Tensor, gradients: tf.Tensor) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            taped = self.forward_on_tape(tape, inputs, local_number=number)
        counting = self._instance_weights(taped.hiddens, exchanged)[:, None]
        upstream = [gradients * counting, *(tf.ones_like(loss) for loss in taped.losses)]
        targets = [taped.hiddens, *taped.losses]
        by_values = tape.gradient(targets, taped.weights, output_gradients=upstream)
        self._apply(self._forward_pass.by_variables(by_values, inputs))

    def _apply(self, weight_gradients: list[Gradient]) -> None:
        # Otherwise TensorFlow's graph optimizer may read a weight for the gradient of another one after its update.
        with tf.control_dependencies(tf.nest.flatten(weight_gradients, expand_composites=True)):
            self._weight_update.apply(weight_gradients)

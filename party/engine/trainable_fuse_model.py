"""The fuse model in training: takes hiddens, returns gradients and updates its weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from party.cut.hidden import Masks, Matrices, Rows
from party.cut.layout import CutLayout
from party.cut.results import PendingResult, PreparedStep, TrainingResult
from party.cut.state import State, join_states, part_of
from party.data.rows import RowArray, RowSource
from party.engine.absent_vectors import AbsentVectors
from party.engine.compiled_call import CompiledCall
from party.engine.fuse_model import ALL_PRESENT, FuseModel
from party.engine.fuse_pass import FusePass, TrainingTensors
from party.engine.instance_weights import InstanceWeights
from party.engine.label_tensors import LabelTensors, gather_labels
from party.engine.local_states import number_array
from party.engine.parted_call import PartedCall
from party.engine.remainder import Gradient
from party.engine.saved_epochs import SavedEpochs
from party.engine.tensor_structure import flatten
from party.engine.trainable_base_model import TapedForward, TrainableBaseModel
from party.engine.variables import assign_all, copies
from party.engine.weight_update import WeightUpdate
from party.models.label_tasks import LabelTasks


@dataclass(frozen=True)
class OwnBase:
    """The label party's own base model.

    Attributes:
        party: name of the label party.
        base: the model.
    """

    party: str
    base: TrainableBaseModel


class TrainableFuseModel(FuseModel):
    """A fuse model with its optimizer and, for the calls that train it too, the label party's own base model.

    Args:
        model: functional model from aggregated hiddens to the logits of each label, float32 (batch, units of the
            label), and to the further outputs that `tasks` names.
        source: source of labels, as `label_rows` makes one.
        layouts: layouts of the matrices of every party by party, the label party's own included.
        tasks: the labels that the model predicts, with their losses and metrics.
        optimizer: the optimizer of this model's weights and of absent vectors, not built yet.
        own: the label party's own base model, if it has one.
        instance_weights: computes the weights of the rows in a local step; if omitted, every row weighs 1.
        gives_gradients: whether results of `begin_step` hold gradients for the feature parties, or none.
        absent: replaces hiddens of absent rows; if omitted, every row is present at every party.
    """

    def __init__(
        self,
        model: keras.Model,
        source: RowSource,
        layouts: Mapping[str, CutLayout],
        tasks: LabelTasks,
        *,
        optimizer: keras.Optimizer,
        own: OwnBase | None = None,
        instance_weights: InstanceWeights | None = None,
        gives_gradients: bool = True,
        absent: AbsentVectors | None = None,
    ) -> None:
        super().__init__(model, source, layouts, tasks, absent=absent)
        self._pass = FusePass(model, self._layouts, tasks.outputs, tasks.losses)
        self._own = own
        self._received = tuple(party for party in self._layouts if own is None or party != own.party)
        self._answered = self._received if gives_gradients else ()
        further = [*tasks.losses.variables, *self._absent.variables]
        self._trainable = [*model.trainable_variables, *further]
        self._variables = [*model.variables, *further]
        self._weight_update = WeightUpdate(optimizer, self._trainable)
        self._instance_weights = instance_weights or InstanceWeights()
        self._saved_epochs = SavedEpochs(self._variables)
        self._waiting: Callable[[], None] | None = None
        self._gradients_call = PartedCall(self._gradients, self._weight_update.apply)
        self._step_call = CompiledCall(self._step)
        self._local_call = CompiledCall(self._local)

    def gradients(self, rows: Rows, hiddens: Matrices, present: Masks = ALL_PRESENT) -> TrainingResult:
        """Computes the loss and the gradients of a training batch; `apply` must follow.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: hiddens by party, float32 (batch, columns).
            present: by party with absent vectors, which rows have its hiddens, bool (batch,).

        Returns:
            The loss, the outputs and the gradients for every party.
        """
        labels, masks = gather_labels(self._source, rows), self._absent.arguments(present)
        trained, self._waiting = self._gradients_call((len(rows),), labels, self._matrices(hiddens), masks)
        return self._result(trained, tuple(self._layouts))

    def begin_step(self, rows: Rows, hiddens: Matrices, present: Masks = ALL_PRESENT) -> PreparedStep:
        """Prepares a whole training step in one compiled call: own base model, loss, gradients and all own updates.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: hiddens of the feature parties by party, float32 (batch, columns).
            present: as for `gradients`.

        Returns:
            A function that runs the step, its inputs ready. It returns a function that copies the loss, the outputs and
            the gradients for every feature party out of TensorFlow.
        """
        labels, own_inputs = gather_labels(self._source, rows), self._gather_own(rows)
        received, masks = [hiddens[party] for party in self._received], self._absent.arguments(present)

        def train() -> PendingResult:
            trained = self._step_call((len(rows),), labels, own_inputs, received, masks)
            self._note_own_update(own_inputs)
            return lambda: self._result(trained, self._answered)

        return train

    def apply(self) -> None:
        """Updates the weights by the batch of the last call of `gradients`."""
        if self._waiting is None:
            raise RuntimeError("no batch is waiting to be applied")
        apply, self._waiting = self._waiting, None
        apply()

    def local_step(
        self, rows: Rows, number: int, *, hiddens: Matrices, gradients: Matrices, present: Masks = ALL_PRESENT
    ) -> None:
        """Updates all own weights by a batch that was exchanged before; each row counts by its instance weight.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            number: number of the local step in its run; seeds its dropout masks.
            hiddens: hiddens of the feature parties by party, as received in the exchange, float32 (batch, columns).
            gradients: gradients of the loss with respect to each of them, as the exchange computed them, float32
                (batch, columns).
            present: as for `gradients`, the same as in the exchange.
        """
        labels, own_inputs = gather_labels(self._source, rows), self._gather_own(rows)
        exchanged = [matrices[party] for matrices in (hiddens, gradients) for party in self._received]
        exchange = [*exchanged, *self._absent.arguments(present)]
        self._local_call((len(rows),), labels, own_inputs, number_array(number), exchange)
        self._note_own_update(own_inputs)

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

    def state(self) -> State:
        """Weights, learned task weights, optimizer and non-trainable variables."""
        return join_states(
            {
                "variables": copies(self._variables),
                "optimizer": self._weight_update.state(),
                "saved_epochs": self._saved_epochs.state(),
            }
        )

    def set_state(self, state: State) -> None:
        """Continues from a state.

        Args:
            state: as `state` returned it.

        Raises:
            CheckpointError: the state belongs to another model or optimizer.
        """
        assign_all(self._variables, part_of(state, "variables"), "variables of the fuse model")
        self._weight_update.set_state(part_of(state, "optimizer"))
        self._saved_epochs.set_state(part_of(state, "saved_epochs"))
        self._waiting = None

    def _gather_own(self, rows: Rows) -> list[RowArray]:
        return [] if self._own is None else self._own.base.gather(rows)

    def _note_own_update(self, own_inputs: Sequence[RowArray]) -> None:
        if self._own is not None:
            self._own.base.note_update(own_inputs)

    def _result(self, trained: TrainingTensors, parties: Sequence[str]) -> TrainingResult:
        measures: dict[str, float] = {}
        if len(self._names) > 1:
            measures |= self._by_task("loss", trained.losses.numpy())
            measures |= self._by_task("gradient_share", trained.shares.numpy())
            if self._losses.variables:
                measures |= self._by_task("weight", trained.task_weights.numpy())
        # Added here, as TensorFlow sums three or more tensors in the order in which their buffers become free.
        loss = float(trained.summands.numpy().sum(dtype=np.float64))
        gradients = {party: matrix.numpy() for party, matrix in zip(parties, trained.gradients, strict=True)}
        return TrainingResult(
            loss, trained.outputs.numpy(), {**measures, **self._reported(trained.reported)}, gradients
        )

    def _gradients(
        self, gathered: list[tf.Tensor], hiddens: list[tf.Tensor], present: list[tf.Tensor]
    ) -> tuple[TrainingTensors, list[Gradient]]:
        """The tensors of a batch, and the gradients with respect to the weights."""
        weights = self._present_weights()
        with self._pass.tape() as tape:
            tape.watch([weights, hiddens])
            forward = self._pass(LabelTensors.of(gathered), self._filled(hiddens, present))
            loss = tf.add_n(forward.summands)
        gradients, weight_gradients = tape.gradient(loss, [hiddens, weights])
        return self._pass.tensors(tape, forward, gradients), weight_gradients

    def _step(
        self,
        gathered: list[tf.Tensor],
        own_inputs: list[tf.Tensor],
        received: list[tf.Tensor],
        present: list[tf.Tensor],
    ) -> TrainingTensors:
        weights = self._present_weights()
        with self._pass.tape() as tape:
            tape.watch([weights, received])
            own = None if self._own is None else self._own.base.forward_on_tape(tape, own_inputs)
            hiddens = self._filled(self._all_hiddens(received, own), present)
            forward = self._pass(LabelTensors.of(gathered), hiddens)
            loss = tf.add_n([*forward.summands, *([] if own is None else own.losses)])
        base_weights = [] if own is None else own.weights
        gradients, *updates = tape.gradient(loss, [received[: len(self._answered)], weights, base_weights])
        trained = self._pass.tensors(tape, forward, gradients)
        # As in the base model: no weight may be read for a gradient after its update.
        with tf.control_dependencies(
            [*flatten(vars(trained).values()), *tf.nest.flatten(updates, expand_composites=True)]
        ):
            self._update(*updates, own_inputs=own_inputs)
        return trained

    def _local(
        self, gathered: list[tf.Tensor], own_inputs: list[tf.Tensor], number: tf.Tensor, exchange: list[tf.Tensor]
    ) -> None:
        """Makes a local step; `exchange` holds received matrices, gradients by them, and which rows are present."""
        matrices = len(self._received)
        received, exchanged = exchange[:matrices], exchange[matrices : 2 * matrices]
        labels, weights = LabelTensors.of(gathered), self._present_weights()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            own = None
            if self._own is not None:
                own = self._own.base.forward_on_tape(tape, own_inputs, local_number=number)
            with tf.GradientTape(watch_accessed_variables=False) as received_tape:
                received_tape.watch(received)
                hiddens = self._filled(self._all_hiddens(received, own), exchange[2 * matrices :])
                model_weights = weights[: len(self._model.trainable_variables)]
                outputs, model_losses = self._pass.local(model_weights, number, hiddens)
                terms = self._losses.weighted(labels.weighted_losses(self._losses, outputs))
                loss = tf.add_n([*terms, *model_losses])
            present = received_tape.gradient(loss, received)
            counting = self._instance_weights(tf.concat(present, axis=1), tf.concat(exchanged, axis=1))
            terms = self._losses.weighted(labels.weighted_losses(self._losses, outputs, counting))
            penalties = [*self._losses.penalties(), *model_losses, *([] if own is None else own.losses)]
            total = tf.add_n([*terms, *penalties])
        updates = tape.gradient(total, [weights, [] if own is None else own.weights])
        with tf.control_dependencies(tf.nest.flatten(updates, expand_composites=True)):
            self._update(*updates, own_inputs=own_inputs)

    def _present_weights(self) -> list[tf.Tensor]:
        return [weight.value for weight in self._trainable]

    def _all_hiddens(self, received: Sequence[tf.Tensor], own: TapedForward | None) -> list[tf.Tensor]:
        """The matrices of all parties, in the order of the layouts."""
        by_party = dict(zip(self._received, received, strict=True))
        if self._own is not None and own is not None:
            by_party[self._own.party] = own.hiddens
        return [by_party[party] for party in self._layouts]

    def _update(
        self,
        weight_gradients: Sequence[Gradient],
        base_gradients: Sequence[Gradient],
        *,
        own_inputs: Sequence[tf.Tensor],
    ) -> None:
        self._weight_update.apply(weight_gradients)
        if self._own is not None:
            self._own.base.update(base_gradients, own_inputs)

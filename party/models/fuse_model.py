"""The fuse model in training: hiddens in, gradients out, weights updated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from party.configuration.labels import Labels
from party.data.labels import LabelArrays
from party.models.aggregation import aggregated
from party.models.base_model import BaseModel
from party.models.columns import HiddenColumns
from party.models.compiled_call import CompiledCall
from party.models.instance_weights import InstanceWeights
from party.models.kept_weights import KeptWeights
from party.models.local_states import local_states, number_array
from party.models.losses import TaskLosses
from party.models.mmoe import EXPERTS, GATES
from party.models.parted_call import PartedCall
from party.models.remainder import Result
from party.models.row_losses import RowLosses
from party.models.scores import Scores
from party.models.variables import assign_all, copies
from party.models.weight_update import WeightUpdate
from party.protocol.hidden import FloatArray, HiddenSpec, Inferred, LossAndGradients, Rows, Step, Tensors
from party.protocol.state import State, join_states, part_of

TOLD = 6  # tensors of a training batch that `FuseModel._result` makes numbers of


@dataclass(frozen=True)
class _Pass:
    """A forward pass inside a compiled call: its inputs, outputs, losses, and what the loss is the sum of."""

    inputs: Mapping[str, tf.Tensor]
    outputs: Mapping[str, tf.Tensor]
    losses: Sequence[tf.Tensor]
    terms: Sequence[tf.Tensor]
    summands: Sequence[tf.Tensor]


class FuseModel:
    """The half of the joined model above the cut.

    The label party's own base model is a party like the others here: its
    hiddens come in, their gradients go out. So its forward and backward passes
    need not stand between a feature party's hidden and its gradient.

    Args:
        model: from aggregated hiddens to {label: logits, float32 (batch, units of the label)}.
        labels: what it tells, by name.
        arrays: labels of all rows of the session's dataset.
        specs: the hiddens of every party, the label party's own included.
        losses: of the labels.
        scores: computes metrics.
        optimizer: of this model's weights; None where nothing is trained.
        own: the label party's own name and base model, for the calls that train it too.
        instance_weights: of the rows of a local step.
    """

    def __init__(
        self,
        model: keras.Model,
        labels: Labels,
        arrays: LabelArrays,
        specs: Mapping[str, Sequence[HiddenSpec]],
        losses: TaskLosses,
        scores: Scores,
        optimizer: keras.Optimizer | None = None,
        own: tuple[str, BaseModel] | None = None,
        instance_weights: InstanceWeights | None = None,
    ) -> None:
        self._model = model
        self._names = tuple(labels)
        self._columns = {party: HiddenColumns(specs[party]) for party in sorted(specs)}
        self._row_losses = RowLosses(losses, arrays)
        self._losses = losses
        self._weight_update: WeightUpdate | None = None
        self._trainable = [*model.trainable_variables, *losses.variables]
        self._variables = [*model.variables, *losses.variables]
        self._kept = KeptWeights(self._variables)
        self._waiting: Callable[[], None] | None = None
        self.outputs = sum(label.units for label in labels.values())
        self.score = scores
        self._infer_call = CompiledCall(self._infer)
        if optimizer is not None:
            self._weight_update = WeightUpdate(optimizer, self._trainable)
            self._gradients_call = PartedCall(self._gradients, self._apply)
            self._own = own
            self._instance_weights = instance_weights or InstanceWeights()
            self._step_call = CompiledCall(self._step)
            self._local_call = CompiledCall(self._local)

    @property
    def _own_party(self) -> str:
        return "" if self._own is None else self._own[0]

    @property
    def _received_columns(self) -> dict[str, HiddenColumns]:
        return {party: columns for party, columns in self._columns.items() if party != self._own_party}

    def infer(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> Inferred:
        """Outputs and losses outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: by party and name, float32 (batch, units).

        Returns:
            Outputs per row, and means over the batch.
        """
        matrices = self._matrices(self._columns, hiddens)
        outputs, losses, gates = self._infer_call((len(rows),), rows, *matrices)
        by_task = losses.numpy().astype(np.float64)
        loss = float(by_task @ self._losses.fixed_weights)
        return Inferred(loss, outputs.numpy(), {**self._by_task("loss", by_task), **self._gates(gates)})

    def gradients(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> LossAndGradients:
        """Loss and gradients of a training batch; `apply` must follow.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: by party and name, float32 (batch, units).

        Returns:
            The loss, the outputs and the gradients for every party.
        """
        matrices = self._matrices(self._columns, hiddens)
        tensors, self._waiting = self._gradients_call((len(rows),), rows, *matrices)
        return self._result(tensors[:TOLD], self._named(self._columns, tensors[TOLD:]))

    def begin_step(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> Step:
        """A training batch whole, in one compiled call: own base model, loss, gradients, and the own updates.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: of the feature parties by party and name, float32 (batch, units).

        Returns:
            What trains when it is called, its inputs made ready; that returns what tells the loss, the outputs and the
            gradients for every feature party.
        """
        inputs = [rows, *self._matrices(self._received_columns, hiddens)]

        def train() -> Callable[[], LossAndGradients]:
            tensors = self._step_call((len(rows),), *inputs)
            return lambda: self._result(tensors[:TOLD], self._named(self._received_columns, tensors[TOLD:]))

        return train

    def local_step(
        self, rows: Rows, hiddens: Mapping[str, Tensors], gradients: Mapping[str, Tensors], number: int
    ) -> None:
        """Updates all own weights by a batch that was exchanged before, as far as its rows still count.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: of the feature parties by party and name, as the exchange brought them.
            gradients: of the loss by each of them, as the exchange yielded them.
            number: of the local step in its run; seeds its masks.
        """
        columns = self._received_columns
        matrices = [*self._matrices(columns, hiddens), *self._matrices(columns, gradients)]
        self._local_call((len(rows),), rows, number_array(number), *matrices)

    def _result(self, results: Sequence[tf.Tensor], gradients: Mapping[str, Tensors]) -> LossAndGradients:
        terms, outputs, losses, shares, weights, gates = results
        measures: dict[str, float] = {}
        if len(self._names) > 1:
            measures |= self._by_task("loss", losses.numpy()) | self._by_task("gradient_share", shares.numpy())
            if self._losses.variables:
                measures |= self._by_task("weight", weights.numpy())
        # Added up here: TensorFlow's sum of three and more starts with whichever buffer is free first.
        loss = float(terms.numpy().sum(dtype=np.float64))
        return LossAndGradients(loss, outputs.numpy(), {**measures, **self._gates(gates)}, gradients)

    def apply(self) -> None:
        """Updates the weights by the batch that `gradients` saw last."""
        if self._waiting is None:
            raise RuntimeError("no batch is waiting to be applied")
        apply, self._waiting = self._waiting, None
        apply()

    def keep(self) -> None:
        """Remembers the weights as they are."""
        self._kept.keep()

    def restore(self) -> None:
        """Goes back to the weights that were kept last."""
        self._kept.restore()

    def state(self) -> State:
        """Weights, learned task weights, optimizer and non-trainable variables."""
        return join_states(
            {
                "variables": copies(self._variables),
                "optimizer": State() if self._weight_update is None else self._weight_update.state(),
                "kept": self._kept.state(),
            }
        )

    def set_state(self, state: State) -> None:
        """Goes on from a state.

        Raises:
            CheckpointError: the state is that of another model or optimizer.
        """
        assign_all(self._variables, part_of(state, "variables"), "variables of the fuse model")
        if self._weight_update is not None:
            self._weight_update.set_state(part_of(state, "optimizer"))
        self._kept.set_state(part_of(state, "kept"))
        self._waiting = None

    @staticmethod
    def _named(columns: Mapping[str, HiddenColumns], gradients: Sequence[tf.Tensor]) -> dict[str, Tensors]:
        return {
            party: one.named(matrix.numpy()) for (party, one), matrix in zip(columns.items(), gradients, strict=True)
        }

    def _by_task(self, what: str, values: Sequence[float]) -> dict[str, float]:
        if len(self._names) == 1:
            return {}
        return {f"{name}_{what}": float(value) for name, value in zip(self._names, values, strict=True)}

    def _gates(self, gates: tf.Tensor) -> dict[str, float]:
        """Mean weight of each expert in each label's gate; nothing without gates."""
        return {
            f"{name}_expert_{number}_gate": float(weight)
            for name, row in zip(self._names, gates.numpy(), strict=False)
            for number, weight in enumerate(row)
        }

    @staticmethod
    def _matrices(columns: Mapping[str, HiddenColumns], tensors: Mapping[str, Tensors]) -> list[FloatArray]:
        return [one.join(tensors[party]) for party, one in columns.items()]

    def _mean_gates(self, outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.reduce_mean(outputs[GATES], axis=0) if GATES in outputs else tf.zeros((0, 0))

    def _infer(self, rows: tf.Tensor, *hiddens: tf.Tensor) -> Sequence[tf.Tensor]:
        outputs = self._model(aggregated(self._columns, hiddens), training=False)
        losses = self._row_losses.plain(rows, outputs)
        return self._side_by_side(outputs), tf.stack(losses), self._mean_gates(outputs)

    def _gradients(self, rows: tf.Tensor, *hiddens: tf.Tensor) -> tuple[list[tf.Tensor], list[Result]]:
        """What the batch tells and gradients by the hiddens; then those by the weights."""
        weights = [weight.value for weight in self._trainable]
        with self._tape() as tape:
            tape.watch([weights, list(hiddens)])
            passed = self._pass_through(rows, hiddens)
            loss = tf.add_n(passed.summands)
        gradients, weight_gradients = tape.gradient(loss, [list(hiddens), weights])
        return [*self._told(tape, passed), *gradients], weight_gradients

    def _step(self, rows: tf.Tensor, *received: tf.Tensor) -> Sequence[tf.Tensor]:
        weights = [weight.value for weight in self._trainable]
        base_weights: list[tf.Tensor] = []
        penalties: list[tf.Tensor] = []
        with self._tape() as tape:
            tape.watch([weights, list(received)])
            by_party = dict(zip([party for party in self._columns if party != self._own_party], received, strict=True))
            if self._own is not None:
                base_weights, by_party[self._own_party], penalties = self._own[1].follow(tape, rows)
            passed = self._pass_through(rows, [by_party[party] for party in self._columns])
            loss = tf.add_n([*passed.summands, *penalties])
        gradients, *updates = tape.gradient(loss, [list(received), weights, base_weights])
        told = self._told(tape, passed)
        # As in the base model: no weight may be read for a gradient after it was updated.
        with tf.control_dependencies(tf.nest.flatten([told, gradients, updates], expand_composites=True)):
            self._apply(updates[0])
            if self._own is not None:
                self._own[1].update(updates[1])
        return (*told, *gradients)

    def _local(self, rows: tf.Tensor, number: tf.Tensor, *matrices: tf.Tensor) -> None:
        received, exchanged = matrices[: len(matrices) // 2], matrices[len(matrices) // 2 :]
        by_party = dict(zip(self._received_columns, received, strict=True))
        weights = [weight.value for weight in self._trainable]
        base_weights: list[tf.Tensor] = []
        penalties: list[tf.Tensor] = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            if self._own is not None:
                base_weights, by_party[self._own_party], penalties = self._own[1].follow(tape, rows, number)
            with tf.GradientTape(watch_accessed_variables=False) as received_tape:
                received_tape.watch(received)
                states = local_states(self._model.non_trainable_variables, number)
                inputs = aggregated(self._columns, [by_party[party] for party in self._columns])
                outputs, _, model_losses = self._model.stateless_call(
                    weights[: len(self._model.trainable_variables)],
                    states,
                    inputs,
                    training=True,
                    return_losses=True,
                )
                terms = self._losses.weighted(self._row_losses.weighted(rows, outputs))
                loss = tf.add_n([*terms, *model_losses])
            present = received_tape.gradient(loss, received)
            counting = self._instance_weights(tf.concat(present, axis=1), tf.concat(exchanged, axis=1))
            terms = self._losses.weighted(self._row_losses.weighted(rows, outputs, counting))
            total = tf.add_n([*terms, *self._losses.penalties(), *model_losses, *penalties])
        updates = tape.gradient(total, [weights, base_weights])
        with tf.control_dependencies(tf.nest.flatten(updates, expand_composites=True)):
            self._apply(updates[0])
            if self._own is not None:
                self._own[1].update(updates[1])

    def _tape(self) -> tf.GradientTape:
        return tf.GradientTape(watch_accessed_variables=False, persistent=len(self._names) > 1)

    def _pass_through(self, rows: tf.Tensor, hiddens: Sequence[tf.Tensor]) -> _Pass:
        inputs = aggregated(self._columns, hiddens)
        outputs = self._model(inputs, training=True)
        losses = self._row_losses.weighted(rows, outputs)
        terms = self._losses.weighted(losses)
        summands = [*terms, *self._losses.penalties(), *self._model.losses]
        return _Pass(inputs, outputs, losses, terms, summands)

    def _told(self, tape: tf.GradientTape, passed: _Pass) -> tuple[tf.Tensor, ...]:
        """What a batch tells: summands of the loss, outputs, losses, shares of the gradient, task weights, gates."""
        shares = tf.zeros((0,))
        if len(self._names) > 1:
            shared = [passed.outputs[EXPERTS]] if EXPERTS in passed.outputs else list(passed.inputs.values())
            shares = _shares([tape.gradient(term, shared) for term in passed.terms])
        return (
            tf.stack(passed.summands),
            self._side_by_side(passed.outputs),
            tf.stack(passed.losses),
            shares,
            self._losses.weights(),
            self._mean_gates(passed.outputs),
        )

    def _side_by_side(self, outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.concat([outputs[name] for name in self._names], axis=1)

    def _apply(self, weight_gradients: list[Result]) -> None:
        if self._weight_update is None:
            raise RuntimeError("a model without an optimizer cannot be updated")
        self._weight_update.apply(weight_gradients)


def _shares(gradients: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """Norm of each task's gradient at what the tasks share, over the sum of all norms."""
    norms = tf.stack([tf.linalg.global_norm(by_tensor) for by_tensor in gradients])
    return tf.math.divide_no_nan(norms, tf.reduce_sum(norms))

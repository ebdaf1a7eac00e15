"""The fuse model in training: hiddens in, gradients out, weights updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from party.models.columns import HiddenColumns
from party.models.weight_update import WeightUpdate
from party.protocol.hidden import Aggregation, FloatArray, HiddenSpec, LogitsAndLosses, LossAndGradients, Rows, Tensors


class FuseModel:
    """The half of the joined model above the cut.

    The label party's own base model is a party like the others here: its
    hiddens come in, their gradients go out. So its forward and backward passes
    need not stand between a feature party's hidden and its gradient.

    Args:
        model: from aggregated hiddens to logits, float32 (batch, 1).
        labels: of all rows of the session's dataset, float32 (rows,).
        specs: the hiddens of every party, the label party's own included.
        optimizer: of this model's weights; None where nothing is trained.
    """

    def __init__(
        self,
        model: keras.Model,
        labels: FloatArray,
        specs: Mapping[str, Sequence[HiddenSpec]],
        optimizer: keras.Optimizer | None = None,
    ) -> None:
        self._model = model
        self._columns = {party: HiddenColumns(specs[party]) for party in sorted(specs)}
        self._labels = tf.constant(labels)
        self._weight_update: WeightUpdate | None = None
        self._trainable = list(model.trainable_variables)
        self._weight_gradients: list[tf.Tensor | tf.IndexedSlices] | None = None
        rows = tf.TensorSpec((None,), tf.int32)
        hiddens = [columns.matrix_spec for columns in self._columns.values()]
        self._infer_call = tf.function(self._infer).get_concrete_function(rows, *hiddens)
        if optimizer is not None:
            self._weight_update = WeightUpdate(optimizer, self._trainable)
            self._gradients_call = tf.function(self._gradients).get_concrete_function(rows, *hiddens)
            self._apply_call = tf.function(self._apply)

    def infer(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> LogitsAndLosses:
        """Logits and losses outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: by party and name, float32 (batch, units).

        Returns:
            Logits and losses per row.
        """
        logits, losses = self._infer_call(tf.constant(rows), *self._matrices(hiddens))
        return LogitsAndLosses(logits.numpy(), losses.numpy())

    def gradients(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> LossAndGradients:
        """Loss and gradients of a training batch; `apply` must follow.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: by party and name, float32 (batch, units).

        Returns:
            The loss, the logits and the gradients for every party.
        """
        loss, logits, gradients, self._weight_gradients = self._gradients_call(
            tf.constant(rows), *self._matrices(hiddens)
        )
        named = {
            party: columns.named(matrix.numpy())
            for (party, columns), matrix in zip(self._columns.items(), gradients, strict=True)
        }
        return LossAndGradients(float(loss), logits.numpy(), named)

    def apply(self) -> None:
        """Updates the weights by the batch that `gradients` saw last."""
        if self._weight_gradients is None:
            raise RuntimeError("no batch is waiting to be applied")
        weight_gradients, self._weight_gradients = self._weight_gradients, None
        self._apply_call(weight_gradients)

    def _matrices(self, hiddens: Mapping[str, Tensors]) -> list[tf.Tensor]:
        return [tf.constant(columns.join(hiddens[party])) for party, columns in self._columns.items()]

    def _logits(self, hiddens: Sequence[tf.Tensor], training: bool) -> tf.Tensor:
        tensors: dict[str, list[tf.Tensor]] = {}
        aggregations: dict[str, Aggregation] = {}
        for columns, matrix in zip(self._columns.values(), hiddens, strict=True):
            for spec, tensor in zip(columns.specs, columns.split_graph(matrix), strict=True):
                tensors.setdefault(spec.name, []).append(tensor)
                aggregations[spec.name] = spec.aggregation
        aggregated = {name: _aggregate(aggregations[name], arrays) for name, arrays in tensors.items()}
        return self._model(aggregated, training=training)[:, 0]

    def _losses(self, rows: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.gather(self._labels, rows), logits=logits)

    def _infer(self, rows: tf.Tensor, *hiddens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self._logits(hiddens, training=False)
        return logits, self._losses(rows, logits)

    def _gradients(
        self, rows: tf.Tensor, *hiddens: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor], list[tf.Tensor | tf.IndexedSlices]]:
        weights = [weight.value for weight in self._trainable]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weights, list(hiddens)])
            logits = self._logits(hiddens, training=True)
            loss = tf.add_n([tf.reduce_mean(self._losses(rows, logits)), *self._model.losses])
        gradients, weight_gradients = tape.gradient(loss, [list(hiddens), weights])
        return loss, logits, gradients, weight_gradients

    def _apply(self, weight_gradients: list[tf.Tensor | tf.IndexedSlices]) -> None:
        if self._weight_update is None:
            raise RuntimeError("a model without an optimizer cannot be updated")
        self._weight_update.apply(weight_gradients)


def _aggregate(aggregation: Aggregation, hiddens: Sequence[tf.Tensor]) -> tf.Tensor:
    if aggregation is Aggregation.CONCAT:
        return tf.concat(hiddens, axis=1)
    total = hiddens[0]
    for hidden in hiddens[1:]:
        total = total + hidden
    return total

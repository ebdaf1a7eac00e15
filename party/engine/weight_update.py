"""Updates a model's weights with a Keras optimizer, all dense weights as one vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from party.cut.state import State
from party.engine.variable_table import VariableTable
from party.engine.variables import assign_all, copies
from party.models.row_optimizers import RowOptimizer
from party.models.storage import EMBEDDINGS

ELEMENTWISE = frozenset(
    {"SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "RMSprop", "Ftrl", "Lion"}
    | {"LazyAdam", "RowAdagrad"}
)


def _treats_elements_alone(optimizer: keras.Optimizer) -> bool:
    by_norm = optimizer.clipnorm is not None or optimizer.global_clipnorm is not None
    return type(optimizer).__name__ in ELEMENTWISE and not by_norm


class WeightUpdate:
    """Passes a Keras optimizer the embedding tables as they are, and the dense weights joined into one vector.

    In a small step, an optimizer spends most of its time starting a dozen
    operations for each weight. An elementwise optimizer computes the same bits
    for the joined vector. Gradients of embeddings reach Keras unchanged, as
    indexed slices: it squares them before it sums duplicates.

    An optimizer that depends on the norm or the shape of a weight gets every weight as it is.

    Args:
        optimizer: a Keras optimizer, not built yet.
        weights: weights of the model, their initial values drawn.
    """

    def __init__(self, optimizer: keras.Optimizer, weights: Sequence[keras.Variable]) -> None:
        self._optimizer = optimizer
        joining = _treats_elements_alone(optimizer)
        self._joins = [joining and weight.name != EMBEDDINGS for weight in weights]
        self._dense = [weight for weight, joins in zip(weights, self._joins, strict=True) if joins]
        self._tables = [weight for weight, joins in zip(weights, self._joins, strict=True) if not joins]
        self._targets = list(self._tables)
        if self._dense:
            self._targets.append(keras.Variable(self._joined(), name="joined"))
        optimizer.build(self._targets)

    def apply(self, gradients: Sequence[tf.Tensor | tf.IndexedSlices]) -> None:
        """Updates all weights; for use inside a compiled call.

        Args:
            gradients: gradients of the loss with respect to every weight, in the order of the weights.
        """
        ordered = [gradient for gradient, joins in zip(gradients, self._joins, strict=True) if not joins]
        if self._dense:
            dense = [gradient for gradient, joins in zip(gradients, self._joins, strict=True) if joins]
            ordered.append(tf.concat([tf.reshape(gradient, (-1,)) for gradient in dense], axis=0))
        self._optimizer.apply(ordered, self._targets)
        if not self._dense:
            return
        parts = tf.split(self._targets[-1].value, [math.prod(weight.shape) for weight in self._dense])
        for weight, part in zip(self._dense, parts, strict=True):
            weight.assign(tf.reshape(part, weight.shape))

    def slots_by_row(self, table: keras.Variable) -> Sequence[keras.Variable] | None:
        """The optimizer's variables that have a row for each row of a table; None if updates move other rows as well.

        Args:
            table: an embedding table whose gradients are slices.
        """
        return self._optimizer.slots_of(table) if isinstance(self._optimizer, RowOptimizer) else None

    def state(self, tables: Sequence[VariableTable] = ()) -> State:
        """The optimizer's variables: moments, iteration, learning rate.

        Args:
            tables: those of them that are not copied, but are tables of the state.
        """
        return copies(self._optimizer.variables, tables)

    def set_state(self, state: State) -> None:
        """Restores the optimizer's variables, and takes over the present weights.

        Raises:
            CheckpointError: the state belongs to another optimizer or other weights.
        """
        assign_all(self._optimizer.variables, state, "variables of the optimizer")
        if self._dense:
            self._targets[-1].assign(self._joined())

    def _joined(self) -> tf.Tensor:
        return tf.concat([tf.reshape(weight.value, (-1,)) for weight in self._dense], axis=0)

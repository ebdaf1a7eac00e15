"""Optimizers for large embedding tables: they move the rows that a batch looks up, and no others.

All other weights get Keras's own Adam and Adagrad, bit by bit, and so does a table whose gradient is not by its rows,
as that of a regulariser: it is treated as if every row were in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from party.models.storage import EMBEDDINGS

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices
MATRIX = 2  # axes of a table
CLIPPING = frozenset({"clipnorm", "clipvalue", "global_clipnorm"})


class RowOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Sums the gradients of a row before they are clipped and used: so the norm of slices is that of the table.

    Where the gradient of a table is slices, it changes rows of these alone, in the table and in its slots.
    """

    def slots_of(self, table: keras.Variable) -> Sequence[keras.Variable]:
        """The optimizer's variables that have a row for each row of a table.

        Args:
            table: an embedding table that the optimizer was built for.
        """
        raise NotImplementedError

    def _clip_gradients(self, grads: Sequence[Gradient]) -> list[Gradient]:
        summed = [sum_repeated_rows(one) if isinstance(one, tf.IndexedSlices) else one for one in grads]
        values = [one.values if isinstance(one, tf.IndexedSlices) else one for one in summed]
        clipped = super()._clip_gradients(values)
        return [
            tf.IndexedSlices(value, one.indices, one.dense_shape) if isinstance(one, tf.IndexedSlices) else value
            for value, one in zip(clipped, summed, strict=True)
        ]


class LazyAdam(RowOptimizer, keras.optimizers.Adam):  # type: ignore[misc]
    """Adam that moves only rows of the batch, and only their moments.

    With g the sum of a row's gradients in the batch and t the number of steps of the run, this one included,

        m ← m + (1 − β₁)(g − m),  v ← v + (1 − β₂)(g² − v),  w ← w − η √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε).

    Args:
        learning_rate: η, a number or a schedule of Keras.
        beta_1: β₁.
        beta_2: β₂.
        epsilon: ε.
        clipping: `clipnorm`, `clipvalue` or `global_clipnorm`, as in every optimizer of Keras.

    Raises:
        TypeError: another argument of Keras is given, which may move every row.

    Reference:
        Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, end of section 2, in the form of Keras;
        rows and bias correction as in `tfa.optimizers.LazyAdam` of TensorFlow Addons.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float | None,
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            name="lazy_adam",
            **_only_clipping(clipping),
        )

    def update_step(self, gradient: Gradient, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Updates one variable.

        Args:
            gradient: gradient of the loss with respect to it; slices name every row once.
            variable: the variable.
            learning_rate: the learning rate of this step.
        """
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        place = self._get_variable_index(variable)
        momentum, velocity = self._momentums[place].value, self._velocities[place].value
        step = tf.cast(self.iterations + 1, variable.dtype)
        powers = [tf.pow(tf.cast(beta, variable.dtype), step) for beta in (self.beta_1, self.beta_2)]
        rate = tf.cast(learning_rate, variable.dtype) * tf.sqrt(1 - powers[1]) / (1 - powers[0])
        rows, values = gradient.indices, gradient.values
        m, v = tf.gather(momentum, rows), tf.gather(velocity, rows)
        m += (values - m) * (1 - self.beta_1)
        v += (tf.square(values) - v) * (1 - self.beta_2)
        momentum.scatter_update(tf.IndexedSlices(m, rows))
        velocity.scatter_update(tf.IndexedSlices(v, rows))
        variable.scatter_sub(tf.IndexedSlices(m * rate / (tf.sqrt(v) + self.epsilon), rows))

    def slots_of(self, table: keras.Variable) -> Sequence[keras.Variable]:
        """See `RowOptimizer`: both moments."""
        place = self._get_variable_index(table)
        return [self._momentums[place], self._velocities[place]]


class RowAdagrad(RowOptimizer, keras.optimizers.Adagrad):  # type: ignore[misc]
    """Adagrad with one accumulator for each row of a table: its memory is that of one more column.

    With g the sum of a row's gradients in the batch, d its length and a its accumulator, 0 at first,

        a ← a + ‖g‖²/d,  w ← w − η g / (√a + ε).

    Args:
        learning_rate: η, a number or a schedule of Keras.
        initial_accumulator_value: first value of the accumulators of all other weights.
        epsilon: ε.
        clipping: `clipnorm`, `clipvalue` or `global_clipnorm`, as in every optimizer of Keras.

    Raises:
        TypeError: another argument of Keras is given, which may move every row.

    Reference:
        Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR
        2011; by row as `EXACT_ROWWISE_ADAGRAD` of FBGEMM, which TorchRec uses.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **clipping: float | None,
    ) -> None:
        super().__init__(
            learning_rate,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=epsilon,
            name="row_adagrad",
            **_only_clipping(clipping),
        )
        self._by_row: list[bool] = []

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the accumulators: one for each row of an embedding table, one for each number of all other weights.

        Args:
            variables: the weights.
        """
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, variables)
        self._by_row = [one.name == EMBEDDINGS and len(one.shape) == MATRIX for one in variables]
        initial = keras.initializers.Constant(self.initial_accumulator_value)
        self._accumulators = [
            self._of_rows(one) if by_row else self.add_variable_from_reference(one, "accumulator", initial)
            for one, by_row in zip(variables, self._by_row, strict=True)
        ]

    def update_step(self, gradient: Gradient, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Updates one variable.

        Args:
            gradient: gradient of the loss with respect to it; slices name every row once.
            variable: the variable.
            learning_rate: the learning rate of this step.
        """
        place = self._get_variable_index(variable)
        if not self._by_row[place]:
            super().update_step(gradient, variable, learning_rate)
            return
        if not isinstance(gradient, tf.IndexedSlices):
            gradient = tf.IndexedSlices(gradient, tf.range(variable.shape[0]))
        accumulator = self._accumulators[place].value
        rows, values = gradient.indices, gradient.values
        rate = tf.cast(learning_rate, variable.dtype)
        sums = tf.gather(accumulator, rows) + tf.reduce_mean(tf.square(values), axis=1, keepdims=True)
        accumulator.scatter_update(tf.IndexedSlices(sums, rows))
        variable.scatter_sub(tf.IndexedSlices(rate * values / (tf.sqrt(sums) + self.epsilon), rows))

    def slots_of(self, table: keras.Variable) -> Sequence[keras.Variable]:
        """See `RowOptimizer`: the accumulator."""
        return [self._accumulators[self._get_variable_index(table)]]

    def _of_rows(self, table: keras.Variable) -> keras.Variable:
        name = f"{table.path.replace('/', '_')}_row_accumulator"
        return self.add_variable((table.shape[0], 1), initializer="zeros", dtype=table.dtype, name=name)


def _only_clipping(arguments: Mapping[str, float | None]) -> Mapping[str, float | None]:
    unknown = sorted(set(arguments) - CLIPPING)
    if unknown:
        raise TypeError(f"unexpected argument {unknown[0]}: it may move every row")
    return arguments


def sum_repeated_rows(slices: tf.IndexedSlices) -> tf.IndexedSlices:
    """Sums the gradients of each row, in the order in which a batch names it: so the bits are the same every time.

    Args:
        slices: values by row, float32 (count, dimension); a row may be named several times.

    Returns:
        Slices that name every row once.
    """
    rows, places = tf.unique(slices.indices)
    sums = tf.math.unsorted_segment_sum(slices.values, places, tf.size(rows))
    return tf.IndexedSlices(sums, rows, slices.dense_shape)

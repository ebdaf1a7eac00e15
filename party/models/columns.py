"""All hiddens of a party as the columns of one matrix: a compiled call is the faster the fewer arrays it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from party.protocol.hidden import FloatArray, HiddenSpec, Tensors


class HiddenColumns:
    """Where each hidden stands in the matrix.

    Args:
        specs: the hiddens, in order.
    """

    def __init__(self, specs: Sequence[HiddenSpec]) -> None:
        self.specs = tuple(specs)
        self._units = [spec.units for spec in self.specs]
        ends = np.cumsum(self._units).tolist()
        self._slices = {spec.name: slice(end - spec.units, end) for spec, end in zip(self.specs, ends, strict=True)}

    def join(self, tensors: Tensors) -> FloatArray:
        """The matrix of named arrays: float32 (batch, sum of units)."""
        return np.concatenate([tensors[spec.name] for spec in self.specs], axis=1)

    def named(self, matrix: FloatArray) -> Tensors:
        """Views of the matrix by name, float32 (batch, units)."""
        return {name: matrix[:, columns] for name, columns in self._slices.items()}

    def join_graph(self, tensors: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """`join` inside a compiled call."""
        return tf.concat([tensors[spec.name] for spec in self.specs], axis=1)

    def split_graph(self, matrix: tf.Tensor) -> list[tf.Tensor]:
        """The arrays of a matrix inside a compiled call, in the order of the specs."""
        return list(tf.split(matrix, self._units, axis=1))

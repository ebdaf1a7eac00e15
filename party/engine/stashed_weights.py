"""Stashes the weights that a batch was computed with, while further updates change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from party.models.storage import EMBEDDINGS


class StashedWeights:
    """Stashes dense weights whole, and only those rows of an embedding table that a batch looks up.

    A table whose indices are not inputs of the model, or that has a regulariser, is stashed whole.

    Args:
        model: a functional model.
    """

    def __init__(self, model: keras.Model) -> None:
        inputs_of = _lookups(model)
        self._inputs = [inputs_of.get(id(weight)) for weight in model.trainable_variables]

    def take(self, weights: Sequence[tf.Tensor], gathered: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Selects what to stash of the weights of a batch; for use inside a compiled call.

        Args:
            weights: all weights, as the batch uses them.
            gathered: inputs of the batch, by name.

        Returns:
            A tensor per weight: the looked-up rows of a table, float32 (rows, dimension), or the weight itself.
        """
        return [
            tf.identity(weight) if inputs is None else tf.gather(weight, _indices(inputs, gathered))
            for weight, inputs in zip(weights, self._inputs, strict=True)
        ]

    def put_back(
        self, weights: Sequence[tf.Tensor], gathered: Mapping[str, tf.Tensor], stashed: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Reconstructs the weights of a batch, as far as the batch depends on them.

        Args:
            weights: the present weights.
            gathered: inputs of the batch, by name.
            stashed: what `take` returned for the batch.

        Returns:
            A tensor per weight.
        """
        return [
            old if inputs is None else tf.tensor_scatter_nd_update(weight, _indices(inputs, gathered)[:, None], old)
            for weight, inputs, old in zip(weights, self._inputs, stashed, strict=True)
        ]


def _indices(inputs: Sequence[str], gathered: Mapping[str, tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(gathered[name], (-1,)) for name in inputs], axis=0)


def _lookups(model: keras.Model) -> dict[int, list[str]]:
    """Names of the inputs that index each embedding table, by the id of its weight."""
    names = {id(tensor): tensor.name for tensor in model.inputs}
    found: dict[int, list[str]] = {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Embedding) or layer.embeddings_regularizer is not None:
            continue
        looked_up = [names.get(id(tensor)) for node in layer._inbound_nodes for tensor in node.input_tensors]
        inputs = [name for name in looked_up if name is not None]
        weights = [weight for weight in layer.trainable_variables if weight.name == EMBEDDINGS]
        if inputs and len(inputs) == len(looked_up) and len(weights) == 1:
            found[id(weights[0])] = sorted(set(inputs))
    return found

"""The weights that a batch was computed with, kept while further updates change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from party.models.storage import EMBEDDINGS


class StashedWeights:
    """Keeps dense weights whole, and of an embedding table only the rows that a batch looks up.

    A table that is looked up by something else than inputs of the model, or that a regulariser looks at as a whole,
    is kept whole.

    Args:
        model: a functional model.
    """

    def __init__(self, model: keras.Model) -> None:
        inputs_of = _lookups(model)
        self._inputs = [inputs_of.get(id(weight)) for weight in model.trainable_variables]

    def take(self, weights: Sequence[tf.Tensor], gathered: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """What to keep of the weights of a batch; for use inside a compiled call.

        Args:
            weights: all of them, as the batch uses them.
            gathered: inputs of the batch by name.

        Returns:
            A tensor for each weight: rows of a table, float32 (looked up, dimension), or the weight itself.
        """
        return [
            tf.identity(weight) if inputs is None else tf.gather(weight, _indices(inputs, gathered))
            for weight, inputs in zip(weights, self._inputs, strict=True)
        ]

    def put_back(
        self, weights: Sequence[tf.Tensor], gathered: Mapping[str, tf.Tensor], stashed: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """The weights as they were for a batch, as far as the batch depends on them.

        Args:
            weights: as they are now.
            gathered: inputs of the batch by name.
            stashed: what `take` returned for it.

        Returns:
            A tensor for each weight.
        """
        return [
            kept if inputs is None else tf.tensor_scatter_nd_update(weight, _indices(inputs, gathered)[:, None], kept)
            for weight, inputs, kept in zip(weights, self._inputs, stashed, strict=True)
        ]


def _indices(inputs: Sequence[str], gathered: Mapping[str, tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(gathered[name], (-1,)) for name in inputs], axis=0)


def _lookups(model: keras.Model) -> dict[int, list[str]]:
    """Names of the inputs that each embedding table is looked up by, by the id of its weight."""
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

"""Looks up the rows of embedding tables in their variables, apart from the rest of the model.

Keras reads a variable as a whole before it looks up rows: where an optimizer moves single rows, TensorFlow then copies
the table in every pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from party.engine.remainder import Gradient

WHOLE_NUMBERS = ("int32", "int64")


@dataclass(frozen=True)
class _Lookup:
    """One call of an Embedding layer on an input of the model.

    Attributes:
        table: place of the table in the model's trainable variables.
        input: place of the input in the model's inputs.
        rows: the rows that the layer returns.
    """

    table: int
    input: int
    rows: keras.KerasTensor


class TableLookups:
    """A functional model in two parts: lookups of rows, and the rest, which takes these rows as further inputs.

    Of a table that is looked up here, a pass reads the rows of its batch and no others. The rest keeps tables whose
    indices are computed in the model, and those whose layer does more than look up: a regulariser, a mask, a
    subclass of Keras's own.

    A *value* of a trainable variable is what a pass takes of it: the rows that a batch looks up, float32 (count,
    dimension), lookup after lookup; of all other variables the whole.

    Args:
        model: a functional model.

    Attributes:
        model: the model.
        trainable: its trainable variables.
        states: its non-trainable variables.
        inputs_by_table: for each table that is looked up, by its place in the trainable variables, the places of the
            inputs that name its rows, lookup after lookup.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.trainable = list(model.trainable_variables)
        self.states = list(model.non_trainable_variables)
        self._lookups = _lookups(model)
        self.inputs_by_table: dict[int, list[int]] = {}
        for lookup in self._lookups:
            self.inputs_by_table.setdefault(lookup.table, []).append(lookup.input)
        # Keras makes the rest of the same layers: it has the variables of the model, but not in the same order.
        self._rest = _from_tensors(model, [one.rows for one in self._lookups])
        self._trainable_order = _places(self._rest.trainable_variables, self.trainable)
        self._state_order = _places(self._rest.non_trainable_variables, self.states)

    def values(self, inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The present values of the trainable variables for a batch; those that are whole are read at the point of use.

        Args:
            inputs: inputs of the batch, in the order of the model's inputs.

        Returns:
            A value per trainable variable.
        """
        indices = self._indices(inputs)
        return [
            tf.gather(weight.value, tf.concat(indices[place], axis=0)) if place in indices else weight.value
            for place, weight in enumerate(self.trainable)
        ]

    def __call__(
        self, values: Sequence[tf.Tensor], states: Sequence[tf.Tensor], inputs: Sequence[tf.Tensor]
    ) -> tuple[Mapping[str, tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        """Runs the model in training; its variables do not change.

        Args:
            values: values of the trainable variables.
            states: values of the non-trainable variables.
            inputs: inputs of a batch, in the order of the model's inputs.

        Returns:
            The outputs by name, the values of the non-trainable variables afterwards, and the losses of its layers.
        """
        outputs, after, losses = self._rest.stateless_call(
            [values[place] for place in self._trainable_order],
            [states[place] for place in self._state_order],
            [*inputs, *self._looked_up(values, inputs)],
            training=True,
            return_losses=True,
        )
        changed = dict(zip(self._state_order, after, strict=True))
        return outputs, [changed.get(place, state) for place, state in enumerate(states)], list(losses)

    def infer(self, inputs: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Runs the model outside of training.

        Args:
            inputs: inputs of a batch, in the order of the model's inputs.

        Returns:
            The outputs by name.
        """
        outputs: Mapping[str, tf.Tensor] = self._rest(
            [*inputs, *self._looked_up(self.values(inputs), inputs)], training=False
        )
        return outputs

    def gradients(self, by_values: Sequence[Gradient], inputs: Sequence[tf.Tensor]) -> list[Gradient]:
        """Gradients with respect to the trainable variables.

        Args:
            by_values: gradients with respect to their values.
            inputs: inputs of the batch, in the order of the model's inputs.

        Returns:
            A gradient per variable: for a table that is looked up, one slice for each index of each lookup, as Keras
            has it.
        """
        indices = self._indices(inputs)
        return [
            tf.IndexedSlices(gradient, tf.concat(indices[place], axis=0), tf.constant(list(weight.shape)))
            if place in indices
            else gradient
            for place, (gradient, weight) in enumerate(zip(by_values, self.trainable, strict=True))
        ]

    def _indices(self, inputs: Sequence[tf.Tensor]) -> dict[int, list[tf.Tensor]]:
        """Indices of the rows of every table that is looked up, lookup after lookup."""
        return {
            table: [tf.reshape(inputs[place], (-1,)) for place in places]
            for table, places in self.inputs_by_table.items()
        }

    def _looked_up(self, values: Sequence[tf.Tensor], inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The rows that each lookup returns, as the rest of the model takes them."""
        indices = self._indices(inputs)
        parts = {
            place: _split(values[place], [tf.size(one) for one in indices[place]]) for place in self.inputs_by_table
        }
        return [tf.reshape(parts[one.table].pop(0), (-1, *one.rows.shape[1:])) for one in self._lookups]


def _from_tensors(model: keras.Model, tensors: Sequence[keras.KerasTensor]) -> keras.Model:
    """A model of the same layers that takes some intermediate tensors of a model as further inputs."""
    origins = [tensor._keras_history for tensor in model.inputs]
    rest = keras.Model([*model.inputs, *tensors], model.output, name="rest")
    # Keras notes that inputs come from the new model: it could not save the one that they are of any more.
    for tensor, origin in zip(model.inputs, origins, strict=True):
        tensor._keras_history = origin
    return rest


def _split(rows: tf.Tensor, sizes: list[tf.Tensor]) -> list[tf.Tensor]:
    return [rows] if len(sizes) == 1 else list(tf.split(rows, sizes, num=len(sizes)))


def _places(variables: Sequence[keras.Variable], among: Sequence[keras.Variable]) -> list[int]:
    places = {id(variable): place for place, variable in enumerate(among)}
    return [places[id(variable)] for variable in variables]


def _lookups(model: keras.Model) -> list[_Lookup]:
    inputs = {id(tensor): place for place, tensor in enumerate(model.inputs)}
    tables = {id(weight): place for place, weight in enumerate(model.trainable_variables)}
    found = []
    for layer in model.layers:
        if not _only_looks_up(layer) or id(layer.embeddings) not in tables:
            continue
        calls = [(node.input_tensors, node.output_tensors) for node in _nodes(model, layer)]
        if all(id(taken[0]) in inputs and taken[0].dtype in WHOLE_NUMBERS for taken, _ in calls):
            table = tables[id(layer.embeddings)]
            found += [_Lookup(table, inputs[id(taken[0])], returned[0]) for taken, returned in calls]
    return found


def _only_looks_up(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.Embedding
        and not (layer.mask_zero or layer.lora_enabled or layer.quantization_mode)
        and layer.embeddings_regularizer is None
        and layer.activity_regularizer is None
        and layer.compute_dtype == layer.variable_dtype
    )


def _nodes(model: keras.Model, layer: keras.Layer) -> list[Any]:
    """The calls of a layer within a model, in order: a layer may be part of other models too."""
    within = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
    return [node for node in layer._inbound_nodes if id(node) in within]

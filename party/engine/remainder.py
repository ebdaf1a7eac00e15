"""Results of a traced function that a second operation computes from intermediate results of the first one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

FIRST_OUTPUT = ":0"  # suffix of an operation's first output; a graph definition omits it
CONTROL_INPUT = "^"
COLOCATION = "_class"

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices
"""Of a loss by a weight: slices where the weight is a table that rows are looked up in."""


class InseparableError(Exception):
    """A graph has no second part that can be computed later."""


class Remainder:
    """The part of a graph that only some of its results need; built while the graph is traced.

    Stateful operations, such as reading a variable, belong to the first operation: by the time of the second one, the
    variable may have another value.

    Args:
        urgent: the results of the first operation.
        others: the results of the second operation.
        later: placeholders whose values are known only to the second operation.

    Attributes:
        intermediates: tensors that the first operation must return besides its results.

    Raises:
        InseparableError: a stateful operation depends on a placeholder.
    """

    def __init__(
        self, urgent: Sequence[tf.Tensor], others: Sequence[Gradient], later: Sequence[tf.Tensor] = ()
    ) -> None:
        # TensorFlow runs stateful operations even if unused: the first operation would lack the values.
        if any(operation.op_def.is_stateful for operation in _descendants(later)):
            raise InseparableError("a stateful operation depends on values that are known only later")
        self._later = [tensor.name for tensor in later]
        self._types = [tf.type_spec_from_value(result) for result in others]
        parts = tf.nest.flatten(list(others), expand_composites=True)
        boundary, following = _part(urgent, parts, later)
        self.intermediates = list(boundary.values())
        self._boundary = list(boundary)
        self._others = [tensor.name for tensor in parts]
        self._graph = _excerpt(tf.compat.v1.get_default_graph().as_graph_def(), following)

    def __call__(self, intermediates: Sequence[tf.Tensor], later: Sequence[tf.Tensor] = ()) -> list[Gradient]:
        """Computes the other results, inside another function that is traced.

        Args:
            intermediates: values of the attribute `intermediates`, which the first operation returned.
            later: values of the placeholders `later`.

        Returns:
            The other results.
        """
        known = dict(zip([*self._later, *self._boundary], [*later, *intermediates], strict=True))
        # TensorFlow refuses an input map with a name that no operation uses.
        inputs = {name.removesuffix(FIRST_OUTPUT) for node in self._graph.node for name in node.input}
        taken = {name: tensor for name, tensor in known.items() if name.removesuffix(FIRST_OUTPUT) in inputs}
        computed = [name for name in self._others if name not in known]
        results = tf.graph_util.import_graph_def(self._graph, input_map=taken, return_elements=computed, name="")
        known.update(zip(computed, results, strict=True))
        parts = [known[name] for name in self._others]
        return list(tf.nest.pack_sequence_as(self._types, parts, expand_composites=True))


def _part(
    urgent: Sequence[tf.Tensor], others: Sequence[tf.Tensor], later: Sequence[tf.Tensor]
) -> tuple[dict[str, tf.Tensor], set[str]]:
    """The tensors at the boundary by name, and the names of the operations beyond it."""
    first = _ancestors(urgent)
    given = {tensor.name for tensor in later}
    boundary: dict[str, tf.Tensor] = {}
    following: set[str] = set()
    waiting = list(others)
    while waiting:
        tensor = waiting.pop()
        operation = tensor.op
        if tensor.name in given or operation.name in following:
            continue
        bound = operation in first or operation.type == "Placeholder" or operation.op_def.is_stateful
        if bound and operation.type != "Const":
            boundary[tensor.name] = tensor
        else:
            following.add(operation.name)
            waiting += operation.inputs
    return boundary, following


def _ancestors(tensors: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """All operations that some tensors depend on."""
    found: set[tf.Operation] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found


def _descendants(tensors: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """All operations that depend on some tensors."""
    found: set[tf.Operation] = set()
    waiting = [operation for tensor in tensors for operation in tensor.consumers()]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [after for output in operation.outputs for after in output.consumers()]
    return found


def _excerpt(graph: Any, names: set[str]) -> Any:
    """A graph of some operations of another, without attributes that may name operations outside of it."""
    excerpt = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    for node in graph.node:
        if node.name in names:
            copied = excerpt.node.add()
            copied.CopyFrom(node)
            copied.input[:] = [name for name in node.input if not name.startswith(CONTROL_INPUT)]
            copied.attr.pop(COLOCATION, None)
    return excerpt

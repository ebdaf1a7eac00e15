"""A function of tensors as two operations: what somebody waits for, and what can follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.compiled_call import CompiledCall

FIRST_OUTPUT = ":0"  # of an operation; a graph's definition leaves it out
CONTROL_INPUT = "^"
COLOCATION = "_class"

Function = Callable[..., tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]]
Conclusion = Callable[[list[tf.Tensor]], None]


class PartedCall:
    """Compiles a function in two parts, anew for every size of batch.

    TensorFlow decides in which order one operation computes its results. Of two operations, the first computes the
    urgent results and nothing that they do not need; the second has the other results, and what is done with them.
    What both need is computed once: the first hands on the tensors at the boundary.

    Args:
        function: of tensors, to its urgent results and to the others.
        conclude: what is done with the others.
    """

    def __init__(self, function: Function, conclude: Conclusion) -> None:
        self._function = function
        self._conclude = conclude
        self._compiled: dict[tuple[int, ...], _Parts] = {}

    def __call__(
        self, sizes: tuple[int, ...], *tensors: tf.Tensor | npt.NDArray[np.generic]
    ) -> tuple[list[tf.Tensor], Callable[[], None]]:
        """Computes the urgent results.

        Args:
            sizes: of the batches that the tensors belong to; they decide all shapes.
            tensors: the arguments; an array is not copied where its memory is aligned, and must not change.

        Returns:
            The urgent results, and what concludes the call: whenever it is called, the other results come from the
            variables as they are now.
        """
        parts = self._compiled.get(sizes)
        if parts is None:
            parts = self._compiled[sizes] = _Parts(self._function, self._conclude)
        return parts(sizes, *tensors)


class _Parts:
    """Both operations, for one size of batch."""

    def __init__(self, function: Function, conclude: Conclusion) -> None:
        self._function = function
        self._conclude = conclude
        self._first = CompiledCall(self._trace_first)
        self._second = CompiledCall(self._trace_second)
        self._urgent = 0
        self._boundary: list[str] = []
        self._others: list[str] = []
        self._graph: Any = None

    def __call__(
        self, sizes: tuple[int, ...], *tensors: tf.Tensor | npt.NDArray[np.generic]
    ) -> tuple[list[tf.Tensor], Callable[[], None]]:
        results = self._first(sizes, *tensors)
        boundary = results[self._urgent :]

        def conclude() -> None:
            self._second(sizes, *boundary)

        return results[: self._urgent], conclude

    def _trace_first(self, *tensors: tf.Tensor) -> list[tf.Tensor]:
        """All of the function; TensorFlow leaves out of the operation what is not returned."""
        urgent, others = self._function(*tensors)
        boundary, following = _part(_ancestors(urgent), others)
        self._urgent = len(urgent)
        self._boundary = [tensor.name for tensor in boundary]
        self._others = [tensor.name for tensor in others]
        self._graph = _excerpt(tf.compat.v1.get_default_graph().as_graph_def(), following)
        return [*urgent, *boundary]

    def _trace_second(self, *boundary: tf.Tensor) -> None:
        known = dict(zip(self._boundary, boundary, strict=True))
        inputs = {name.removesuffix(FIRST_OUTPUT) for node in self._graph.node for name in node.input}
        taken = {name: tensor for name, tensor in known.items() if name.removesuffix(FIRST_OUTPUT) in inputs}
        computed = [name for name in self._others if name not in known]
        results = tf.graph_util.import_graph_def(self._graph, input_map=taken, return_elements=computed, name="")
        known.update(zip(computed, results, strict=True))
        self._conclude([known[name] for name in self._others])


def _ancestors(tensors: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """All operations that some tensors come from."""
    found: set[tf.Operation] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found


def _part(first: set[tf.Operation], others: Iterable[tf.Tensor]) -> tuple[list[tf.Tensor], set[str]]:
    """The tensors that the second part takes from the first, and the names of its operations.

    What has a state, as the reading of a variable has, is left to the first part: by the time of the second, the
    variable may have another value.
    """
    boundary: dict[str, tf.Tensor] = {}
    following: set[str] = set()
    waiting = list(others)
    while waiting:
        tensor = waiting.pop()
        operation = tensor.op
        bound = operation in first or operation.type == "Placeholder" or operation.op_def.is_stateful
        if bound and operation.type != "Const":
            boundary[tensor.name] = tensor
        elif operation.name not in following:
            following.add(operation.name)
            waiting += operation.inputs
    return list(boundary.values()), following


def _excerpt(graph: Any, names: set[str]) -> Any:
    """A graph of some operations of another, without what may name operations that are not among them."""
    excerpt = tf.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    for node in graph.node:
        if node.name in names:
            copied = excerpt.node.add()
            copied.CopyFrom(node)
            copied.input[:] = [name for name in node.input if not name.startswith(CONTROL_INPUT)]
            copied.attr.pop(COLOCATION, None)
    return excerpt

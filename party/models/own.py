"""Loads models that a party's owner wrote, and checks that they keep the contract.

A base builder takes the features by name and returns a functional Keras model
and how each of its outputs meets those of other parties:

    def build_base(features):
        film = keras.Input((features["film"].width,), dtype="int32", name="film")
        ...
        return keras.Model({"film": film}, {"item": vector}), {"item": "concat"}

A fuse builder takes the hiddens and the labels by name and returns a model
from all hiddens to one output for every label:

    def build_fuse(hiddens, labels):
        item = keras.Input((hiddens["item"].units,), name="item")
        ...
        return keras.Model({"item": item}, {"liked": logits})

Nothing of this ever crosses the network: a file belongs to its party.
"""

from __future__ import annotations

import hashlib
import importlib.util
import stat
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.configuration.layout import BaseLayout, FuseLayout
from party.configuration.models import OwnFuse, OwnModel
from party.cut.hidden import Aggregation, HiddenSpec
from party.errors import HandshakeError, ModelError
from party.models.initial_weights import draw_initial_weights
from party.models.packing import PackedFeatures, checked
from party.models.storage import EMBEDDINGS
from party.ownership import OTHERS_WRITE, looseness

CHECKED_ROWS = 2
MAXIMUM_UNITS = 1 << 16
RANK = 2


@dataclass(frozen=True, kw_only=True)
class InputFeature:
    """A feature as a base builder sees it.

    Attributes:
        name: name of the feature and of its model input.
        kind: kind of the feature.
        width: number of columns of its input: int32 (batch, width), or float32 (batch, 1) for kind numeric.
        size: number of embedding rows that it needs; every index is below it. Index 0 means missing, or padding for
            kinds multi_hot and sequence.
        table: name of the feature whose vocabulary it shares; its own name if it shares none.
        target: name of the target feature of a sequence, if any.
    """

    name: str
    kind: str
    width: int
    size: int
    table: str
    target: str | None


@dataclass(frozen=True)
class Hidden:
    """A hidden as a fuse builder sees it: float32 (batch, units), aggregated over the parties."""

    name: str
    units: int
    aggregation: str


@dataclass(frozen=True)
class Task:
    """A label as a fuse builder sees it: its output is float32 (batch, units), logits if its kind has classes."""

    name: str
    kind: str
    units: int


def source_digest(folder: Path, file: str) -> str:
    """SHA-256 of a model's file, hexadecimal.

    Args:
        folder: the folder that the file is relative to.
        file: path of the file, as configured.

    Raises:
        ModelError: the file cannot be read, or others may change it.
    """
    path = (folder / file).resolve()
    try:
        _refuse_writers(path, file)
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"cannot be read ({type(error).__name__})", where=path, fix="check model.file") from None


def _refuse_writers(path: Path, file: str) -> None:
    """Refuses a file that others may write or replace: its code runs with the rights of the party."""
    above = path.parent.stat()
    in_folder = looseness(above, 0 if above.st_mode & stat.S_ISVTX else OTHERS_WRITE)
    received = looseness(path.stat(), OTHERS_WRITE) or (in_folder and f"its folder {in_folder}")
    if received is not None:
        raise ModelError(
            "can be changed by others than its owner",
            where=file,
            expected="a file and a folder that only the user of this process writes",
            received=received,
            fix=f"run chmod go-w {path} {path.parent}, and chown them if they are another user's",
            public_message="the file of its own model can be changed by others than its owner",
        )


def build_own_base(layout: BaseLayout, section: OwnModel, folder: Path) -> tuple[keras.Model, tuple[HiddenSpec, ...]]:
    """Builds the base model from an owner's file.

    Args:
        layout: layout of the party's features.
        section: names the file and the function.
        folder: the folder that the file is relative to.

    Returns:
        A model from {feature: array} to {hidden: float32 (batch, units)}, and the specs of its hiddens.

    Raises:
        ModelError: the file or the model breaks the contract.
    """
    where = f"{section.file}: {section.base}"
    features = {
        one.name: InputFeature(
            name=one.name,
            kind=one.kind,
            width=one.width,
            size=one.size,
            table=one.table or one.name,
            target=one.target,
        )
        for one in layout.features
    }
    built = _build(folder, section.file, section.base, layout.source_sha256, features)
    if not (isinstance(built, tuple) and len(built) == RANK and isinstance(built[1], Mapping)):
        raise _broken(where, "returns something else", "a model, and `concat` or `sum` for each of its outputs")
    model, aggregations = built
    outputs = _check_model(model, where)
    for tensor in model.inputs:
        feature = features.get(tensor.name)
        if feature is None:
            raise _broken(where, f"has an input {tensor.name} that is no feature", f"one of {', '.join(features)}")
        expected = ("float32", (None, 1)) if feature.kind == "numeric" else ("int32", (None, feature.width))
        if (tensor.dtype, tuple(tensor.shape)) != expected:
            received = f"{tensor.dtype} {tuple(tensor.shape)}"
            raise _broken(where, f"input {tensor.name} does not fit", f"{expected[0]} {expected[1]}", received)
    if set(aggregations) != set(outputs) or not set(aggregations.values()) <= {one.value for one in Aggregation}:
        expected_text = f"`concat` or `sum` for each of {', '.join(outputs)}"
        raise _broken(where, "does not say how its outputs meet those of other parties", expected_text)
    model.name = "base"
    _check_weights(model, where)
    specs = [
        HiddenSpec(name, int(tensor.shape[1]), Aggregation(aggregations[name])) for name, tensor in outputs.items()
    ]
    return model, tuple(specs)


def build_own_fuse(layout: FuseLayout, section: OwnFuse, folder: Path) -> keras.Model:
    """Builds the fuse model from an owner's file.

    Args:
        layout: layout of the hiddens and the labels.
        section: names the file and the function.
        folder: the folder that the file is relative to.

    Returns:
        A model from {hidden: float32 (batch, units)} to {label: float32 (batch, units of the label)}.

    Raises:
        HandshakeError: the model takes other hiddens than the parties send.
        ModelError: the file or the model breaks the contract.
    """
    where = f"{section.file}: {section.fuse}"
    hiddens = {name: Hidden(name, units, layout.aggregations[name]) for name, units in layout.units.items()}
    tasks = {name: Task(name, label.kind, label.units) for name, label in layout.labels.items()}
    model = _build(folder, section.file, section.fuse, layout.source_sha256, hiddens, tasks)
    outputs = _check_model(model, where)
    taken = {tensor.name: tuple(tensor.shape) for tensor in model.inputs}
    if taken != {name: (None, hidden.units) for name, hidden in hiddens.items()}:
        sent = ", ".join(f"{one.name} ({one.units}, {one.aggregation})" for one in hiddens.values())
        expected = ", ".join(f"{name} ({shape[-1]})" for name, shape in taken.items())
        what = "the hiddens do not fit the fuse model"
        public_message = f"{what}; expected {expected}; received {sent}"
        raise HandshakeError(what, where=where, expected=expected, received=sent, public_message=public_message)
    if {name: tuple(tensor.shape) for name, tensor in outputs.items()} != {
        name: (None, task.units) for name, task in tasks.items()
    }:
        expected = ", ".join(f"{name} (batch, {task.units})" for name, task in tasks.items())
        received = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in outputs.items())
        raise _broken(where, "does not have one output for every label", expected, received)
    model.name = "fuse"
    _check_weights(model, where)
    return model


class OwnRows:
    """Gathers what an owner's base model reads, by feature: int32 (batch, width), or float32 (batch, 1) for numbers.

    Args:
        packed: the party's features.
        model: from `build_own_base`.
    """

    def __init__(self, packed: PackedFeatures, model: keras.Model) -> None:
        taken = {tensor.name for tensor in model.inputs}
        self._rows = packed.rows
        self._features = [feature for feature in packed.encoded if feature.name in taken]

    def gather(self, rows: npt.NDArray[np.int32]) -> Mapping[str, npt.NDArray[Any]]:
        """See `RowSource`."""
        checked(rows, self._rows)
        return {
            feature.name: (feature.encoding.values if feature.kind == "numeric" else feature.encoding.indices)[
                feature.column.gather(rows)
            ]
            for feature in self._features
        }


def _build(folder: Path, file: str, function: str, sha256: str, *arguments: object) -> Any:
    where = f"{file}: {function}"
    if source_digest(folder, file) != sha256:
        raise ModelError(
            "the file has changed since the run was trained",
            where=file,
            fix="restore the file or train anew",
            public_message="the file of its own model has changed since the run was trained; restore it or train anew",
        )
    builder = _load(folder / file, file, function)
    try:
        # Keras numbers unnamed layers per thread: built in a new thread, a model gets the names under which its weights
        # were saved.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="own-model") as fresh:
            return fresh.submit(builder, *arguments).result()
    except Exception as error:  # of errors in an owner's code, only type and line are reported, never the text
        raised = f"raised {type(error).__name__}"
        public_message = f"the code of its own model {raised}; its own log says where"
        raise ModelError(
            f"{raised}{_line(error, folder / file)}", where=where, public_message=public_message
        ) from error


def _load(path: Path, file: str, function: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"own_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ModelError("is no Python file", where=file, fix="check model.file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelError(f"cannot be loaded: {type(error).__name__}{_line(error, path)}", where=file) from error
    builder = getattr(module, function, None)
    if not callable(builder):
        raise ModelError(f"has no function {function}", where=file, fix="check model.base or fuse.fuse")
    return builder  # type: ignore[no-any-return]


def _line(error: BaseException, path: Path) -> str:
    """The line of the owner's file where an error arose, as text."""
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" at line {line}"


def _check_model(model: object, where: str) -> Mapping[str, keras.KerasTensor]:
    """Returns the outputs of a functional model, which must have names and one vector per row."""
    if not isinstance(model, keras.Model) or not hasattr(model, "inputs") or model.inputs is None:
        raise _broken(where, "returns no functional Keras model", "keras.Model(inputs, outputs)")
    outputs = model.output
    if not isinstance(outputs, Mapping) or not outputs:
        raise _broken(where, "has outputs without names", "a mapping of names to tensors")
    for name, tensor in outputs.items():
        fits = tensor.dtype == "float32" and len(tensor.shape) == RANK and tensor.shape[1] is not None
        if not (fits and str(name).isidentifier() and 1 <= tensor.shape[1] <= MAXIMUM_UNITS):
            received = f"{tensor.dtype} {tuple(tensor.shape)}"
            raise _broken(where, f"output {name} cannot be used", "a name in letters, float32 (batch, units)", received)
    return outputs


def _check_weights(model: keras.Model, where: str) -> None:
    """Requires weights that can be drawn from the party's secret and that have a gradient usable by the optimizer."""
    draw_initial_weights(model, np.random.default_rng(0))
    inputs = {tensor.name: tf.zeros((CHECKED_ROWS, tensor.shape[1]), tensor.dtype) for tensor in model.inputs}
    weights = model.trainable_variables
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=False)
        total = tf.add_n([tf.reduce_sum(output) for output in outputs.values()])
    for weight, gradient in zip(weights, tape.gradient(total, [one.value for one in weights]), strict=True):
        if gradient is None:
            raise _broken(where, f"weight {weight.path} has no influence on any output", "outputs that depend on it")
        if isinstance(gradient, tf.IndexedSlices) and weight.name != EMBEDDINGS:
            raise _broken(where, f"weight {weight.path} is looked up by index", "keras.layers.Embedding for tables")


def _broken(where: str, what: str, expected: str, received: str = "") -> ModelError:
    fix = "see docs/configuration.md, a model of your own"
    return ModelError(f"the model {what}", where=where, expected=expected, received=received, fix=fix)

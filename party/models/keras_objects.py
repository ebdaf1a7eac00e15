"""Builds optimizers, schedules, losses and metrics of Keras, and optimizers of its own, from names and arguments."""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Collection, Mapping
from typing import Any

import keras

from party.configuration.keras_objects import KerasObject
from party.configuration.labels import AnyLabel, BinaryLabel, MultiClassLabel
from party.configuration.metrics import MetricSection, plain_name
from party.configuration.run import OptimizerSection
from party.errors import ConfigurationError
from party.models.row_metrics import row_metrics_of
from party.models.row_optimizers import LazyAdam, RowAdagrad

Optimizer = keras.Optimizer

ROW_OPTIMIZERS: Mapping[str, type] = {one.__name__: one for one in (LazyAdam, RowAdagrad)}

# These, like the moving average of weights, change weights outside of a step or contain other optimizers.
UNSUPPORTED_OPTIMIZERS = frozenset({"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "ScheduleFreeAdamW"})
UNSUPPORTED_ARGUMENTS = frozenset({"use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"})
BINARY_LOSSES = frozenset({"BinaryCrossentropy", "BinaryFocalCrossentropy"})
MULTI_CLASS_LOSSES = frozenset({"SparseCategoricalCrossentropy"})
REGRESSION_LOSSES = frozenset(
    {
        "MeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredLogarithmicError",
        "Huber",
        "LogCosh",
    }
)
BINARY_METRICS = frozenset(
    {
        "AUC",
        "BinaryAccuracy",
        "BinaryCrossentropy",
        "FalseNegatives",
        "FalsePositives",
        "TrueNegatives",
        "TruePositives",
        "Precision",
        "Recall",
        "PrecisionAtRecall",
        "RecallAtPrecision",
        "SensitivityAtSpecificity",
        "SpecificityAtSensitivity",
    }
)
MULTI_CLASS_METRICS = frozenset(
    {"SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "SparseCategoricalCrossentropy"}
)
REGRESSION_METRICS = frozenset(
    {
        "RootMeanSquaredError",
        "MeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredLogarithmicError",
        "LogCoshError",
        "R2Score",
    }
)


# Names that people use, besides those of Keras; accuracy is that of the label's kind, as Keras has it in `compile`.
OTHER_NAMES = {
    "binary": {"accuracy": "BinaryAccuracy"},
    "multi_class": {"accuracy": "SparseCategoricalAccuracy"},
    "regression": {
        "rmse": "RootMeanSquaredError",
        "mse": "MeanSquaredError",
        "mae": "MeanAbsoluteError",
        "mape": "MeanAbsolutePercentageError",
        "msle": "MeanSquaredLogarithmicError",
        "r2": "R2Score",
    },
}


def build_optimizer(section: OptimizerSection, where: str) -> keras.Optimizer:
    """Builds the optimizer of a run, with the defaults of Keras for everything that the section omits.

    Args:
        section: the optimizer's name, learning rate or schedule, and further arguments.
        where: name of the party and key, for errors.

    Returns:
        A new optimizer.

    Raises:
        ConfigurationError: there is no optimizer of this name, or it does not take an argument.
    """
    classes = {**_classes(keras.optimizers, keras.optimizers.Optimizer), **ROW_OPTIMIZERS}
    known = {name: one for name, one in classes.items() if name not in UNSUPPORTED_OPTIMIZERS}
    rate: Any = section.learning_rate
    if isinstance(rate, KerasObject):
        schedules = keras.optimizers.schedules
        kinds = _classes(schedules, schedules.LearningRateSchedule)
        del kinds["LearningRateSchedule"]
        rate = _build(rate, kinds, f"{where}.learning_rate")
    refused = sorted(UNSUPPORTED_ARGUMENTS & set(section.arguments))
    if refused:
        raise ConfigurationError(f"argument {refused[0]} is not supported", where=f"{where}.arguments")
    if "learning_rate" in section.arguments:
        raise ConfigurationError("learning_rate stands outside of arguments", where=f"{where}.arguments")
    given = KerasObject(name=section.name, arguments=section.arguments)
    return _build(given, known, where, learning_rate=rate)


def build_loss(label: AnyLabel, where: str) -> keras.Loss:
    """Builds the loss of a label, which is computed per row from logits.

    Args:
        label: the label's section.
        where: name of the party and key, for errors.

    Returns:
        A loss that returns float32 (batch,).

    Raises:
        ConfigurationError: the label's kind has no such loss, or the loss does not take an argument.
    """
    where = f"{where}.loss"
    refused = sorted({"reduction", "from_logits", "dtype"} & set(label.loss.arguments))
    if refused:
        raise ConfigurationError(f"argument {refused[0]} is fixed", where=where)
    match label:
        case BinaryLabel():
            return _build(label.loss, _named(keras.losses, BINARY_LOSSES), where, reduction=None, from_logits=True)
        case MultiClassLabel():
            known = _named(keras.losses, MULTI_CLASS_LOSSES)
            return _build(label.loss, known, where, reduction=None, from_logits=True)
    return _build(label.loss, _named(keras.losses, REGRESSION_LOSSES), where, reduction=None)


def build_metric(label: AnyLabel, given: MetricSection, where: str) -> keras.Metric:
    """Builds a metric of Keras, which takes probabilities or numbers.

    Args:
        label: the label's section.
        given: one of its metrics.
        where: name of the party and key, for errors.

    Returns:
        A new metric.

    Raises:
        ConfigurationError: the label's kind has no such metric, or the metric does not take an argument.
    """
    known = {"binary": BINARY_METRICS, "multi_class": MULTI_CLASS_METRICS}.get(label.kind, REGRESSION_METRICS)
    plain = plain_name(given.name)
    if label.kind == "regression" and plain.endswith("accuracy"):
        raise ConfigurationError(
            f"{given.name} counts rows whose class is right, and a regression label has no classes",
            where=where,
            expected=f"one of {', '.join(sorted(known))}",
            fix="did you mean MeanAbsoluteError?",
        )
    name = OTHER_NAMES[label.kind].get(plain, given.name)
    classes = _named(keras.metrics, known)
    return _build(given.model_copy(update={"name": name}), classes, where, also=row_metrics_of(label.kind))


def _classes(module: types.ModuleType, base: type) -> dict[str, type]:
    return {name: one for name, one in vars(module).items() if inspect.isclass(one) and issubclass(one, base)}


def _named(module: types.ModuleType, names: Collection[str]) -> dict[str, type]:
    return {name: getattr(module, name) for name in names}


def _build(
    given: KerasObject,
    known: Mapping[str, type],
    where: str,
    *,
    also: Collection[str] = (),
    **fixed: object,
) -> Any:
    """Builds an object of Keras; an error for an unknown name also offers others that are no objects of Keras."""
    by_name = {plain_name(name): name for name in known}
    name = by_name.get(plain_name(given.name))
    if name is None:
        by_name |= {plain_name(one): one for one in also}
        nearest = difflib.get_close_matches(plain_name(given.name), by_name, n=1, cutoff=0.0)
        raise ConfigurationError(
            f"{given.name} is not known here",
            where=where,
            expected=f"one of {', '.join([*sorted(known), *also])}",
            fix=f"did you mean {by_name[nearest[0]]}?",
        )
    try:
        return known[name](**{**fixed, **given.arguments})
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} does not take these arguments: {_first_line(error)}", where=where) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]

"""The labels of the label party: what the model is trained to predict."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from party.configuration.canonical_text import canonical_text
from party.configuration.keras_objects import KerasObject, NamedKerasObject
from party.configuration.label_privacy import LabelPrivacy, NumberPrivacy
from party.configuration.metrics import MetricSection, NamedMetric
from party.configuration.patterns import TASK_PATTERN
from party.configuration.rules import RuleParts, checked_rule, rule_parts
from party.configuration.strict import StrictModel, kind_of

Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Label(StrictModel):
    """The keys of every kind of label.

    Attributes:
        metrics: metrics to report for this label besides its loss.
        weight: weight of this label's loss in the sum over all labels.
        privacy: draws the label at random for everything that leaves; omitted where it is used as it is.
    """

    metrics: tuple[NamedMetric, ...] = Field(default=(), strict=False)
    weight: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    privacy: LabelPrivacy | None = None

    @property
    def units(self) -> int:
        """Width of the model's output for this label."""
        return 1


class ClassWeights(StrictModel):
    """Weights of the rows of each class in training.

    Attributes:
        negative: of rows for which the rule does not hold.
        positive: of rows for which it holds.
    """

    negative: Weight = 1.0
    positive: Weight = 1.0


class BinaryLabel(Label):
    """A label with two classes.

    Attributes:
        rule: COLUMN OPERATOR VALUE, such as `Rating > 3`; rows for which it holds are the positive class.
        loss: a Keras loss.
        metrics: metrics to report besides the loss.
        class_weights: weights of the rows of each class in training.
    """

    kind: Literal["binary"] = "binary"
    rule: str
    loss: NamedKerasObject = KerasObject(name="binary_crossentropy")
    metrics: tuple[NamedMetric, ...] = Field(
        default=(MetricSection(name="auc"), MetricSection(name="precision"), MetricSection(name="recall")), strict=False
    )
    class_weights: ClassWeights = ClassWeights()

    @field_validator("rule")
    @classmethod
    def _parses(cls, rule: str) -> str:
        return checked_rule(rule)

    @property
    def parts(self) -> RuleParts:
        """Column, operator and value of the rule."""
        return rule_parts(self.rule)

    @property
    def source(self) -> str:
        """The column that the label is read from."""
        return self.parts.column


class RegressionLabel(Label):
    """A number.

    Attributes:
        column: the column with the number.
        loss: a Keras loss.
        metrics: metrics to report besides the loss.
        scale: whether the model learns the number in units of its deviation over the training rows, or as it is.
        privacy: as for every label, with public bounds.
    """

    kind: Literal["regression"]
    column: str = Field(min_length=1)
    loss: NamedKerasObject = KerasObject(name="mean_squared_error")
    metrics: tuple[NamedMetric, ...] = Field(
        default=(MetricSection(name="root_mean_squared_error"), MetricSection(name="mean_absolute_error")), strict=False
    )
    scale: Literal["standard", "none"] = "standard"
    privacy: NumberPrivacy | None = None

    @property
    def source(self) -> str:
        """The column that the label is read from."""
        return self.column


class MultiClassLabel(Label):
    """One of several classes.

    Attributes:
        column: the column with the class.
        classes: all classes; any other text is an error.
        loss: a Keras loss.
        metrics: metrics to report besides the loss.
        class_weights: weights in training of the rows of a class; 1 for a class that is omitted.
    """

    kind: Literal["multi_class"]
    column: str = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=2, max_length=10_000, strict=False)
    loss: NamedKerasObject = KerasObject(name="sparse_categorical_crossentropy")
    metrics: tuple[NamedMetric, ...] = Field(default=(MetricSection(name="sparse_categorical_accuracy"),), strict=False)
    class_weights: dict[str, Weight] = Field(default={})

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        places = self.places
        if len(places) < len(self.classes) or "" in places:
            raise ValueError("classes must differ as values, and none may be empty")
        unknown = sorted(name for name in self.class_weights if canonical_text(name) not in places)
        if unknown:
            raise ValueError(f"class_weights names {unknown[0]}, which is not in classes")
        if len({canonical_text(name) for name in self.class_weights}) < len(self.class_weights):
            raise ValueError("class_weights names a class twice")
        return self

    @property
    def places(self) -> dict[str, int]:
        """The number of each class by its canonical text."""
        return {canonical_text(name): number for number, name in enumerate(self.classes)}

    @property
    def weights_by_class(self) -> tuple[float, ...]:
        """The weight of the rows of each class, in the order of the classes."""
        weights = {canonical_text(name): weight for name, weight in self.class_weights.items()}
        return tuple(weights.get(canonical_text(name), 1.0) for name in self.classes)

    @property
    def source(self) -> str:
        """The column that the label is read from."""
        return self.column

    @property
    def units(self) -> int:
        """One output for each class."""
        return len(self.classes)


AnyLabel = Annotated[
    Annotated[BinaryLabel, Tag("[binary]")]
    | Annotated[RegressionLabel, Tag("[regression]")]
    | Annotated[MultiClassLabel, Tag("[multi_class]")],
    Discriminator(kind_of("binary")),
]
Labels = dict[Annotated[str, Field(pattern=TASK_PATTERN)], AnyLabel]


def group_columns(labels: Labels) -> tuple[str, ...]:
    """The columns whose equal cells make groups for metrics, each once, in the order of the configuration.

    Args:
        labels: labels by name.
    """
    named = (metric.by for label in labels.values() for metric in label.metrics)
    return tuple(dict.fromkeys(column for column in named if column is not None))

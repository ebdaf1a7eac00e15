"""The metrics that a label names: those of this project and those of Keras."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from party.configuration.keras_objects import KerasObject, named
from party.configuration.patterns import KERAS_NAME_PATTERN

RowMetricName = Literal[
    "f1", "pr_auc", "log_loss", "calibration", "calibration_error", "grouped_auc", "hit_rate", "ndcg"
]
ROW_METRICS: tuple[RowMetricName, ...] = get_args(RowMetricName)
OTHER_NAMES: dict[str, RowMetricName] = {
    "f1_score": "f1",
    "average_precision": "pr_auc",
    "expected_calibration_error": "calibration_error",
    "gauc": "grouped_auc",
}
GROUPED: tuple[RowMetricName, ...] = ("grouped_auc", "hit_rate", "ndcg")
RANKED: tuple[RowMetricName, ...] = ("hit_rate", "ndcg")
LONGEST_LIST = 1000


class MetricSection(KerasObject):
    """A metric of a label: one of ROW_METRICS, or a metric of Keras.

    Attributes:
        name: as this project or Keras writes it, or in lower case with underscores.
        arguments: of the constructor of a metric of Keras.
        by: column of this party's file whose equal cells make a group of rows; for grouped_auc, hit_rate and ndcg.
        k: length of the ranked list of a group; for hit_rate and ndcg.
    """

    by: str | None = Field(default=None, min_length=1)
    k: int | None = Field(default=None, ge=1, le=LONGEST_LIST)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = self.row_metric
        if known in GROUPED and self.by is None:
            k = ", k: 10" if known in RANKED else ""
            raise ValueError(
                f"{self.name} needs by, the column whose equal cells make a group of rows, such as"
                f" {{name: {known}, by: UserID{k}}}"
            )
        if known in RANKED and self.k is None:
            raise ValueError(f"{self.name} needs k, the length of the ranked list of a group, such as k: 10")
        if known not in GROUPED and self.by is not None:
            raise ValueError(f"by belongs to {', '.join(GROUPED)}, not to {self.name}")
        if known not in RANKED and self.k is not None:
            raise ValueError(f"k belongs to {', '.join(RANKED)}, not to {self.name}; for one of Keras: arguments")
        if known is not None and self.arguments:
            raise ValueError(f"{self.name} takes no arguments; by and k stand beside name")
        return self

    @property
    def row_metric(self) -> RowMetricName | None:
        """The name of a metric of this project; None for one of Keras."""
        names = {plain_name(name): name for name in ROW_METRICS}
        names |= {plain_name(other): name for other, name in OTHER_NAMES.items()}
        return names.get(plain_name(self.name))


def plain_name(name: str) -> str:
    """A name however it is written: without underscores, in lower case."""
    return name.replace("_", "").lower()


NamedMetric = Annotated[
    MetricSection,
    BeforeValidator(named, json_schema_input_type=Annotated[str, Field(pattern=KERAS_NAME_PATTERN)] | MetricSection),
]

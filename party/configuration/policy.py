"""What the owner of a party allows: the section `policy` of its file."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from party.configuration.budgets import BudgetsSection
from party.configuration.run import CodecKind
from party.configuration.sections import Name
from party.configuration.strict import StrictModel

DataQualityLevel = Literal["none", "warnings", "shares"]
MaximumReading = Annotated[float, Field(gt=0.5, lt=1.0)] | None


class PolicySection(StrictModel):
    """What this party's owner allows others to request.

    The limits on counts use the ledger: they hold over all runs, restarts and coordinators.

    Attributes:
        minimum_batch: fewest rows in any batch of training, the last of an epoch included.
        minimum_metric_rows: fewest rows behind any metric that is released to the coordinator.
        running_metrics: whether metrics are released to the coordinator during a pass.
        exact_metrics: whether metrics are released to the coordinator exactly, neither bounded nor rounded.
        maximum_epochs: most epochs of one run.
        maximum_restores: most times that one run may go back to a checkpoint or to its beginning.
        maximum_runs: most runs that may train on one dataset.
        maximum_measurements: most sessions that may measure with one dataset, as `coordinator plan` does.
        maximum_evaluations: most evaluations of one dataset.
        maximum_predictions: most predictions of one dataset.
        maximum_alignments_per_day: most alignments with one peer within 24 hours.
        maximum_sessions_per_day: most sessions, of any purpose, that one coordinator may request within 24 hours.
        maximum_releases_per_row: most times that the rows of one dataset may be released to a peer, on average.
        budgets: most that may be spent of epsilon.
        training_datasets: datasets that may be trained and measured on.
        maximum_label_reading: highest reading of the label party's meters; above, the session ends. None: no limit.
        maximum_column_reading: highest reading of a feature party's meters; above, the session ends. None: no limit.
        minimum_intersection: fewest rows in common that an alignment may end with.
        maximum_peer_rows: most rows that a peer may have in an alignment.
        allowed_aggregations: how hiddens may be combined with those of other parties.
        allowed_codecs: how the tensors of a training batch may be encoded.
        require_secure_aggregation: whether hiddens may leave the feature parties only as a masked sum.
        inference_datasets: datasets that may be evaluated and predicted; all of them if omitted.
        allow_predict: whether predictions may be written at the label party.
        shuffled_columns: whether evaluations may shuffle one of this party's columns among the rows.
        peer_sets: sets of peers that a run may have; only all of `peers` if omitted.
        share_schema: whether errors for the coordinator may name columns and files of the data.
        data_quality: what the coordinator learns of the quality of a dataset.
        reveal_row_counts: peers that may learn how many rows of the label party each of their entities has.
    """

    minimum_batch: int = Field(default=1, ge=1)
    minimum_metric_rows: int = Field(default=32, ge=1)
    running_metrics: bool = False
    exact_metrics: bool = False
    maximum_epochs: int = Field(default=1000, ge=1)
    maximum_restores: int = Field(default=20, ge=0)
    maximum_runs: int = Field(default=200, ge=0)
    maximum_measurements: int = Field(default=50, ge=0)
    maximum_evaluations: int = Field(default=10, ge=0)
    maximum_predictions: int = Field(default=100, ge=0)
    maximum_alignments_per_day: int = Field(default=20, ge=0)
    maximum_sessions_per_day: int = Field(default=1000, ge=0)
    maximum_releases_per_row: int = Field(default=10_000, ge=0)
    budgets: BudgetsSection = BudgetsSection()
    maximum_label_reading: MaximumReading = None
    maximum_column_reading: MaximumReading = None
    minimum_intersection: int = Field(default=1, ge=1)
    maximum_peer_rows: int = Field(default=100_000_000, ge=1)
    allowed_aggregations: tuple[Literal["concat", "sum"], ...] = Field(
        default=("concat", "sum"), min_length=1, strict=False
    )
    allowed_codecs: tuple[CodecKind, ...] = Field(default=get_args(CodecKind), min_length=1, strict=False)
    require_secure_aggregation: bool = False
    training_datasets: tuple[str, ...] = Field(default=("train",), strict=False)
    inference_datasets: tuple[str, ...] | None = Field(default=None, strict=False)
    allow_predict: bool = True
    shuffled_columns: bool = False
    peer_sets: tuple[Annotated[tuple[Name, ...], Field(strict=False)], ...] | None = Field(default=None, strict=False)
    share_schema: bool = False
    data_quality: DataQualityLevel = "warnings"
    reveal_row_counts: tuple[Name, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _allows_sums(self) -> Self:
        if self.require_secure_aggregation and "sum" not in self.allowed_aggregations:
            raise ValueError("require_secure_aggregation needs sum among allowed_aggregations")
        if self.require_secure_aggregation and "float32" not in self.allowed_codecs:
            raise ValueError("require_secure_aggregation needs float32 among allowed_codecs")
        return self

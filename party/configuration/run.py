"""The run configuration: the one byte string that Open carries and that every party signs."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from party.configuration.extent import RUN_EXTENT, check_extent
from party.configuration.feature_parties import check_feature_parties
from party.configuration.keras_objects import Arguments, KerasObject
from party.configuration.patterns import DATASET_PATTERN, KERAS_NAME_PATTERN, METRIC_PATTERN
from party.configuration.sections import Name
from party.configuration.strict import StrictModel, validate
from party.errors import ConfigurationError

MAXIMUM_CONFIGURATION_BYTES = 64 * 1024
MAXIMUM_COUNT = 1_000_000_000  # of epochs, steps and the like
MAXIMUM_PARTIES = 64
MAXIMUM_DATASETS = 64
MAXIMUM_BATCH = 1 << 20
MAXIMUM_PATIENCE = 20  # with restore_best: a feature party retains its weights of patience + 1 epochs
INFERENCE_BATCHES_UNDER_WAY = 4  # of those outside of training, on the way to each party

Mode = Literal["min", "max"]
CodecKind = Literal["float32", "float16", "bfloat16", "int8", "int4", "topk", "randomk"]
DatasetName = Annotated[str, Field(pattern=DATASET_PATTERN)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class OptimizerSection(StrictModel):
    """An optimizer, which a party applies to its own weights.

    Attributes:
        name: name of an optimizer of Keras; or `lazy_adam` or `row_adagrad`, which move only rows of the batch.
        learning_rate: a number, or a Keras learning rate schedule.
        arguments: further arguments of its constructor.
    """

    name: str = Field(default="adam", pattern=KERAS_NAME_PATTERN)
    learning_rate: Annotated[
        Annotated[float, Field(gt=0.0, allow_inf_nan=False), Tag("[number]")]
        | Annotated[KerasObject, Tag("[schedule]")],
        Discriminator(lambda value: "[schedule]" if isinstance(value, dict | KerasObject) else "[number]"),
    ] = 0.001
    arguments: Arguments = Field(default={})


class EarlyStoppingSection(StrictModel):
    """When to stop before the last epoch; needs held-out rows.

    Attributes:
        metric: metric of the held-out rows, as the history names it: `val_loss`, `val_auc`, ...
        mode: whether smaller or larger is better; what the metric means if omitted, as it may be where that is known.
        patience: epochs without an improvement before the run stops; with `restore_best` at most MAXIMUM_PATIENCE.
        minimum_delta: least change that counts as an improvement.
        restore_best: whether every party restores its weights of the best epoch.
    """

    metric: str = Field(default="val_loss", pattern=METRIC_PATTERN)
    mode: Mode | None = None
    patience: int = Field(default=0, ge=0, le=MAXIMUM_COUNT)
    minimum_delta: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    restore_best: bool = True

    @model_validator(mode="after")
    def _bounds_saved_epochs(self) -> Self:
        if self.restore_best and self.patience > MAXIMUM_PATIENCE:
            raise ValueError(
                f"patience may be {MAXIMUM_PATIENCE} at most with restore_best, which retains the weights of"
                " patience + 1 epochs: lower it, or set restore_best: false"
            )
        return self


class ScheduleSection(StrictModel):
    """How many batches are in flight between the parties at a time.

    Attributes:
        kind: `synchronous`, which equals training the joined model in one process; or `pipelined`, whose feature
            parties send further batches before the gradients of the first arrive, computed on weights that are up to
            depth - 1 updates old. A coordinator's file may also say `auto`, which takes what its planner recommends.
        depth: batches in flight; a pipelined schedule has 2 if omitted.
    """

    kind: Literal["synchronous", "pipelined", "auto"] = "synchronous"
    depth: int | None = Field(default=None, ge=1, le=64)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind == "synchronous" and self.depth not in (None, 1):
            raise ValueError("depth belongs to kind pipelined: a synchronous schedule has one batch under way")
        if self.kind == "auto" and self.depth is not None:
            raise ValueError("depth belongs to kind pipelined: with kind auto the planner chooses it")
        return self

    @property
    def batches_under_way(self) -> int:
        """Most batches whose gradients have not arrived yet."""
        if self.kind == "auto":
            raise RuntimeError("a schedule of kind auto is not decided yet")
        if self.kind == "synchronous":
            return 1
        return 2 if self.depth is None else self.depth


class LocalUpdatesSection(StrictModel):
    """Further updates between two exchanges, on batches that were exchanged before.

    Attributes:
        steps: number of local steps after the update by each exchanged batch.
        window: number of latest exchanged batches to draw from; a batch is not drawn again within this many draws.
        uses: most local steps with one batch; 0 means training without local updates.
        minimum_cosine: each row is weighted by the cosine between the exchanged values and those that the present
            weights give, and left out if the cosine is below this; null gives every row its full weight.
    """

    steps: int = Field(ge=1, le=64)
    window: int = Field(default=5, ge=1, le=64)
    uses: int = Field(default=5, ge=0, le=MAXIMUM_COUNT)
    minimum_cosine: float | None = Field(default=0.5, ge=0.0, le=1.0)


class CodecSection(StrictModel):
    """How the tensors of a training batch are encoded; all but float32 lose something.

    Attributes:
        kind: `float32`, lossless; `float16`, `bfloat16`; `int8`, `int4` with a range for each row; `topk`, the
            largest values of a row; `randomk`, columns drawn at random for each batch.
        fraction: share of the columns that topk and randomk send.
        values: how topk and randomk encode the values that they send.
        error_feedback: whether the parties store for every row what the codec lost, and add it when the row is next
            sent.
    """

    kind: CodecKind = "float32"
    fraction: float | None = Field(default=None, gt=0.0, lt=1.0)
    values: Literal["float32", "int8"] = "float32"
    error_feedback: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        selects_columns = self.kind in ("topk", "randomk")
        if selects_columns and self.fraction is None:
            raise ValueError(f"kind {self.kind} needs a fraction")
        if not selects_columns and (self.fraction is not None or self.values != "float32"):
            raise ValueError("fraction and values belong to topk and randomk")
        if self.error_feedback and self.kind == "float32":
            raise ValueError("error_feedback belongs to a codec that loses something: float32 does not")
        return self

    @property
    def selected_fraction(self) -> float:
        """The fraction; 1 for a codec that sends all columns."""
        return 1.0 if self.fraction is None else self.fraction


class CodecsSection(StrictModel):
    """How the tensors of a training batch are encoded in each direction.

    Attributes:
        hidden: from a feature party to the label party.
        gradient: from the label party to a feature party.
    """

    hidden: CodecSection = CodecSection()
    gradient: CodecSection = CodecSection()


class TrainingSection(StrictModel):
    """The training parameters that a coordinator chooses.

    Attributes:
        dataset: name of the dataset to train on.
        validation_fraction: share of its rows that is held out.
        validation_dataset: name of another dataset, all rows of which are held out in place of such a share.
        seed: together with secrets of the parties, determines the order of rows, the weights and everything
            else that is random; alone it determines neither rows nor weights.
        epochs: number of passes over the training rows.
        batch_size: number of rows of a step.
        remainder: whether the last, smaller batch of an epoch is used or dropped.
        evaluation_batch_size: number of rows of a batch outside of training.
        maximum_steps: number of steps after which to stop; no limit if omitted.
        optimizer: optimizer of every party whose own file names none.
        early_stopping: when to stop before the last epoch; never if omitted.
        schedule: how many batches are in flight at a time.
        local_updates: further updates between two exchanges; none if omitted.
        codecs: how the tensors of a training batch are encoded.
        secure_aggregation: whether the label party gets the masked sum of all feature parties' hiddens instead of each
            party's own. It hides which party contributed what, and neither attributes of entities nor labels.
        distinct: with joins, whether an entity travels once for a batch, however many of its rows are in it; true if
            omitted, except with secure aggregation.
        party_dropout: by feature party, the share of the rows of training batches that are trained as if it had no
            entity for them.
    """

    dataset: DatasetName = "train"
    validation_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    validation_dataset: DatasetName | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    epochs: int = Field(default=1, ge=1, le=MAXIMUM_COUNT)
    batch_size: int = Field(default=128, ge=1, le=MAXIMUM_BATCH)
    remainder: Literal["keep", "drop"] = "keep"
    evaluation_batch_size: int = Field(default=4096, ge=1, le=MAXIMUM_BATCH)
    maximum_steps: int | None = Field(default=None, ge=0, le=MAXIMUM_COUNT)
    optimizer: OptimizerSection = OptimizerSection()
    early_stopping: EarlyStoppingSection | None = None
    schedule: ScheduleSection = ScheduleSection()
    local_updates: LocalUpdatesSection | None = None
    codecs: CodecsSection = CodecsSection()
    secure_aggregation: bool = False
    distinct: bool | None = None
    party_dropout: dict[Name, Share] = Field(default={}, max_length=MAXIMUM_PARTIES)

    @model_validator(mode="after")
    def _adds_up_what_is_exact(self) -> Self:
        if self.secure_aggregation and self.codecs.hidden.kind != "float32":
            raise ValueError(
                f"secure_aggregation adds up fixed-point numbers under masks, and codecs.hidden.kind"
                f" {self.codecs.hidden.kind} would lose bits of a mask: set float32"
            )
        if self.secure_aggregation and self.distinct:
            raise ValueError("secure_aggregation adds up rows, and entities of two parties differ: set distinct: false")
        if self.secure_aggregation and self.party_dropout:
            raise ValueError("secure_aggregation hides each party's hiddens: none can be dropped from the sum")
        return self

    @model_validator(mode="after")
    def _has_rows_to_stop_by(self) -> Self:
        if self.early_stopping is not None and not self.validation_fraction and self.validation_dataset is None:
            raise ValueError("early_stopping needs held-out rows: set validation_fraction or validation_dataset")
        return self

    @property
    def sends_distinct(self) -> bool:
        """Whether an entity travels once for a batch, which makes a difference with joins alone."""
        return not self.secure_aggregation if self.distinct is None else self.distinct

    @model_validator(mode="after")
    def _holds_out_one_way(self) -> Self:
        if self.validation_dataset is not None and self.validation_fraction:
            raise ValueError("validation_dataset and validation_fraction exclude each other: hold out either")
        if self.validation_dataset == self.dataset:
            raise ValueError("validation_dataset must be another dataset than the one to train on")
        return self

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that a run reads: the one to train on, then the one to hold out."""
        return (self.dataset,) if self.validation_dataset is None else (self.dataset, self.validation_dataset)


class AlignmentSection(StrictModel):
    """How ids are aligned.

    Attributes:
        datasets: names of the datasets to align.
        chunk_rows: number of ids in one message; bounds the memory, and is the step of the progress bar.
    """

    datasets: Annotated[tuple[DatasetName, ...], Field(min_length=1, max_length=MAXIMUM_DATASETS, strict=False)] = (
        "train",
    )
    chunk_rows: int = Field(default=8192, ge=64, le=500_000)


class RunConfiguration(StrictModel):
    """The run configuration: everything shared, nothing secret, no code.

    Attributes:
        parties: names of all parties, ascending.
        label_party: name of the label party, one of them.
        alignment: which datasets are aligned, and how.
        training: the training parameters.
    """

    parties: Annotated[tuple[Name, ...], Field(min_length=2, max_length=MAXIMUM_PARTIES, strict=False)]
    label_party: Name
    alignment: AlignmentSection = AlignmentSection()
    training: TrainingSection = TrainingSection()

    @field_validator("parties")
    @classmethod
    def _sorted(cls, parties: tuple[str, ...]) -> tuple[str, ...]:
        if list(parties) != sorted(set(parties)):
            raise ValueError("parties must be sorted, each once")
        return parties

    @model_validator(mode="after")
    def _label_party_takes_part(self) -> Self:
        if self.label_party not in self.parties:
            raise ValueError("label_party must be one of the parties")
        return self

    @model_validator(mode="after")
    def _feature_parties_suffice(self) -> Self:
        training = self.training
        check_feature_parties(self.feature_parties, summed=training.secure_aggregation, dropout=training.party_dropout)
        return self

    @model_validator(mode="after")
    def _schedule_is_decided(self) -> Self:
        if self.training.schedule.kind == "auto":
            raise ValueError(
                "training.schedule.kind auto belongs to a coordinator's file: parties agree on a decided one"
            )
        return self

    @property
    def feature_parties(self) -> tuple[str, ...]:
        """All parties but the label party, ascending."""
        return tuple(name for name in self.parties if name != self.label_party)

    @property
    def masked_parties(self) -> tuple[str, ...]:
        """The feature parties whose hiddens the label party gets as a masked sum; empty without secure aggregation."""
        return self.feature_parties if self.training.secure_aggregation else ()

    def to_bytes(self) -> bytes:
        """The configuration as the byte string that is sent, hashed and signed."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def run_configuration_from_bytes(data: bytes) -> RunConfiguration:
    """Parses a received run configuration strictly.

    Args:
        data: JSON as `RunConfiguration.to_bytes` makes it, at most 64 KiB.

    Returns:
        The validated configuration.

    Raises:
        ConfigurationError: it is too long or too large, is not JSON, or has unknown keys or invalid values.
    """
    where = "run configuration"
    if len(data) > MAXIMUM_CONFIGURATION_BYTES:
        raise ConfigurationError("is too long", where=where, expected=f"at most {MAXIMUM_CONFIGURATION_BYTES} bytes")
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigurationError("is no JSON", where=where) from None
    check_extent(content, RUN_EXTENT, where)
    return validate(RunConfiguration, content, where)

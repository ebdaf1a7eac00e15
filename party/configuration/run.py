"""What the parties of a run agree on: the one byte string that Open carries and every party signs."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from party.configuration.keras_objects import NAME_PATTERN, Arguments, KerasObject
from party.configuration.sections import Name
from party.configuration.strict import DATASET_PATTERN, StrictModel, validate
from party.errors import ConfigurationError

MAXIMUM_CONFIGURATION_BYTES = 256 * 1024
MAXIMUM_BATCH = 1 << 20
INFERENCE_BATCHES_UNDER_WAY = 4  # of those outside of training, on the way to each party

CodecKind = Literal["float32", "float16", "bfloat16", "int8", "int4", "topk", "randomk"]
DatasetName = Annotated[str, Field(pattern=DATASET_PATTERN)]


class OptimizerSection(StrictModel):
    """An optimizer of Keras, which a party applies to its own weights.

    Attributes:
        name: of the optimizer.
        learning_rate: its step size, or a schedule of Keras.
        arguments: further arguments of its constructor.
    """

    name: str = Field(default="adam", pattern=NAME_PATTERN)
    learning_rate: Annotated[
        Annotated[float, Field(gt=0.0, allow_inf_nan=False), Tag("[number]")]
        | Annotated[KerasObject, Tag("[schedule]")],
        Discriminator(lambda value: "[schedule]" if isinstance(value, dict | KerasObject) else "[number]"),
    ] = 0.001
    arguments: Arguments = Field(default={})


class EarlyStoppingSection(StrictModel):
    """When to stop before the last epoch; needs held-out rows.

    Attributes:
        metric: of the held-out rows, as the history names it: `val_loss`, `val_auc`, ...
        mode: whether less or more of it is better.
        patience: epochs without an improvement that are let pass.
        minimum_delta: what counts as an improvement.
        restore_best: whether every party goes back to its weights of the best epoch.
    """

    metric: str = Field(default="val_loss", pattern=r"^val_[a-z0-9_]{1,128}$")
    mode: Literal["min", "max"] = "min"
    patience: int = Field(default=0, ge=0)
    minimum_delta: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    restore_best: bool = True


class ScheduleSection(StrictModel):
    """How many batches are under way between the parties at a time.

    Attributes:
        kind: `synchronous`, which equals training the joined model in one process; or `pipelined`, whose feature
            parties send further batches before the gradients of the first come, computed on weights that are up to
            depth - 1 updates old. In a coordinator's file also `auto`: what its planner recommends.
        depth: batches under way; 2 where a pipelined schedule does not say.
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
        """Most batches whose gradients are still to come."""
        if self.kind == "auto":
            raise RuntimeError("a schedule of kind auto is not decided yet")
        if self.kind == "synchronous":
            return 1
        return 2 if self.depth is None else self.depth


class LocalUpdatesSection(StrictModel):
    """Further updates between two exchanges, on batches that were exchanged before.

    Attributes:
        steps: local steps after the update by each exchanged batch.
        window: of the last exchanged batches, as many are kept; none is drawn again within so many draws.
        uses: most local steps with one batch; 0 is training without local updates.
        minimum_cosine: a row counts by the cosine between what was exchanged and what the present weights give, and
            not at all where it is less than this; null counts every row in full.
    """

    steps: int = Field(ge=1, le=64)
    window: int = Field(default=5, ge=1, le=64)
    uses: int = Field(default=5, ge=0)
    minimum_cosine: float | None = Field(default=0.5, ge=0.0, le=1.0)


class CodecSection(StrictModel):
    """How the tensors of a training batch are encoded; all but float32 lose something.

    Attributes:
        kind: `float32` as they are; `float16`, `bfloat16`; `int8`, `int4` with a range for each row; `topk`, the
            largest values of a row; `randomk`, columns drawn for each batch.
        fraction: of the columns that topk and randomk keep.
        values: how topk and randomk send what they keep.
        error_feedback: whether the parties remember for every row what the codec lost, and make up for it when the row
            comes next.
    """

    kind: CodecKind = "float32"
    fraction: float | None = Field(default=None, gt=0.0, lt=1.0)
    values: Literal["float32", "int8"] = "float32"
    error_feedback: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        keeps_some = self.kind in ("topk", "randomk")
        if keeps_some and self.fraction is None:
            raise ValueError(f"kind {self.kind} needs a fraction")
        if not keeps_some and (self.fraction is not None or self.values != "float32"):
            raise ValueError("fraction and values belong to topk and randomk")
        if self.error_feedback and self.kind == "float32":
            raise ValueError("error_feedback belongs to a codec that loses something: float32 does not")
        return self

    @property
    def kept_fraction(self) -> float:
        """The fraction, all where there is none."""
        return 1.0 if self.fraction is None else self.fraction


class CodecsSection(StrictModel):
    """How the tensors of a training batch are encoded in each direction.

    Attributes:
        hidden: from a feature party to the label party.
        gradient: back.
    """

    hidden: CodecSection = CodecSection()
    gradient: CodecSection = CodecSection()


class TrainingSection(StrictModel):
    """The training parameters that a coordinator chooses.

    Attributes:
        dataset: name of the dataset to train on.
        validation_fraction: share of its rows held out by the seed.
        seed: of the order of rows and of the held-out rows; weights have secrets of their own besides.
        epochs: passes over the training rows.
        batch_size: rows of a step.
        remainder: what becomes of an epoch's last, smaller batch.
        evaluation_batch_size: rows of a batch outside of training.
        maximum_steps: stop after so many steps; no limit where absent.
        optimizer: of every party whose own file names none.
        early_stopping: when to stop before the last epoch; never where absent.
        schedule: how many batches are under way at a time.
        local_updates: further updates between two exchanges; none where absent.
        codecs: how the tensors of a training batch are encoded.
    """

    dataset: DatasetName = "train"
    validation_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)
    seed: int = Field(default=0, ge=0, lt=2**63)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=128, ge=1, le=MAXIMUM_BATCH)
    remainder: Literal["keep", "drop"] = "keep"
    evaluation_batch_size: int = Field(default=4096, ge=1, le=MAXIMUM_BATCH)
    maximum_steps: int | None = Field(default=None, ge=0)
    optimizer: OptimizerSection = OptimizerSection()
    early_stopping: EarlyStoppingSection | None = None
    schedule: ScheduleSection = ScheduleSection()
    local_updates: LocalUpdatesSection | None = None
    codecs: CodecsSection = CodecsSection()

    @model_validator(mode="after")
    def _has_rows_to_stop_by(self) -> Self:
        if self.early_stopping is not None and not self.validation_fraction:
            raise ValueError("early_stopping needs held-out rows: set validation_fraction")
        return self


class AlignmentSection(StrictModel):
    """How ids are aligned.

    Attributes:
        datasets: names of the datasets to align.
        chunk_rows: ids of one message: bounds memory, moves the progress bar.
    """

    datasets: Annotated[tuple[DatasetName, ...], Field(min_length=1, strict=False)] = ("train",)
    chunk_rows: int = Field(default=8192, ge=64, le=500_000)


class RunConfiguration(StrictModel):
    """The run configuration: everything shared, nothing secret, no code.

    Attributes:
        parties: names of all parties, ascending.
        label_party: one of them.
        alignment: which datasets are aligned, and how.
        training: the training parameters.
    """

    parties: Annotated[tuple[Name, ...], Field(min_length=2, strict=False)]
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

    def to_bytes(self) -> bytes:
        """The configuration as the byte string that is sent, hashed and signed."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def run_configuration_from_bytes(data: bytes) -> RunConfiguration:
    """Parses a received run configuration strictly.

    Args:
        data: JSON as `RunConfiguration.to_bytes` makes it, at most 256 KiB.

    Returns:
        The validated configuration.

    Raises:
        ConfigurationError: it is too long, no JSON, has unknown keys or bad values.
    """
    where = "run configuration"
    if len(data) > MAXIMUM_CONFIGURATION_BYTES:
        raise ConfigurationError("is too long", where=where, expected=f"at most {MAXIMUM_CONFIGURATION_BYTES} bytes")
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigurationError("is no JSON", where=where) from None
    return validate(RunConfiguration, content, where)

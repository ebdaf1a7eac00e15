"""The model sections of a party's configuration: base models below the cut, fuse models above it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from party.configuration.paths import FilePath
from party.configuration.patterns import FUNCTION_PATTERN
from party.configuration.strict import StrictModel, kind_of

DEFAULT_EMBEDDING_DIMENSION = 16
DEFAULT_BASE_UNITS = (256, 32)
DEFAULT_CUT_UNITS = 32
DEFAULT_FUSE_UNITS = (256, 256, 32)
DEFAULT_EXPERT_UNITS = (32, 16)  # as the MMoE of SplitRec's tutorial on Adult
DEFAULT_TOWER_UNITS = (12,)

Activation = Literal[
    "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "softsign", "tanh", "sigmoid", "linear"
]
Units = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]
Penalty = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class EmbeddedModel(StrictModel):
    """What every built-in base model has: embedded features below dense layers.

    Attributes:
        embedding_dimension: width of a feature's embedding.
        units: widths of the dense layers below the cut.
        activation: activation of those layers, by Keras name.
        dropout: share of units dropped after each of them in training.
        embedding_l2: L2 regularisation of the embeddings, weight of the squared sum.
        cut_units: width of the linear layer that the model ends in, in a run with secure aggregation; equal at every
            party.
    """

    embedding_dimension: int = Field(default=DEFAULT_EMBEDDING_DIMENSION, ge=1)
    units: Units = DEFAULT_BASE_UNITS
    activation: Activation = "relu"
    dropout: Dropout = 0.0
    embedding_l2: Penalty = 0.0
    cut_units: int = Field(default=DEFAULT_CUT_UNITS, ge=1)


class DeepFMModel(EmbeddedModel):
    """The DeepFM base model; its embedding dimension is equal at every party that has one."""

    kind: Literal["deepfm"] = "deepfm"

    @field_validator("units")
    @classmethod
    def _some_units(cls, units: tuple[int, ...]) -> tuple[int, ...]:
        if not units:
            raise ValueError("needs at least one width: the last one is what crosses the cut")
        return units


class DNNModel(EmbeddedModel):
    """Dense layers over embedded features; without layers, the embeddings cross the cut side by side."""

    kind: Literal["dnn"]


class BSTModel(EmbeddedModel):
    """Behavior Sequence Transformer over the sequences of a party, beside its other features.

    Attributes:
        blocks: transformer blocks, one above the other.
        heads: number of attention heads in each block.
        dropout: in attention, after attention, after the feed-forward layers, and after the dense layers.
        feed_forward_units: width inside a block's feed-forward layers; four times the embedding dimension if omitted.
        pooling: how the items of a sequence become one vector.
        attention_units: widths of the layers that score an item against the target, for target attention.
    """

    kind: Literal["bst"]
    activation: Activation = "leaky_relu"
    dropout: Dropout = 0.2
    blocks: int = Field(default=1, ge=1, le=16)
    heads: int = Field(default=8, ge=1, le=64)
    feed_forward_units: int | None = Field(default=None, ge=1)
    pooling: Literal["mean", "target_attention"] = "mean"
    attention_units: Units = (36,)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.embedding_dimension % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide embedding_dimension ({self.embedding_dimension})")
        return self

    @property
    def feed_forward_width(self) -> int:
        """Width inside a block's feed-forward layers."""
        return self.feed_forward_units or 4 * self.embedding_dimension


class OwnModel(StrictModel):
    """A base model that the party's owner wrote.

    Attributes:
        file: Python file, relative to the configuration file.
        base: function in it that builds the model.
    """

    kind: Literal["own"] = "own"
    file: FilePath
    base: str = Field(pattern=FUNCTION_PATTERN)


AnyModel = Annotated[
    Annotated[DeepFMModel, Tag("[deepfm]")]
    | Annotated[DNNModel, Tag("[dnn]")]
    | Annotated[BSTModel, Tag("[bst]")]
    | Annotated[OwnModel, Tag("[own]")],
    Discriminator(kind_of("deepfm", file="own")),
]


class FuseSection(StrictModel):
    """What every fuse model has.

    Attributes:
        task_weighting: how the losses of several labels are added: by the labels' `weight`, or by weights that are
            learned from each task's uncertainty.
    """

    task_weighting: Literal["fixed", "uncertainty"] = "fixed"


class DenseFuse(FuseSection):
    """Dense layers above the cut.

    Attributes:
        units: widths of the layers.
        activation: activation of those layers, by Keras name.
        dropout: share of units dropped after each of them in training.
    """

    units: Units = DEFAULT_FUSE_UNITS
    activation: Activation = "relu"
    dropout: Dropout = 0.0


class DeepFMFuse(DenseFuse):
    """The DeepFM fuse model: factorization machine and dense layers, one output."""

    kind: Literal["deepfm"] = "deepfm"


class DNNFuse(DenseFuse):
    """Dense layers that all labels share, and one output layer for each."""

    kind: Literal["dnn"]


class MMoEFuse(FuseSection):
    """Multi-gate mixture of experts: experts that all labels share, one gate and one tower for each label.

    Attributes:
        experts: number of experts.
        expert_units: widths of the layers of each expert.
        gate_units: widths of the layers below each gate's softmax.
        tower_units: widths of the layers of each tower.
        activation: activation of all these layers, by Keras name.
        dropout: share of units dropped after each layer of experts and towers in training.
    """

    kind: Literal["mmoe"]
    experts: int = Field(default=3, ge=1, le=256)
    expert_units: Units = Field(default=DEFAULT_EXPERT_UNITS, min_length=1)
    gate_units: Units = ()
    tower_units: Units = DEFAULT_TOWER_UNITS
    activation: Activation = "relu"
    dropout: Dropout = 0.0


class OwnFuse(FuseSection):
    """A fuse model that the label party's owner wrote.

    Attributes:
        file: Python file, relative to the configuration file.
        fuse: function in it that builds the model.
    """

    kind: Literal["own"] = "own"
    file: FilePath
    fuse: str = Field(pattern=FUNCTION_PATTERN)


AnyFuse = Annotated[
    Annotated[DeepFMFuse, Tag("[deepfm]")]
    | Annotated[DNNFuse, Tag("[dnn]")]
    | Annotated[MMoEFuse, Tag("[mmoe]")]
    | Annotated[OwnFuse, Tag("[own]")],
    Discriminator(kind_of("deepfm", file="own")),
]

"""The label party's models in a session."""

from __future__ import annotations

from dataclasses import dataclass

from party.protocol.halves import Base, Fuse, TrainableBase, TrainableFuse


@dataclass(frozen=True)
class LabelHalves:
    """The label party's models outside of training.

    Attributes:
        fuse: the fuse model.
        base: the label party's own base model; None without features.
    """

    fuse: Fuse
    base: Base | None


@dataclass(frozen=True)
class TrainableHalves:
    """The label party's models in training.

    Attributes:
        fuse: the fuse model.
        base: the label party's own base model; None without features.
    """

    fuse: TrainableFuse
    base: TrainableBase | None

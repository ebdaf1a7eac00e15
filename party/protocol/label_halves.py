"""The label party's models in a session."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

    def save_epoch(self, epoch: int, retained: Collection[int]) -> None:
        """Saves the present weights as those of an epoch, and drops the weights of all epochs but `retained`.

        Args:
            epoch: the epoch that has ended.
            retained: epochs whose weights are retained.
        """
        for half in self._present:
            half.save_epoch(epoch, retained)

    def restore_epoch(self, epoch: int) -> None:
        """Restores the weights of an epoch."""
        for half in self._present:
            half.restore_epoch(epoch)

    @property
    def _present(self) -> Sequence[TrainableFuse | TrainableBase]:
        return [self.fuse] if self.base is None else [self.fuse, self.base]


Halves = LabelHalves | TrainableHalves

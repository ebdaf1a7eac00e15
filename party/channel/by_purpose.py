"""Two of a kind: one for batches of training, one for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from party.channel.place import Place

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class ByPurpose(Generic[Kind]):
    """What batches of training pass, and what all others pass.

    Attributes:
        training: for training batches.
        inference: for held-out rows, evaluation and prediction.
    """

    training: Kind
    inference: Kind

    def at(self, place: Place) -> Kind:
        """The one for a batch.

        Args:
            place: place of the batch.
        """
        return self.training if place.trains else self.inference

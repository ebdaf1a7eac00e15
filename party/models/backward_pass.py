"""How a base model comes to its gradients, some batches after their forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from party.models.remainder import Result


class BackwardPass(Protocol):
    """Leaves a stash with every forward pass, and computes the gradients from it. Both stand inside compiled calls."""

    def forward(self, rows: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """A forward pass in training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Its hiddens side by side, float32 (batch, sum of units), and the stash.
        """

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Result]:
        """Gradients by the weights that a batch was sent with.

        Args:
            gradients: of the loss by its hiddens, float32 (batch, sum of units).
            stash: of its forward pass.

        Returns:
            A gradient for each weight, in the order of the model's trainable variables.
        """

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """The part of a stash that a checkpoint holds; not for compiled calls."""

    def completed(self, saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """The stash that a checkpoint holds this part of; the weights must be as they were. Not for compiled calls."""

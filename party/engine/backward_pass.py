"""The interface by which a base model computes gradients, possibly several batches after the forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from party.engine.remainder import Gradient


class BackwardPass(Protocol):
    """Returns a stash from every forward pass, and computes the weight gradients from it."""

    def forward(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs a forward pass in training; for use inside a compiled call.

        Args:
            inputs: inputs of a batch, in the order of `input_names`.

        Returns:
            Its hiddens, float32 (batch, columns), and the stash.
        """

    def weight_gradients(self, gradients: tf.Tensor, stash: Sequence[tf.Tensor]) -> list[Gradient]:
        """Computes gradients with respect to the weights of the forward pass; for use inside a compiled call.

        Args:
            gradients: gradients of the loss with respect to its hiddens, float32 (batch, columns).
            stash: stash of its forward pass.

        Returns:
            One gradient per weight, in the order of the model's trainable variables.
        """

    def saved(self, stash: list[tf.Tensor]) -> list[tf.Tensor]:
        """The tensors of a stash that a checkpoint holds besides the row numbers; none of them holds data of the rows.

        Args:
            stash: stash of a forward pass.

        Returns:
            Some of its tensors.
        """

    def completed(self, inputs: Sequence[tf.Tensor], saved: list[tf.Tensor]) -> list[tf.Tensor]:
        """Completes a stash from the part in a checkpoint; the weights must be restored already.

        Args:
            inputs: inputs of the batch, gathered again.
            saved: what `saved` returned for its stash.

        Returns:
            The whole stash.
        """

"""The two halves of the joined model, as a session sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from party.protocol.hidden import FloatArray, HiddenSpec, Inferred, LossAndGradients, Rows, Step, Tensors
from party.protocol.state import State


class Base(Protocol):
    """What a session needs of a base model."""

    @property
    def specs(self) -> Sequence[HiddenSpec]:
        """The hiddens, in the order in which they cross the cut."""

    def infer(self, rows: Rows) -> Tensors:
        """Hiddens outside of training."""

    def forward(self, rows: Rows) -> Tensors:
        """Hiddens of a training batch, whose gradients come after those of the batches under way."""

    def backward(self, gradients: Tensors) -> None:
        """Update by the gradients of the oldest batch under way."""

    def backward_and_forward(self, gradients: Tensors, next_rows: Rows) -> Tensors:
        """Update, then the hiddens of the next batch."""

    def local_step(self, rows: Rows, hiddens: Tensors, gradients: Tensors, number: int) -> None:
        """Update by a batch that was exchanged before; batches under way are left as they are."""

    def keep(self) -> None:
        """Remember the weights as they are."""

    def restore(self) -> None:
        """Go back to the weights that were kept last."""

    def state(self) -> State:
        """Everything that decides how training goes on, what is kept of batches under way included."""

    def set_state(self, state: State) -> None:
        """Goes on from a state, with its batches under way."""


class Fuse(Protocol):
    """What a session needs of a fuse model."""

    @property
    def outputs(self) -> int:
        """Width of the outputs of all labels side by side."""

    def score(self, outputs: FloatArray, labels: FloatArray) -> Mapping[str, float]:
        """Metrics by name, of float32 (rows, outputs) and (rows, labels)."""

    def infer(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> Inferred:
        """Outputs and losses outside of training."""

    def gradients(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> LossAndGradients:
        """Loss and gradients of a training batch."""

    def begin_step(self, rows: Rows, hiddens: Mapping[str, Tensors]) -> Step:
        """A training batch whole, the own base model and all own updates included; gradients of the others' hiddens."""

    def apply(self) -> None:
        """Update by the batch that `gradients` saw last."""

    def local_step(
        self, rows: Rows, hiddens: Mapping[str, Tensors], gradients: Mapping[str, Tensors], number: int
    ) -> None:
        """Update, the own base model included, by a batch that was exchanged before."""

    def keep(self) -> None:
        """Remember the weights as they are."""

    def restore(self) -> None:
        """Go back to the weights that were kept last."""

    def state(self) -> State:
        """Everything that decides how training goes on."""

    def set_state(self, state: State) -> None:
        """Goes on from a state."""

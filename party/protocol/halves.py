"""The interfaces of the two halves of the joined model that a session uses."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from party.cut.hidden import FloatArray, Masks, Matrices, Rows
from party.cut.layout import CutLayout
from party.cut.results import InferenceResult, PreparedStep, TrainingResult
from party.cut.state import State
from party.metrics.accumulator import Score


class Base(Protocol):
    """A base model outside of training."""

    @property
    def layout(self) -> CutLayout:
        """Column layout of its matrix."""

    def infer(self, rows: Rows) -> FloatArray:
        """Computes hiddens outside of training, float32 (batch, columns).

        Args:
            rows: row numbers of the dataset, int32 (batch,).
        """


class TrainableBase(Base, Protocol):
    """A base model in training."""

    def forward(self, rows: Rows) -> FloatArray:
        """Computes the hiddens of a training batch; its gradients follow those of the batches under way.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
        """

    def backward(self, gradients: FloatArray) -> None:
        """Updates the weights by the gradients of the oldest batch under way, float32 (batch, columns)."""

    def backward_and_forward(self, gradients: FloatArray, next_rows: Rows) -> FloatArray:
        """Updates the weights like `backward`, then computes the hiddens of the next batch.

        Args:
            gradients: as for `backward`.
            next_rows: row numbers of the next batch, int32 (batch,).
        """

    def local_step(self, rows: Rows, number: int, *, hiddens: FloatArray, gradients: FloatArray) -> None:
        """Updates the weights by a batch that was exchanged before; the batches under way do not change.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            number: number of the local step in its run.
            hiddens: as the exchange sent them, float32 (batch, columns).
            gradients: gradients of the loss with respect to them, float32 (batch, columns).
        """

    def save_epoch(self, epoch: int, retained: Collection[int]) -> None:
        """Saves the present weights as those of an epoch, and drops the weights of all epochs but `retained`.

        Args:
            epoch: the epoch that has ended.
            retained: epochs whose weights are retained.
        """

    def restore_epoch(self, epoch: int) -> None:
        """Restores the weights of an epoch."""

    def state(self) -> State:
        """The state that training continues from, with the batches under way."""

    def set_state(self, state: State) -> None:
        """Continues from a state, with its batches under way."""


class Fuse(Protocol):
    """A fuse model outside of training."""

    @property
    def outputs(self) -> int:
        """Total width of the outputs of all labels."""

    @property
    def score(self) -> Score:
        """Computes metrics by name."""

    def infer(self, rows: Rows, hiddens: Matrices, present: Masks) -> InferenceResult:
        """Computes outputs and losses outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: each party's matrix, by party, float32 (batch, columns).
            present: by party with absent vectors, which rows have its hiddens, bool (batch,).
        """


class TrainableFuse(Fuse, Protocol):
    """A fuse model in training."""

    def gradients(self, rows: Rows, hiddens: Matrices, present: Masks) -> TrainingResult:
        """Computes the loss and the gradients of a training batch; `apply` must follow.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: each party's matrix, by party, float32 (batch, columns).
            present: as for `infer`.
        """

    def begin_step(self, rows: Rows, hiddens: Matrices, present: Masks) -> PreparedStep:
        """Prepares a whole training step: own base model, loss, gradients for the feature parties, all own updates.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            hiddens: matrices of the feature parties, by party, float32 (batch, columns).
            present: as for `infer`.
        """

    def apply(self) -> None:
        """Updates the weights by the batch of the last call of `gradients`."""

    def local_step(self, rows: Rows, number: int, *, hiddens: Matrices, gradients: Matrices, present: Masks) -> None:
        """Updates the weights, those of the own base model included, by a batch that was exchanged before.

        Args:
            rows: row numbers of the dataset, int32 (batch,).
            number: number of the local step in its run.
            hiddens: matrices of the feature parties as exchanged, by party, float32 (batch, columns).
            gradients: gradients of the loss with respect to them as exchanged, float32 (batch, columns).
            present: as for `infer`, the same as in the exchange.
        """

    def save_epoch(self, epoch: int, retained: Collection[int]) -> None:
        """Saves the present weights as those of an epoch, and drops the weights of all epochs but `retained`.

        Args:
            epoch: the epoch that has ended.
            retained: epochs whose weights are retained.
        """

    def restore_epoch(self, epoch: int) -> None:
        """Restores the weights of an epoch."""

    def state(self) -> State:
        """The state that training continues from."""

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""

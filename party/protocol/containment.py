"""Keeps the errors of the private head inside the party."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from party.cut.hidden import Masks, Matrices, Rows
from party.protocol.halves import TrainableFuse

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Containment:
    """Runs what the private head does; an error of it goes to the log, and the session goes on without that head.

    Whether it fails, and at which batch, depends on the true labels, in a prediction too, as its weights were trained
    on them: a session that ended by it would tell. An owner's own model may fail, such as by a check of its numbers,
    and so may a metric.
    """

    def __init__(self) -> None:
        self._failed = False

    def __call__(self, compute: Callable[[], Result]) -> Result | None:
        """Runs a part of the head's work, unless an earlier one failed.

        Args:
            compute: the work.

        Returns:
            Its result; None if it failed, or was not run.
        """
        if self._failed:
            return None
        try:
            return compute()
        except Exception as error:  # its text may hold data
            self._failed = True
            logger.error(
                "the private head failed with %s and learns, measures and predicts nothing more in this session; nobody"
                " else is told: check its model and the true labels, and do not use its predictions",
                type(error).__name__,
            )
            return None


class ContainedFuse:
    """The private head's fuse model in local steps.

    Args:
        fuse: the model.
        containment: keeps its errors.
    """

    def __init__(self, fuse: TrainableFuse, containment: Containment) -> None:
        self._fuse = fuse
        self._containment = containment

    def local_step(self, rows: Rows, number: int, *, hiddens: Matrices, gradients: Matrices, present: Masks) -> None:
        """See `TrainableFuse`."""
        self._containment(
            lambda: self._fuse.local_step(rows, number, hiddens=hiddens, gradients=gradients, present=present)
        )

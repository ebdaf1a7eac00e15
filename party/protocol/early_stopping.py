"""Early stopping: the label party decides after each epoch, and sends the other parties no more than they need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from party.channel.decision_channel import DECISION_BYTES, EPOCH_BYTES
from party.configuration.run import EarlyStoppingSection, Mode
from party.cut.state import State
from party.errors import ConfigurationError, SealError

VALIDATION_PREFIX = "val_"
CONTINUE = bytes(DECISION_BYTES)


@dataclass(frozen=True)
class Decision:
    """All that every party must know after an epoch; any further bit would reveal something about labels.

    Attributes:
        stop: whether this was the last epoch.
        epoch: if it was, the epoch whose weights all parties restore; 0 if training continues.
    """

    stop: bool
    epoch: int

    def to_bytes(self) -> bytes:
        """Encodes the decision in a fixed number of bytes: a varying length would reveal it."""
        return bytes([self.stop]) + self.epoch.to_bytes(EPOCH_BYTES, "big")


def decision_from_bytes(content: bytes, where: object) -> Decision:
    """Parses the decision of the label party.

    Args:
        content: the opened message.
        where: the slot of the message, for errors.

    Returns:
        The decision.

    Raises:
        SealError: it is not a decision.
    """
    if len(content) != DECISION_BYTES or (content[0] != 1 and content != CONTINUE):
        raise SealError("the decision cannot be parsed", where=where)
    return Decision(bool(content[0]), int.from_bytes(content[1:], "big"))


def retained_epochs(section: EarlyStoppingSection, epoch: int) -> range:
    """Epochs whose weights a feature party must retain when training continues after an epoch.

    Any of them may turn out to be the best epoch, and no other: with an older best one, patience would be exhausted.

    Args:
        section: section of the run configuration.
        epoch: the epoch after which training continues; counts from 0.

    Returns:
        The last `patience` + 1 epochs, that one included; empty without `restore_best`.
    """
    return range(max(0, epoch - section.patience), epoch + 1) if section.restore_best else range(0)


class EarlyStopping:
    """Decides by one metric of the held-out rows.

    Args:
        section: section of the run configuration.
        epochs: number of epochs in the run.
        mode: whether smaller or larger values of the metric are better: what the section says or the metric means.
    """

    def __init__(self, section: EarlyStoppingSection, epochs: int, mode: Mode) -> None:
        self._section = section
        self._epochs = epochs
        self._mode = mode
        self._best = math.inf if mode == "min" else -math.inf
        self._waited = 0
        self.restores_best = section.restore_best
        self.best_epoch: int | None = None

    @property
    def best_epochs(self) -> tuple[int, ...]:
        """The best epoch so far, whose weights the label party retains; empty if there is none."""
        return () if self.best_epoch is None else (self.best_epoch,)

    def judge(self, epoch: int, values: Mapping[str, float]) -> Decision:
        """Decides after an epoch.

        Args:
            epoch: counts from 0.
            values: metrics of the held-out rows by name.

        Returns:
            The decision; an undefined metric counts as no improvement.

        Raises:
            ConfigurationError: the metric is not among the values.
        """
        name = self._section.metric.removeprefix(VALIDATION_PREFIX)
        if name not in values:
            raise ConfigurationError(
                f"no metric is named {self._section.metric}",
                where="training.early_stopping.metric",
                expected="one of " + ", ".join(f"{VALIDATION_PREFIX}{one}" for one in values),
            )
        if self._improves(values[name]):
            self._best, self._waited, self.best_epoch = values[name], 0, epoch
        else:
            self._waited += 1
        if epoch < self._epochs - 1 and self._waited <= self._section.patience:
            return Decision(stop=False, epoch=0)
        best = self.best_epoch if self.restores_best else None
        return Decision(stop=True, epoch=epoch if best is None else best)

    def state(self) -> State:
        """The state that later decisions depend on."""
        return State({"best": self._best, "waited": self._waited, "best_epoch": self.best_epoch})

    def set_state(self, state: State) -> None:
        """Continues from a state of the same run."""
        self._best, self._waited = float(state.values["best"]), int(state.values["waited"])
        self.best_epoch = state.values["best_epoch"]

    def _improves(self, value: float) -> bool:
        if self._mode == "min":
            return value < self._best - self._section.minimum_delta
        return value > self._best + self._section.minimum_delta

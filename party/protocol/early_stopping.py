"""Whether to go on after an epoch: what the label party decides and tells the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from party.configuration.run import EarlyStoppingSection
from party.errors import ConfigurationError, SealError
from party.protocol.state import State

VALIDATION_PREFIX = "val_"


@dataclass(frozen=True)
class Verdict:
    """What every party has to know after an epoch.

    Attributes:
        improved: whether this epoch's weights are the best so far, to be kept.
        stop: whether it was the last epoch.
        restore: whether to go back to the weights that were kept last.
    """

    improved: bool
    stop: bool
    restore: bool

    def to_bytes(self) -> bytes:
        """Three bytes, whatever they say: a length would give it away."""
        return bytes([self.improved, self.stop, self.restore])


def verdict_from_bytes(content: bytes, where: object) -> Verdict:
    """Parses what the label party decided.

    Args:
        content: as opened from its seal.
        where: what the message is, for errors.

    Returns:
        The verdict.

    Raises:
        SealError: it is none.
    """
    if len(content) != len(Verdict(False, False, False).to_bytes()) or not set(content) <= {0, 1}:
        raise SealError("the decision cannot be parsed", where=where)
    return Verdict(*(bool(one) for one in content))


class EarlyStopping:
    """Watches one metric of the held-out rows.

    Args:
        section: of the run configuration.
        epochs: of the run.
    """

    def __init__(self, section: EarlyStoppingSection, epochs: int) -> None:
        self._section = section
        self._epochs = epochs
        self._best = math.inf if section.mode == "min" else -math.inf
        self._waited = 0
        self._kept = False
        self.best_epoch: int | None = None

    def judge(self, epoch: int, values: Mapping[str, float]) -> Verdict:
        """Decides after an epoch.

        Args:
            epoch: counts from 0.
            values: metrics of the held-out rows by name.

        Returns:
            The verdict; an undefined metric is no improvement.

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
        improved = self._improves(values[name])
        if improved:
            self._best, self._waited, self.best_epoch, self._kept = values[name], 0, epoch, True
        else:
            self._waited += 1
        stop = epoch == self._epochs - 1 or self._waited > self._section.patience
        return Verdict(improved, stop, stop and self._section.restore_best and self._kept and not improved)

    def state(self) -> State:
        """What later decisions depend on."""
        return State(
            {"best": self._best, "waited": self._waited, "kept": self._kept, "best_epoch": self.best_epoch},
        )

    def set_state(self, state: State) -> None:
        """Goes on from a state."""
        self._best, self._waited = float(state.values["best"]), int(state.values["waited"])
        self._kept, self.best_epoch = bool(state.values["kept"]), state.values["best_epoch"]

    def _improves(self, value: float) -> bool:
        if self._section.mode == "min":
            return value < self._best - self._section.minimum_delta
        return value > self._best + self._section.minimum_delta

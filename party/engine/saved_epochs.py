"""Weights that are saved at the end of epochs, to be restored later."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import keras

from party.cut.state import State, join_states, part_of
from party.engine.variables import assign_all, copies
from party.errors import ModelError

EPOCHS = "epochs"


class SavedEpochs:
    """The values of some variables at the end of some epochs.

    Args:
        variables: variables of a model.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._variables = variables
        self._by_epoch: dict[int, State] = {}

    def save(self, epoch: int, retained: Collection[int]) -> None:
        """Saves the present values, and drops those of all epochs but `retained`.

        They are copied even if they are not retained: the time that this takes must not reveal whether they are the
        best so far.

        Args:
            epoch: the epoch that the values belong to.
            retained: epochs whose values are retained.
        """
        self._by_epoch[epoch] = copies(self._variables)
        self._by_epoch = {one: values for one, values in self._by_epoch.items() if one in retained}

    def restore(self, epoch: int) -> None:
        """Restores the values of an epoch.

        Args:
            epoch: the epoch whose values were saved.

        Raises:
            ModelError: its values were not saved.
        """
        if epoch not in self._by_epoch:
            raise ModelError(f"no weights of epoch {epoch} were saved")
        assign_all(self._variables, self._by_epoch[epoch], "saved weights")

    def state(self) -> State:
        """All saved values."""
        joined = join_states({str(epoch): values for epoch, values in self._by_epoch.items()})
        return State({EPOCHS: list(self._by_epoch)}, joined.arrays)

    def set_state(self, state: State) -> None:
        """Replaces all saved values.

        Args:
            state: a state that `state` returned.
        """
        self._by_epoch = {int(epoch): part_of(state, str(epoch)) for epoch in state.values[EPOCHS]}

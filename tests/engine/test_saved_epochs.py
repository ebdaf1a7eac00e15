"""Weights that were saved at the end of epochs come back to the bit, also by way of a state."""

import keras
import numpy as np
import pytest

from party.engine.saved_epochs import SavedEpochs
from party.errors import ModelError
from party.runtime.checkpoint_files import pack_state, unpack_state


def variables():
    return [keras.Variable(np.zeros((2, 3), np.float32)), keras.Variable(np.zeros(4, np.float32))]


def assign(ours, value):
    for variable in ours:
        variable.assign(np.full(variable.shape, value, np.float32))


def values(ours):
    return {float(entry) for variable in ours for entry in variable.numpy().ravel()}


def saved_after(epochs, patience):
    """What is saved after some epochs, each of whose weights are its number."""
    ours = variables()
    saved = SavedEpochs(ours)
    for epoch in range(epochs):
        assign(ours, epoch)
        saved.save(epoch, range(max(0, epoch - patience), epoch + 1))
    return ours, saved


@pytest.mark.parametrize("through_disk", [False, True])
def test_each_of_the_last_epochs_can_be_gone_back_to_and_no_other(through_disk):
    ours, saved = saved_after(epochs=12, patience=2)
    if through_disk:
        state = unpack_state(pack_state(saved.state()))
        ours = variables()
        saved = SavedEpochs(ours)
        saved.set_state(state)
    for epoch in (9, 11, 10, 9):
        saved.restore(epoch)
        assert values(ours) == {epoch}
    for epoch in (0, 1, 8, 12):
        with pytest.raises(ModelError, match=f"no weights of epoch {epoch} were saved"):
            saved.restore(epoch)
    assert values(ours) == {9}


def test_later_updates_leave_what_was_saved_alone():
    ours, saved = saved_after(epochs=1, patience=0)
    assign(ours, 7)
    saved.restore(0)
    assert values(ours) == {0}


def test_weights_that_do_not_stay_are_gone_at_once():
    ours, saved = saved_after(epochs=3, patience=1)
    saved.save(3, {1})
    saved.restore(1)
    assert values(ours) == {1}
    assert set(saved.state().values["epochs"]) == {1}


def test_nothing_saved_is_a_state_as_well():
    saved = SavedEpochs(variables())
    saved.set_state(unpack_state(pack_state(SavedEpochs(variables()).state())))
    assert not saved.state().arrays

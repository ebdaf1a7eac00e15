"""A run in miniature has every kind of batch that the whole run has, in two short epochs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.run import EarlyStoppingSection, TrainingSection
from party.protocol.miniature import EPOCHS, HELD_OUT_BATCHES, MOST_EPOCH_STEPS, MiniatureSchedule
from party.protocol.schedule import Activity
from tests.support.schedules import all_exchanges, cases, schedule_of


def miniature_of(training, rows):
    return MiniatureSchedule(training, rows, training.seed.to_bytes(32, "little"))


def sizes(schedule, activity, epoch):
    return [one.rows for one in all_exchanges(schedule) if (one.activity, one.epoch) == (activity, epoch)]


@given(cases(), st.integers(2, 12))
def test_both_epochs_are_a_whole_epoch_cut_short(case, steps):
    training, rows, _ = case
    whole = schedule_of(training.model_copy(update={"epochs": 1, "maximum_steps": None}), rows)
    miniature = miniature_of(training.model_copy(update={"maximum_steps": EPOCHS * steps}), rows)
    assert miniature.exchanges == len(all_exchanges(miniature)) == EPOCHS * (miniature.exchanges // EPOCHS)
    for epoch in range(EPOCHS):
        for activity, most in ((Activity.TRAIN, steps), (Activity.VALIDATE, HELD_OUT_BATCHES)):
            complete, cut = sizes(whole, activity, 0), sizes(miniature, activity, epoch)
            assert len(cut) == min(most, len(complete))
            assert cut[:-1] == complete[: len(cut) - 1]
            assert cut[-1:] == complete[-1:]


@pytest.mark.parametrize("maximum_steps", [0, 1, 2, 3])
def test_an_epoch_has_at_least_one_step(maximum_steps):
    training = TrainingSection(batch_size=10, maximum_steps=maximum_steps)
    assert miniature_of(training, 95).steps == EPOCHS


def test_no_number_of_steps_makes_it_a_whole_run():
    training = TrainingSection(batch_size=1, maximum_steps=10**9)
    assert miniature_of(training, 10 * MOST_EPOCH_STEPS).steps == EPOCHS * MOST_EPOCH_STEPS


def test_rows_are_those_of_the_run_and_a_decision_follows_each_epoch():
    training = TrainingSection(
        batch_size=4, evaluation_batch_size=4, validation_fraction=0.5, early_stopping=EarlyStoppingSection(patience=2)
    )
    whole, miniature = schedule_of(training, 200), miniature_of(training, 200)
    assert set(miniature.training_rows) < set(whole.training_rows)
    assert set(miniature.held_out_rows) < set(whole.held_out_rows)
    assert len(miniature.decisions) == EPOCHS

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.run import EarlyStoppingSection, TrainingSection
from party.errors import ConfigurationError
from party.protocol.schedule import Activity, InferenceSchedule, TrainingSchedule
from tests.support.schedules import all_exchanges, cases, schedule_of


def rows_by_pass(schedule):
    """Row numbers by (epoch, activity), in the order in which they come."""
    passes = collections.defaultdict(list)
    for exchange in all_exchanges(schedule):
        rows = schedule.rows(exchange)
        assert rows.dtype == np.int32
        assert len(rows) == exchange.rows > 0
        passes[exchange.epoch, exchange.activity].extend(rows.tolist())
    return passes


@given(cases(remainder="keep", maximum_steps=None))
def test_every_training_row_comes_exactly_once_an_epoch(case):
    training, _, schedule = case
    passes = rows_by_pass(schedule)
    for epoch in range(training.epochs):
        assert sorted(passes[epoch, Activity.TRAIN]) == schedule.training_rows.tolist()


@given(cases(remainder="drop", maximum_steps=None))
def test_dropping_the_remainder_leaves_full_batches_only(case):
    training, _, schedule = case
    assert {one.rows for one in all_exchanges(schedule) if one.activity is Activity.TRAIN} == {training.batch_size}
    for (_, activity), rows in rows_by_pass(schedule).items():
        if activity is Activity.TRAIN:
            assert len(set(rows)) == len(rows) > len(schedule.training_rows) - training.batch_size
            assert set(rows) <= set(schedule.training_rows.tolist())


@given(cases())
def test_held_out_rows_are_never_trained_on_and_validate_every_epoch(case):
    training, rows, schedule = case
    held_out = schedule.held_out_rows.tolist()
    assert len(held_out) == int(training.validation_fraction * rows)
    assert sorted([*held_out, *schedule.training_rows.tolist()]) == list(range(rows))
    passes = rows_by_pass(schedule)
    for epoch in range(schedule.epochs):
        assert passes[epoch, Activity.VALIDATE] == held_out
    for (_, activity), visited in passes.items():
        assert activity is Activity.VALIDATE or set(visited).isdisjoint(held_out)


@given(cases())
def test_positions_and_steps_count_up(case):
    training, _, schedule = case
    exchanges = all_exchanges(schedule)
    assert [one.position for one in exchanges] == list(range(len(exchanges)))
    step = 0
    for one in exchanges:
        assert one.step == step
        step += one.activity is Activity.TRAIN
    assert step == schedule.steps
    # An epoch trains, then validates, then the next one comes.
    places = [(one.epoch, one.activity is Activity.VALIDATE, one.start) for one in exchanges]
    assert places == sorted(places)
    assert {one.epoch for one in exchanges} == set(range(schedule.epochs))
    assert schedule.epochs <= training.epochs


@given(cases())
def test_last_exchange_of_every_pass_is_marked(case):
    *_, schedule = case
    exchanges = all_exchanges(schedule)
    ends = {(one.epoch, one.activity): one.position for one in exchanges}
    assert {one.position for one in exchanges if one.last} == set(ends.values())


@given(cases())
def test_rows_of_a_pass_are_known_beforehand(case):
    *_, schedule = case
    passes = rows_by_pass(schedule)
    for exchange in all_exchanges(schedule):
        assert schedule.epoch_rows(exchange) == len(passes[exchange.epoch, exchange.activity])
    trained = [len(rows) for (_, activity), rows in passes.items() if activity is Activity.TRAIN]
    assert schedule.smallest_epoch == min(trained, default=0)


@given(cases(maximum_steps=None), st.integers(0, 40))
def test_maximum_steps_cuts_off_and_changes_nothing_before(case, maximum_steps):
    training, rows, whole = case
    cut = schedule_of(training.model_copy(update={"maximum_steps": maximum_steps}), rows)
    assert cut.steps == min(maximum_steps, whole.steps)

    def batches(schedule):
        return [schedule.rows(one).tolist() for one in all_exchanges(schedule) if one.activity is Activity.TRAIN]

    assert batches(cut) == batches(whole)[: cut.steps]


@given(cases(maximum_steps=None))
def test_smallest_batch(case):
    *_, schedule = case
    batches = [one.rows for one in all_exchanges(schedule) if one.activity is Activity.TRAIN]
    assert schedule.smallest_batch == min(batches)


@given(cases(), st.randoms())
def test_schedule_is_a_pure_function(case, random):
    """Asked in any order, by another object: the same rows."""
    training, rows, schedule = case
    expected = [schedule.rows(one).tolist() for one in all_exchanges(schedule)]
    other = schedule_of(training, rows)
    positions = list(range(schedule.exchanges))
    random.shuffle(positions)
    for position in positions:
        assert other.rows(other.exchange(position)).tolist() == expected[position]


def test_the_key_alone_orders_the_rows():
    """A coordinator that knows configuration and seed does not know the order."""
    training = TrainingSection(seed=5, batch_size=100, validation_fraction=0.2)
    schedules = [TrainingSchedule(training, 100, bytes([number]) * 32) for number in (1, 2)]
    orders = [schedule.rows(schedule.exchange(0)).tolist() for schedule in schedules]
    assert orders[0] != orders[1]
    assert schedules[0].held_out_rows.tolist() != schedules[1].held_out_rows.tolist()
    other_seed = TrainingSchedule(training.model_copy(update={"seed": 6}), 100, bytes([1]) * 32)
    assert other_seed.rows(other_seed.exchange(0)).tolist() == orders[0]


def test_epochs_and_keys_order_the_rows_anew():
    def orders(seed):
        schedule = schedule_of(TrainingSection(seed=seed, epochs=3, batch_size=100), 100)
        return {tuple(schedule.rows(one).tolist()) for one in all_exchanges(schedule)}

    assert len(orders(1) | orders(2)) == 6


@pytest.mark.parametrize(
    ("rows", "changes"),
    [(5, {"batch_size": 6, "remainder": "drop"}), (0, {}), (10, {"validation_fraction": 0.9, "remainder": "drop"})],
)
def test_no_row_to_train_on_is_refused(rows, changes):
    with pytest.raises(ConfigurationError, match=r"no batch can be filled.*lower batch_size or validation_fraction"):
        schedule_of(TrainingSection(**({"batch_size": 8} | changes)), rows)


def test_stopping_early_needs_a_held_out_row():
    section = TrainingSection(validation_fraction=0.001, early_stopping=EarlyStoppingSection())
    with pytest.raises(ConfigurationError, match=r"no held-out rows to decide by.*900 rows.*raise validation_fraction"):
        schedule_of(section, 900)
    assert len(schedule_of(section, 1000).held_out_rows) == 1


@given(st.integers(0, 60), st.integers(1, 25))
def test_inference_visits_every_row_once_in_the_common_order(rows, batch_size):
    schedule = InferenceSchedule(rows, batch_size)
    exchanges = all_exchanges(schedule)
    visited = [row for one in exchanges for row in schedule.rows(one).tolist()]
    assert visited == list(range(rows))
    assert [one.position for one in exchanges] == list(range(-(-rows // batch_size)))
    assert [one.last for one in exchanges] == [False] * (len(exchanges) - 1) + [True] * bool(exchanges)
    assert {one.activity for one in exchanges} <= {Activity.INFER}
    assert schedule.steps == 0
    assert all(schedule.epoch_rows(one) == rows and one.rows <= batch_size for one in exchanges)


@given(st.integers(0, 60), st.integers(1, 25), st.binary(min_size=32, max_size=32))
def test_where_rows_refer_to_entities_inference_visits_every_row_once_in_an_order_of_the_run(rows, batch_size, key):
    schedule = InferenceSchedule(rows, batch_size, key)
    visited = [row for one in all_exchanges(schedule) for row in schedule.rows(one).tolist()]
    assert sorted(visited) == list(range(rows))
    assert visited == schedule.order.tolist()

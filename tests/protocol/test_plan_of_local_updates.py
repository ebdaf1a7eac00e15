"""Which batches are used again: the laws of the plan, and a second way to it that keeps no cache."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from party.configuration.run import LocalUpdatesSection
from party.protocol.local_updates import LocalUpdates
from party.runtime.checkpoint_files import pack_state, unpack_state
from tests.support.local_oracle import planned_draws

TRAINING_STEPS = 14
KEYS = st.binary(min_size=32, max_size=32)
KEY = bytes(32)


@st.composite
def sections(draw, **fixed):
    values = {"steps": draw(st.integers(1, 6)), "window": draw(st.integers(1, 5)), "uses": draw(st.integers(0, 4))}
    return LocalUpdatesSection(**{**values, **fixed})


def position_of(step):
    """As if three batches of held-out rows followed every five of training."""
    return step + 3 * (step // 5)


def cached_of(position, party=0):
    """Recognisable arrays, of a smaller batch now and then."""
    rows = 2 if position % 5 == 4 else 3
    hiddens = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2) + 100 * position + 10_000 * party
    return {"hidden": hiddens, "gradient": -hiddens}


def draws_after(plan, step, party=0):
    """Adds the batch of a training step and makes all of its local steps."""
    plan.add(position_of(step), cached_of(position_of(step), party))
    return list(plan.draws(step))


def plan_of(section, key):
    """The positions drawn after every training step of a run."""
    plan = LocalUpdates(section, key)
    return [[one.position for one in draws_after(plan, step)] for step in range(TRAINING_STEPS)]


def steps_of(section, key):
    """The same as numbers of training steps."""
    step_at = {position_of(step): step for step in range(TRAINING_STEPS)}
    return [[step_at[position] for position in drawn] for drawn in plan_of(section, key)]


@given(sections(), KEYS)
def test_the_plan_is_what_its_rules_say(section, key):
    expected = planned_draws(key, TRAINING_STEPS, section.steps, section.window, section.uses)
    assert steps_of(section, key) == expected


@given(sections(), KEYS)
def test_parties_agree_whatever_they_keep_and_whatever_the_threshold(section, key):
    one = LocalUpdates(section, key)
    other = LocalUpdates(section.model_copy(update={"minimum_cosine": None}), key)
    for step in range(TRAINING_STEPS):
        drawn, also = draws_after(one, step), draws_after(other, step, party=1)
        assert [(local.number, local.position) for local in drawn] == [(local.number, local.position) for local in also]


@given(sections(), KEYS)
def test_local_steps_are_counted_through_the_run_and_have_what_was_cached(section, key):
    plan = LocalUpdates(section, key)
    drawn = [one for step in range(TRAINING_STEPS) for one in draws_after(plan, step)]
    assert [one.number for one in drawn] == list(range(len(drawn)))
    for one in drawn:
        expect_same_arrays(one.cached, cached_of(one.position))


def expect_same_arrays(received, expected):
    assert set(received) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(received[name], array, err_msg=name, strict=True)


@given(sections(), KEYS)
def test_no_more_batches_are_held_than_the_window_says_and_none_is_lost_before(section, key):
    plan = LocalUpdates(section, key)
    for step in range(TRAINING_STEPS):
        plan.add(position_of(step), cached_of(position_of(step)))
        assert plan.cached <= section.window
        if section.uses:
            assert plan.cached >= 1, "the newest batch was not used yet"
        for _ in plan.draws(step):
            assert plan.cached <= section.window


@given(sections(), KEYS)
def test_a_training_step_has_at_most_its_local_steps(section, key):
    assert all(len(drawn) <= section.steps for drawn in steps_of(section, key))


@given(sections(), KEYS)
def test_no_batch_is_used_more_often_than_allowed(section, key):
    used = collections.Counter(itertools.chain.from_iterable(steps_of(section, key)))
    assert max(used.values(), default=0) <= section.uses


@given(sections(), KEYS)
def test_what_was_drawn_last_rests(section, key):
    draws = list(itertools.chain.from_iterable(steps_of(section, key)))
    for place, drawn in enumerate(draws):
        assert drawn not in draws[max(0, place - section.window + 1) : place]


@given(sections(), KEYS)
def test_only_the_last_batches_are_used(section, key):
    for step, drawn in enumerate(steps_of(section, key)):
        assert all(step - section.window < one <= step for one in drawn)


@given(sections(), KEYS)
def test_no_batch_grows_older_than_its_uses_allow(section, key):
    """The clock ticks with every training step and every local step."""
    clock, added = 0, {}
    for step, drawn in enumerate(steps_of(section, key)):
        clock += 1
        added[step] = clock
        for one in drawn:
            assert clock - added[one] < section.window * section.uses
            clock += 1


@given(sections(window=1, uses=3), KEYS)
def test_with_a_window_of_one_the_newest_batch_is_used_again_and_again(section, key):
    """With as many local steps as uses this is FedBCD."""
    assert steps_of(section, key) == [[step] * min(section.steps, 3) for step in range(TRAINING_STEPS)]


@given(sections(uses=0), KEYS)
def test_without_uses_nothing_is_drawn(section, key):
    assert steps_of(section, key) == [[]] * TRAINING_STEPS


@given(sections(), KEYS, st.integers(0, TRAINING_STEPS))
def test_a_plan_goes_on_from_its_state(section, key, middle):
    undisturbed = LocalUpdates(section, key)
    for step in range(middle):
        draws_after(undisturbed, step)
    resumed = LocalUpdates(section, key)
    resumed.set_state(unpack_state(pack_state(undisturbed.state())))
    assert resumed.cached == undisturbed.cached
    for step in range(middle, TRAINING_STEPS):
        expected, received = draws_after(undisturbed, step), draws_after(resumed, step)
        assert [(one.number, one.position) for one in received] == [(one.number, one.position) for one in expected]
        for one in received:
            expect_same_arrays(one.cached, cached_of(one.position))


def test_a_state_does_not_change_with_the_plan_that_gave_it():
    section = LocalUpdatesSection(steps=2, window=3, uses=2)
    plan = LocalUpdates(section, KEY)
    for step in range(4):
        draws_after(plan, step)
    state = plan.state()
    before = pack_state(state)
    expected = [[one.position for one in draws_after(plan, step)] for step in range(4, 8)]
    assert pack_state(state) == before
    plan.set_state(state)
    assert [[one.position for one in draws_after(plan, step)] for step in range(4, 8)] == expected


def test_a_local_step_is_drawn_when_it_is_asked_for():
    plan = LocalUpdates(LocalUpdatesSection(steps=2, window=1, uses=2), KEY)
    plan.add(0, cached_of(0))
    before = pack_state(plan.state())
    drawing = plan.draws(0)
    assert pack_state(plan.state()) == before
    assert [next(drawing).number, next(drawing).number] == [0, 1]
    assert next(drawing, None) is None


def test_keys_and_steps_draw_differently():
    section = LocalUpdatesSection(steps=2, window=5, uses=5)
    plans = [steps_of(section, bytes([number]) * 32) for number in range(5)]
    assert len({str(plan) for plan in plans}) == 5
    ages = {step - one for plan in plans for step, drawn in enumerate(plan) for one in drawn}
    assert ages == set(range(5)), "batches of every age are used again"


def test_a_plan_by_hand():
    """Two batches take turns: who was drawn last rests, so that of two only one is left to draw."""
    section = LocalUpdatesSection(steps=3, window=2, uses=2)
    # 0: only batch 0, and then it rests. 1: batch 0 still rests, so 1; then 0 for its last time; then 1, likewise.
    # 2: batch 1 is used up, so 2, and then it rests. 3: batch 2 rests, so 3; then 2 for its last time; then 3.
    expected = [[0], [1, 0, 1], [2], [3, 2, 3]]
    assert steps_of(section, KEY)[:4] == expected
    assert steps_of(section, bytes([1]) * 32)[:4] == expected


def test_what_a_section_says_by_itself():
    section = LocalUpdatesSection(steps=64)
    assert (section.window, section.uses, section.minimum_cosine) == (5, 5, 0.5)
    assert LocalUpdatesSection(steps=1, minimum_cosine=None).minimum_cosine is None


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"steps": 65},
        {"window": 0},
        {"uses": -1},
        {"minimum_cosine": -0.1},
        {"minimum_cosine": 1.1},
        {"minimum_cosine": float("nan")},
        {"age": 3},
    ],
    ids=str,
)
def test_a_section_refuses(changes):
    with pytest.raises(ValidationError):
        LocalUpdatesSection(**{"steps": 1, **changes})


def test_a_section_needs_its_steps():
    with pytest.raises(ValidationError, match="steps"):
        LocalUpdatesSection()

"""Going back asks nothing twice: what comes at a position must be what came there before."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.run import EarlyStoppingSection
from party.errors import SealError
from party.pb.party_pb2 import MessageKind
from party.protocol.early_stopping import Decision
from party.protocol.request_journal import RequestJournal
from party.protocol.schedule import Activity
from party.security.sealing import Slot
from tests.support.exchanges_run import ROWS, Run
from tests.support.numpy_models import LABEL_PARTY, training_schedule

SCHEDULE = training_schedule(ROWS)
STEPS = SCHEDULE.exchanges


class Store:
    """Entries that outlive a session."""

    def __init__(self):
        self.entries = []

    def append(self, entry):
        self.entries.append(entry)

    def cut(self, position):
        self.entries = [entry for entry in self.entries if entry.position < position]


class Going:
    """One store through many sessions."""

    def __init__(self, *, tolerant=False):
        self.store, self.tolerant, self.ended = Store(), tolerant, 0

    def end(self):
        self.ended += 1

    def session(self, start):
        known = iter([entry for entry in self.store.entries if entry.position >= start])
        return RequestJournal(known, self.store, self.tolerant, self.end)


def take(journal, position, content=b"honest"):
    slots = [
        Slot(name, "bob", MessageKind.MESSAGE_KIND_HIDDEN, "train", index=position, rows=4)
        for name in ("alice", "charlie")
    ]
    journal.take(SCHEDULE.exchange(position), {slots[0]: b"always", slots[1]: content + bytes([position])})


sessions = st.lists(st.tuples(st.floats(0, 1), st.integers(0, STEPS)), min_size=1, max_size=6)


def honest_sessions(going, drawn):
    """Sessions that each begin no later than the run ever got, and end anywhere; how far the run got."""
    reached = 0
    for fraction, length in drawn:
        start = int(fraction * reached)
        journal = going.session(start)
        for position in range(start, min(start + length, STEPS)):
            take(journal, position)
            reached = max(reached, position + 1)
    return reached


@given(sessions)
def test_honest_repeats_are_taken_and_each_position_is_noted_once(drawn):
    going = Going()
    reached = honest_sessions(going, drawn)
    assert [entry.position for entry in going.store.entries] == list(range(reached))
    assert not going.ended


@given(sessions, st.floats(0, 1), st.floats(0, 1), st.binary(max_size=3))
def test_another_request_is_refused_wherever_the_run_ever_was(drawn, start, asked, content):
    going = Going()
    reached = honest_sessions(going, drawn)
    asked = int(asked * reached)
    start = int(start * asked)
    journal, before = going.session(start), list(going.store.entries)
    for position in range(start, asked):
        take(journal, position)
    if asked == reached:  # nothing was asked here yet
        take(journal, asked, content) if asked < STEPS else None
        return
    for _ in range(2):  # nor the second time
        with pytest.raises(
            SealError, match=rf"hidden {asked} of train from charlie to bob: charlie's message for step"
        ) as refused:
            take(journal, asked, content)
        assert f"for step {SCHEDULE.exchange(asked).step} differs" in str(refused.value)
    assert going.ended == 2
    assert going.store.entries == before
    take(journal, asked)  # the request of before would still be taken


def test_a_request_whose_answer_failed_may_come_again_but_not_as_another_one():
    going = Going()
    journal = going.session(0)
    take(journal, 0)
    take(journal, 0)
    assert len(going.store.entries) == 1
    with pytest.raises(SealError):
        take(journal, 0, b"other")


def test_nothing_follows_from_a_request_that_cannot_be_noted():
    class Full(Store):
        def append(self, entry):
            raise OSError

    going = Going()
    going.store = Full()
    journal = going.session(0)
    for _ in range(2):
        with pytest.raises(OSError, match=r"^$"):
            take(journal, 0)


def test_where_other_numerics_are_allowed_another_request_is_taken_with_a_warning(caplog):
    going = Going(tolerant=True)
    for position in range(4):
        take(going.session(position), position)
    journal = going.session(1)
    with caplog.at_level(logging.WARNING):
        for position in range(1, 6):
            take(journal, position, b"other")
    assert [entry.position for entry in going.store.entries] == list(range(6))
    assert len(caplog.records) == 1
    assert "from charlie to bob differs from the one before the rollback, at step 1" in caplog.text
    assert not going.ended
    strict = Going()
    strict.store = going.store
    take(strict.session(0), 0)
    journal = strict.session(1)
    take(journal, 1, b"other")  # what replaced it is known from now on
    with pytest.raises(SealError):
        take(journal, 2, b"honest")


def test_a_gap_that_a_damaged_disk_left_is_passed_over():
    going = Going()
    for position in (0, 1, 4, 5):
        take(going.session(position), position)
    journal = going.session(0)
    for position in range(5):
        take(journal, position)
    assert [entry.position for entry in going.store.entries] == [0, 1, 4, 5]
    with pytest.raises(SealError):
        take(journal, 5, b"other")


def journalled_run(background, stores, **changes):
    """Parties at the beginning of a run, whose journals are those of an earlier session."""
    schedule = training_schedule(ROWS, early_stopping=EarlyStoppingSection(patience=5), **changes)
    run = Run(background, schedule)
    for name, exchanges in {LABEL_PARTY: run.label, **run.features}.items():
        known = iter(list(stores[name].entries))
        exchanges._journal = RequestJournal(known, stores[name], False, run.keys[name].invalidate)
    return run


def stores():
    return {name: Store() for name in (LABEL_PARTY, "alice", "charlie")}


def go_to(run, position):
    while run.label.position < position:
        if run.schedule.exchange(run.label.position).activity is Activity.DECIDE:
            follow(run, run.label.decide(run.label.position)[0])
        else:
            run.exchange()


def follow(run, decisions):
    for decision in decisions:
        feature = run.features[decision.receiver]
        feature.follow(feature.position, decision)


def altered(run, slot, envelope):
    """A sealed message with another last value."""
    receiver = run.keys[slot.receiver]
    message = bytearray(receiver.open(slot, envelope))
    message[-1] ^= 1
    return run.keys[slot.sender].seal(slot, bytes(message))


def first(schedule, activity):
    return next(one for one in map(schedule.exchange, range(schedule.exchanges)) if one.activity is activity)


@pytest.mark.parametrize("activity", [Activity.TRAIN, Activity.VALIDATE])
def test_the_label_party_takes_no_other_hiddens_after_going_back(activity):
    kept = stores()
    with ThreadPoolExecutor(1) as background:
        run = journalled_run(background, kept)
        place = first(run.schedule, activity)
        go_to(run, place.position + 1)
        run = journalled_run(background, kept)
        go_to(run, place.position)
        slot = Slot(
            "charlie", LABEL_PARTY, MessageKind.MESSAGE_KIND_HIDDEN, "train", index=place.position, rows=place.rows
        )
        theirs = [one if one.sender != "charlie" else altered(run, slot, one) for one in run.hiddens()]
        calls = list(run.fuse.calls)
        with pytest.raises(SealError, match=r"hidden .* from charlie to bank: charlie's message for step"):
            run.label.fuse(place.position, theirs)
        assert (run.fuse.calls, run.label.position) == (calls, place.position), "something was computed"
        assert run.keys[LABEL_PARTY].exhausted, "the session goes on"


def test_a_feature_party_takes_no_other_gradients_after_going_back():
    kept = stores()
    with ThreadPoolExecutor(1) as background:
        go_to(journalled_run(background, kept), 3)
        run = journalled_run(background, kept)
        go_to(run, 2)
        gradients = run.label.fuse(2, run.hiddens()).result()
        ours = next(one for one in gradients if one.receiver == "alice")
        slot = Slot(
            LABEL_PARTY,
            "alice",
            MessageKind.MESSAGE_KIND_GRADIENT,
            "train",
            index=2,
            rows=run.schedule.exchange(2).rows,
        )
        weights = run.bases["alice"].weights.copy()
        with pytest.raises(
            SealError, match=r"gradient 2 of train from bank to alice: bank's message for step 2 differs"
        ):
            run.features["alice"].backward(2, altered(run, slot, ours))
        np.testing.assert_array_equal(run.bases["alice"].weights, weights)
        assert run.keys["alice"].exhausted
        run.label.wait_for_update()


def test_a_feature_party_follows_no_other_decision_after_going_back():
    kept = stores()
    with ThreadPoolExecutor(1) as background:
        run = journalled_run(background, kept, epochs=3)
        position = run.schedule.decisions[1]
        go_to(run, position + 1)
        run = journalled_run(background, kept, epochs=3)
        go_to(run, position)
        slot = Slot(LABEL_PARTY, "alice", MessageKind.MESSAGE_KIND_DECISION, "train", index=position, rows=0)
        other = run.keys[LABEL_PARTY].seal(slot, Decision(stop=True, epoch=0).to_bytes())
        with pytest.raises(SealError, match=r"decision .* from bank to alice: bank's message for step"):
            run.features["alice"].follow(position, other)
        assert (run.features["alice"].position, run.features["alice"].finished) == (position, False)
        run.label.wait_for_update()


def test_a_whole_run_may_be_repeated_from_its_beginning():
    kept = stores()
    with ThreadPoolExecutor(1) as background:
        run = journalled_run(background, kept)
        go_to(run, run.schedule.exchanges)
        noted = {name: list(store.entries) for name, store in kept.items()}
        run = journalled_run(background, kept)
        go_to(run, run.schedule.exchanges)
        run.label.wait_for_update()
    assert {name: store.entries for name, store in kept.items()} == noted
    decisions = len(run.schedule.decisions)
    assert len(noted[LABEL_PARTY]) == run.schedule.exchanges - decisions
    assert len(noted["alice"]) == run.schedule.steps + decisions

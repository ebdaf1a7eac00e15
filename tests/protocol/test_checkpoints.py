"""The rules of marks, books, checkpoints and phases, one by one."""

import pytest

from party.errors import CheckpointError, SealError, SessionError
from party.protocol.checkpoints import MAXIMUM_UNCOMMITTED, ORIGIN, CheckpointBook, Checkpoints, Mark
from party.protocol.phases import SessionPhase, SessionPhases

KEEP = 2
FOUR, EIGHT, TWELVE = (ORIGIN.after(b"transcript", step) for step in (4, 8, 12))


def test_a_mark_tells_histories_apart():
    assert ORIGIN.after(b"transcript", 4) == FOUR
    others = [ORIGIN.after(b"other", 4), EIGHT, FOUR.after(b"transcript", 4), FOUR.after(b"transcript", 8)]
    assert len({mark.lineage for mark in [ORIGIN, FOUR, *others]}) == 6


def test_a_book_keeps_the_last_two_commits():
    book = CheckpointBook([FOUR, EIGHT, TWELVE], [ORIGIN, FOUR], KEEP)
    assert book.committed == [FOUR]
    assert book.commit(EIGHT) == (TWELVE,)
    book.add(TWELVE)
    assert book.commit(TWELVE) == (FOUR,)
    assert book.holds(EIGHT) and book.holds(TWELVE) and book.holds(ORIGIN) and not book.holds(FOUR)
    with pytest.raises(CheckpointError, match="step 4 was never prepared"):
        book.commit(FOUR)


def checkpoints(book, start=ORIGIN):
    return Checkpoints("alice", ["bob", "charlie"], start, transcript=b"new transcript", book=book)


def prepared(rules, step):
    mark = rules.take(step)
    rules.prepared(mark)
    return mark


def vouched(mark):
    return dict.fromkeys(["bob", "charlie"], mark.lineage)


def test_a_commit_needs_the_voucher_of_every_peer():
    book = CheckpointBook([], [], KEEP)
    rules = checkpoints(book)
    mark = rules.take(4)
    with pytest.raises(SessionError, match="no checkpoint of this step is prepared"):
        rules.commit(4, vouched(mark))
    rules.prepared(mark)
    for peer in ("bob", "charlie"):
        for wrong in ({}, {peer: EIGHT.lineage}):
            others = {one: lineage for one, lineage in vouched(mark).items() if one != peer}
            with pytest.raises(SealError, match=f"{peer} did not vouch"):
                rules.commit(4, others | wrong)
    assert book.committed == []
    assert rules.commit(4, vouched(mark)) == () and book.committed == [mark]


def test_a_copy_is_never_of_an_earlier_step():
    rules = checkpoints(CheckpointBook([FOUR], [], KEEP), start=FOUR)
    assert rules.take(4) == FOUR.after(b"new transcript", 4)
    eight = rules.take(8)
    for step in (3, 4, 7):
        with pytest.raises(SessionError, match="a snapshot from step 8 on"):
            rules.take(step)
    with pytest.raises(SessionError, match="no such snapshot"):
        rules.prepared(FOUR)
    rules.prepared(eight)


def test_copies_that_nobody_commits_do_not_fill_the_disk():
    book = CheckpointBook([], [], KEEP)
    rules = checkpoints(book)
    for step in range(MAXIMUM_UNCOMMITTED):
        rules.take(step)
        prepared(rules, step)  # a repeat is not one more
    with pytest.raises(SessionError, match="8 snapshots were taken and none was committed"):
        rules.take(MAXIMUM_UNCOMMITTED)
    rules.commit(MAXIMUM_UNCOMMITTED - 1, vouched(rules.mark(MAXIMUM_UNCOMMITTED - 1)))
    assert len(book.prepared) == 1
    prepared(rules, MAXIMUM_UNCOMMITTED)


def test_a_session_starts_from_what_is_held_and_keeps_it():
    with pytest.raises(CheckpointError, match="no checkpoint of step 8"):
        checkpoints(CheckpointBook([FOUR], [FOUR], KEEP), start=EIGHT)
    book = CheckpointBook([FOUR, EIGHT], [FOUR], KEEP)
    rules = checkpoints(book, start=EIGHT)
    assert rules.commit(12, vouched(prepared(rules, 12))) == (FOUR,)
    assert book.holds(EIGHT)


def test_a_commit_after_going_back_keeps_the_point_that_was_gone_back_to():
    """Not the one of a later step that it was gone back from: a peer cannot read it, or nobody would have gone back."""
    book = CheckpointBook([FOUR, EIGHT], [FOUR, EIGHT], KEEP)
    rules = checkpoints(book, start=FOUR)
    mark = prepared(rules, 12)
    assert rules.commit(12, vouched(mark)) == (EIGHT,)
    assert book.committed == [FOUR, mark]


@pytest.mark.parametrize(("former", "start"), [(Mark(8, b"a"), Mark(8, b"b")), (Mark(8, b"b"), Mark(8, b"a"))])
def test_a_commit_keeps_the_start_also_beside_another_point_of_its_step(former, start):
    """A run that is stopped right after it went on has two points of one step; their lineages sort either way."""
    book = CheckpointBook([FOUR, former, start], [FOUR, former], KEEP)
    rules = checkpoints(book, start=start)
    rules.commit(12, vouched(prepared(rules, 12)))
    assert book.holds(start)


@pytest.mark.parametrize("phase", list(SessionPhase))
def test_phases_follow_each_other_and_no_other_way(phase):
    phases = SessionPhases("alice")
    for one in list(SessionPhase):
        if one is phase:
            break
        phases.leave(one)
    for other in set(SessionPhase) - {phase}:
        for refused in (phases.require, phases.leave):
            with pytest.raises(SessionError, match=f"expected phase {other.value}.*received {phase.value}"):
                refused(other)
    phases.require(phase)
    if phase is SessionPhase.FINISHED:
        with pytest.raises(SessionError, match="the session has ended"):
            phases.leave(phase)

"""What a party has done is the sum of its sessions, at every moment."""

from hypothesis import given
from hypothesis import strategies as st

from party.protocol.phases import SessionPhase
from party.runtime.activity import PartyActivity
from party.runtime.session_work import SessionWork, WrittenCheckpoints, no_work

SMALL = st.integers(0, 1000)
WORK = st.builds(
    SessionWork,
    steps=SMALL,
    sent_rows=st.dictionaries(st.sampled_from(["hiddens", "gradients"]), SMALL),
    message_bytes=st.dictionaries(st.tuples(st.sampled_from(["sent", "received"]), st.just("float32")), SMALL),
    stage_seconds=st.dictionaries(st.sampled_from(["base", "fuse"]), SMALL),
    checkpoints=st.builds(WrittenCheckpoints, SMALL, SMALL, SMALL),
)


class Session:
    """A session, as far as the activity looks at it."""

    phase, step, repeated_calls = SessionPhase.READY, 7, 2

    def __init__(self, work):
        self.work = work


@given(WORK, WORK, WORK)
def test_work_adds_up_in_any_order(one, other, third):
    assert one + no_work() == one
    assert (one + other) + third == one + (other + third)
    assert one + other == other + one


@given(st.lists(WORK, min_size=1, max_size=4))
def test_the_view_is_the_same_before_and_after_a_session_ends(works):
    activity, expected = PartyActivity(), no_work()
    for number, work in enumerate(works, start=1):
        activity.begin(Session(work))
        expected += work
        during = activity.view()
        activity.end()
        after = activity.view()
        assert during.work == after.work == expected
        assert (
            (during.sessions, during.repeated_calls) == (after.sessions, after.repeated_calls) == (number, 2 * number)
        )
        assert (during.phase, during.step) == (SessionPhase.READY, 7)
        assert (after.phase, after.step) == (None, 0)


def test_ending_without_a_session_adds_nothing():
    activity = PartyActivity()
    activity.end()
    assert activity.view().work == no_work()

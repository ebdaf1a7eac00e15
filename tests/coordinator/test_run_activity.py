"""What a coordinator has done for its runs: sums over sessions, one of which may be open."""

from types import SimpleNamespace

import pytest

from coordinator.run_activity import RunActivity, RunPhase
from party.configuration.run import CodecSection, CodecsSection, RunConfiguration, TrainingSection
from party.monitoring.logs import RunPlace

RUN_ID = bytes(range(16))


def session(start, *, masked=False):
    """A session, as far as the activity looks at it."""
    codecs = CodecsSection(hidden=CodecSection(kind="float32" if masked else "int8"))
    training = TrainingSection(codecs=codecs, secure_aggregation=masked)
    run = RunConfiguration(parties=("alice", "bob", "charlie"), label_party="bob", training=training)
    reference = SimpleNamespace(run_id=RUN_ID)
    return SimpleNamespace(run=run, start=SimpleNamespace(step=start), position=start, steps=20, reference=reference)


def relay(traffic, steps, held_out=0):
    traffic.steps += steps
    traffic.hidden_bytes += 10 * steps + held_out
    traffic.inference_bytes += held_out
    traffic.gradient_bytes += 7 * steps


def test_a_session_counts_the_same_while_it_is_open_and_after_it():
    activity = RunActivity()
    with activity.session(session(0)) as traffic:
        relay(traffic, 12, held_out=5)
        during = activity.counts()
    after = activity.counts()
    assert (
        during.relayed
        == after.relayed
        == {
            ("hidden", "int8"): 120,
            ("hidden", "float32"): 5,
            ("gradient", "float32"): 84,
        }
    )
    assert (during.steps, after.steps) == (12, 12)
    assert (during.step, during.run_steps, during.run_id) == (12, 20, RUN_ID.hex())
    assert (after.step, after.run_steps, after.run_id) == (0, 0, "")


def test_repeated_steps_count_again_and_the_place_in_the_run_goes_back():
    """A party died after step 12, and the run went back to the checkpoint of step 8."""
    activity = RunActivity()
    with pytest.raises(ConnectionError), activity.session(session(0)) as traffic:
        relay(traffic, 12)
        raise ConnectionError
    activity.enter(RunPhase.WAITING)
    assert activity.counts().phase is RunPhase.WAITING
    assert activity.place() == RunPlace()
    with activity.session(session(8)) as traffic:
        assert activity.place() == RunPlace(RUN_ID.hex(), 8)
        relay(traffic, 12)
        counts = activity.counts()
    assert (counts.step, counts.steps, counts.sessions) == (20, 24, 2)
    assert counts.phase is RunPhase.TRAINING
    assert counts.relayed["gradient", "float32"] == 7 * 24


def test_masked_sums_have_a_codec_of_their_own():
    activity = RunActivity()
    with activity.session(session(0, masked=True)) as traffic:
        relay(traffic, 2, held_out=5)
    assert activity.counts().relayed == {("hidden", "ring"): 25, ("gradient", "float32"): 14}


def test_epochs_and_commits_add_up():
    activity = RunActivity()
    for rows in (10, 20):
        activity.epoch_ended(rows)
        activity.committed()
    assert (activity.counts().rows, activity.counts().checkpoints) == (30, 2)

"""Early stopping: what the label party decides, and that every party does it at the same place."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.run import EarlyStoppingSection
from party.errors import ConfigurationError, SealError, SessionError
from party.pb.party_pb2 import Envelope, MessageKind
from party.protocol.early_stopping import Decision, EarlyStopping, decision_from_bytes, retained_epochs
from party.protocol.schedule import Activity
from party.security.sealing import Slot
from tests.support.exchanges_run import ROWS, Run
from tests.support.numpy_models import LABEL_PARTY, training_schedule

values = st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=1, max_size=12)


def judge_all(section, series):
    """Decisions epoch by epoch until one says stop, and which epochs improved."""
    stopping, decisions, improved = EarlyStopping(section, len(series), section.mode or "min"), [], []
    for epoch, value in enumerate(series):
        decisions.append(stopping.judge(epoch, {"loss": value}))
        if stopping.best_epoch == epoch:
            improved.append(epoch)
        if decisions[-1].stop:
            break
    return stopping, decisions, improved


@given(values, st.integers(0, 3), st.sampled_from(["min", "max"]), st.booleans())
def test_the_best_epoch_is_kept_and_the_end_comes_when_patience_is_out(series, patience, mode, restore):
    section = EarlyStoppingSection(mode=mode, patience=patience, restore_best=restore)
    stopping, decisions, improved = judge_all(section, series)
    seen = series[: len(decisions)]
    known = [value for value in seen if not math.isnan(value)]
    if known:
        best = min(known) if mode == "min" else max(known)
        assert seen[improved[-1]] == best
        assert stopping.best_epoch == improved[-1] == seen.index(best)
    else:
        assert not improved
    last = len(decisions) - 1
    since = last - improved[-1] if improved else len(decisions)
    assert last == len(series) - 1 or since > patience
    assert decisions[:-1] == [Decision(stop=False, epoch=0)] * last
    assert decisions[-1] == Decision(stop=True, epoch=improved[-1] if restore and improved else last)


def test_a_small_change_is_no_improvement():
    section = EarlyStoppingSection(minimum_delta=0.1, patience=5)
    *_, improved = judge_all(section, [1.0, 0.95, 0.85, 0.8])
    assert improved == [0, 2]


EPOCHS = 7


def every_course(section):
    """Decisions of every course that the metric of a run of EPOCHS can take, as far as early stopping looks at it."""
    for steps in itertools.product([-1.0, 1.0, math.nan], repeat=EPOCHS):
        least, series = 0.0, []
        for step in steps:
            series.append(least + step)
            least = least if math.isnan(step) else min(least, series[-1])
        yield judge_all(section, series)[1]


@pytest.mark.parametrize("patience", range(EPOCHS + 1))
def test_a_feature_party_learns_one_of_as_many_things_as_there_are_epochs_and_one(patience):
    """Before, it learned one of two to the power of the epochs; without going back, it learns when a run stopped."""
    told = {tuple(decisions) for decisions in every_course(EarlyStoppingSection(patience=patience))}
    assert len(told) == (EPOCHS + 1 if patience <= EPOCHS - 2 else EPOCHS)
    told = {tuple(one) for one in every_course(EarlyStoppingSection(patience=patience, restore_best=False))}
    assert len(told) == max(1, EPOCHS - patience)
    assert all(decisions[-1].epoch == len(decisions) - 1 for decisions in told)


@pytest.mark.parametrize("patience", range(EPOCHS + 1))
def test_what_is_kept_is_enough_to_go_back_and_nothing_is_kept_in_vain(patience):
    section = EarlyStoppingSection(patience=patience)
    needed = {epoch: set() for epoch in range(EPOCHS)}
    for decisions in every_course(section):
        last = len(decisions) - 1
        needed[last] |= {decisions[-1].epoch} - {last}
    for epoch in range(EPOCHS - 1):
        kept = set(retained_epochs(section, epoch))
        assert len(kept) == min(epoch, patience) + 1
        # An epoch is kept until the last decision that may go back to it.
        assert needed[epoch + 1] <= kept <= set().union(*(needed[one] for one in range(epoch + 1, EPOCHS)))
    assert not retained_epochs(EarlyStoppingSection(patience=patience, restore_best=False), 3)


def test_an_unknown_metric_is_refused():
    stopping = EarlyStopping(EarlyStoppingSection(metric="val_aux"), 3, "max")
    with pytest.raises(ConfigurationError, match=r"no metric is named val_aux.*val_loss, val_auc"):
        stopping.judge(0, {"loss": 1.0, "auc": 0.5})


@given(st.integers(0, 2**64 - 1))
def test_a_decision_has_one_length_and_comes_back(epoch):
    decisions = [Decision(stop=True, epoch=epoch), Decision(stop=False, epoch=0)]
    assert {len(decision.to_bytes()) for decision in decisions} == {9}
    assert [decision_from_bytes(decision.to_bytes(), "here") for decision in decisions] == decisions


@pytest.mark.parametrize(
    "content", [b"", b"\x01", b"\x02" + bytes(8), b"\x00" * 10, Decision(stop=False, epoch=1).to_bytes()]
)
def test_what_is_no_decision_is_refused(content):
    with pytest.raises(SealError, match="cannot be parsed"):
        decision_from_bytes(content, "here")


@given(
    st.integers(5, 60),
    st.integers(1, 9),
    st.integers(1, 4),
    st.sampled_from([0.2, 0.5]),
    st.none() | st.integers(0, 40),
)
def test_decisions_stand_at_the_end_of_every_epoch(rows, batch_size, epochs, fraction, maximum_steps):
    schedule = training_schedule(
        rows,
        batch_size=batch_size,
        epochs=epochs,
        validation_fraction=fraction,
        maximum_steps=maximum_steps,
        early_stopping=EarlyStoppingSection(),
    )
    exchanges = [schedule.exchange(position) for position in range(schedule.exchanges)]
    deciding = [one.position for one in exchanges if one.activity is Activity.DECIDE]
    assert list(schedule.decisions) == deciding
    assert len(deciding) == schedule.epochs
    for position in deciding:
        before = exchanges[position - 1]
        assert (before.activity, before.last) == (Activity.VALIDATE, True)
    assert sum(one.activity is Activity.TRAIN for one in exchanges) == schedule.steps


def decide_once(run):
    """Exchanges up to the next decision, and that one; it stays sealed on the way."""
    while run.schedule.exchange(run.label.position).activity is not Activity.DECIDE:
        run.exchange()
    position = run.label.position
    decisions, _ = run.label.decide(position)
    for decision in decisions:
        run.features[decision.receiver].follow(position, decision)


def run_to_the_end(run):
    while not run.label.finished:
        decide_once(run)
    run.label.wait_for_update()
    return run


def stopping_run(background, **section):
    schedule = training_schedule(ROWS, epochs=6, early_stopping=EarlyStoppingSection(**section))
    return Run(background, schedule)


def test_every_party_goes_back_to_the_best_epoch():
    """No later change is large enough to count: all parties end with the weights of the first epoch."""
    with ThreadPoolExecutor(1) as background:
        run = run_to_the_end(stopping_run(background, metric="val_loss", minimum_delta=1e6, patience=1))
        once = Run(background, training_schedule(ROWS, epochs=1)).finish()
    assert run.label.best_epoch == 0
    assert len(run.label.epochs) == 3
    assert all(feature.finished for feature in run.features.values())
    assert {feature.position for feature in run.features.values()} == {run.label.position}
    for party, base in run.bases.items():
        np.testing.assert_array_equal(base.weights, once.bases[party].weights)
    assert run.fuse.scale == once.fuse.scale


@pytest.mark.parametrize("patience", [0, 2, 5])
def test_the_label_party_keeps_its_best_and_a_feature_party_as_many_as_it_must(patience):
    with ThreadPoolExecutor(1) as background:
        run = stopping_run(background, patience=patience)
        while not run.label.finished:
            decide_once(run)
            if not run.label.finished:
                epoch = len(run.label.epochs) - 1
                kept = set(range(max(0, epoch - patience), epoch + 1))
                assert all(set(run.bases[party].saved) == kept for party in run.features)
                assert set(run.bases[LABEL_PARTY].saved) == set(run.fuse.saved) == {run.label._decisions.best_epoch}
                assert run.label.best_epoch is None, "told before the end"


def test_a_decision_that_cannot_be_followed_is_refused_and_changes_nothing():
    with ThreadPoolExecutor(1) as background:
        run = stopping_run(background, patience=1)
        for _ in range(4):
            decide_once(run)
        while run.schedule.exchange(run.label.position).activity is not Activity.DECIDE:
            run.exchange()
        position, alice = run.label.position, run.features["alice"]
        slot = Slot(LABEL_PARTY, "alice", MessageKind.MESSAGE_KIND_DECISION, "train", index=position, rows=0)
        for epoch in (0, 1, 5, 2**63):
            made_up = run.keys[LABEL_PARTY].seal(slot, Decision(stop=True, epoch=epoch).to_bytes())
            with pytest.raises(SealError, match=r"decision .* from bank to alice: .* whose weights are not retained"):
                alice.follow(position, made_up)
        assert (alice.position, alice.finished) == (position, False)
        alice.follow(position, run.keys[LABEL_PARTY].seal(slot, Decision(stop=True, epoch=2).to_bytes()))
        assert alice.finished
        run.label.wait_for_update()


def test_without_restoring_the_last_weights_stay_and_none_are_kept():
    with ThreadPoolExecutor(1) as background:
        run = run_to_the_end(stopping_run(background, minimum_delta=1e6, patience=1, restore_best=False))
    assert not any(base.saved for base in run.bases.values())
    with ThreadPoolExecutor(1) as background:
        thrice = Run(background, training_schedule(ROWS, epochs=3)).finish()
    for party, base in run.bases.items():
        np.testing.assert_array_equal(base.weights, thrice.bases[party].weights)


def test_calls_in_the_place_of_a_decision_are_refused():
    with ThreadPoolExecutor(1) as background:
        run = stopping_run(background)
        with pytest.raises(SessionError, match="expected Fuse 0; received Decide 0"):
            run.label.decide(0)
        with pytest.raises(SessionError, match="expected Forward 0; received Follow 0"):
            run.features["alice"].follow(0, Envelope())
        position = run.schedule.decisions[0]
        while run.label.position < position:
            run.exchange()
        with pytest.raises(SessionError, match=f"expected Decide {position}; received Fuse {position}"):
            run.label.fuse(position, [])
        with pytest.raises(SessionError, match=f"expected Follow {position}; received Forward {position}"):
            run.features["alice"].forward(position)
        decisions, _ = run.label.decide(position)
        theirs = next(one for one in decisions if one.receiver == "charlie")
        with pytest.raises(SealError):
            run.features["alice"].follow(position, theirs)
        ours = next(one for one in decisions if one.receiver == "alice")
        altered = Envelope.FromString(ours.SerializeToString())
        altered.ciphertext = bytes([altered.ciphertext[0] ^ 1]) + altered.ciphertext[1:]
        with pytest.raises(SealError):
            run.features["alice"].follow(position, altered)
        run.features["alice"].follow(position, ours)
        run.label.wait_for_update()

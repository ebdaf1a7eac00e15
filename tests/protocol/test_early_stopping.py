"""Early stopping: what the label party decides, and that every party does it at the same place."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy_models import training_schedule
from test_label_exchanges import ROWS, Run

from party.configuration.run import EarlyStoppingSection
from party.errors import ConfigurationError, SealError, SessionError
from party.pb.party_pb2 import Envelope
from party.protocol.early_stopping import EarlyStopping, Verdict, verdict_from_bytes
from party.protocol.schedule import Activity

values = st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=1, max_size=12)


def judge_all(section, series):
    """Verdicts epoch by epoch until one says stop."""
    stopping, verdicts = EarlyStopping(section, len(series)), []
    for epoch, value in enumerate(series):
        verdicts.append(stopping.judge(epoch, {"loss": value}))
        if verdicts[-1].stop:
            break
    return stopping, verdicts


@given(values, st.integers(0, 3), st.sampled_from(["min", "max"]), st.booleans())
def test_the_best_epoch_is_kept_and_the_end_comes_when_patience_is_out(series, patience, mode, restore):
    section = EarlyStoppingSection(mode=mode, patience=patience, restore_best=restore)
    stopping, verdicts = judge_all(section, series)
    seen = series[: len(verdicts)]
    improved = [epoch for epoch, verdict in enumerate(verdicts) if verdict.improved]
    known = [value for value in seen if not math.isnan(value)]
    if known:
        best = min(known) if mode == "min" else max(known)
        assert seen[improved[-1]] == best
        assert stopping.best_epoch == improved[-1] == seen.index(best)
    else:
        assert not improved
    last = len(verdicts) - 1
    since = last - improved[-1] if improved else len(verdicts)
    assert verdicts[-1].stop == (last == len(series) - 1 or since > patience)
    assert not any(verdict.stop or verdict.restore for verdict in verdicts[:-1])
    assert verdicts[-1].restore == (verdicts[-1].stop and restore and bool(improved) and since > 0)


def test_a_small_change_is_no_improvement():
    section = EarlyStoppingSection(minimum_delta=0.1, patience=5)
    _, verdicts = judge_all(section, [1.0, 0.95, 0.85, 0.8])
    assert [verdict.improved for verdict in verdicts] == [True, False, True, False]


def test_an_unknown_metric_is_refused():
    stopping = EarlyStopping(EarlyStoppingSection(metric="val_aux"), 3)
    with pytest.raises(ConfigurationError, match=r"no metric is named val_aux.*val_loss, val_auc"):
        stopping.judge(0, {"loss": 1.0, "auc": 0.5})


@given(st.booleans(), st.booleans(), st.booleans())
def test_a_verdict_has_one_length_and_comes_back(improved, stop, restore):
    verdict = Verdict(improved, stop, restore)
    assert len(verdict.to_bytes()) == 3
    assert verdict_from_bytes(verdict.to_bytes(), "here") == verdict


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x00\x00\x02", b"\x00" * 4])
def test_what_is_no_verdict_is_refused(content):
    with pytest.raises(SealError, match="cannot be parsed"):
        verdict_from_bytes(content, "here")


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


def run_to_the_end(run):
    """Exchanges and decisions until all parties are done; the verdict bytes stay sealed on the way."""
    while not run.label.finished:
        position = run.label.position
        if run.schedule.exchange(position).activity is not Activity.DECIDE:
            run.exchange()
            continue
        decisions, _ = run.label.decide(position)
        for decision in decisions:
            run.features[decision.receiver].follow(position, decision)
    run.label.wait_for_update()
    return run


def stopping_run(background, **section):
    schedule = training_schedule(ROWS, epochs=6, early_stopping=EarlyStoppingSection(**section))
    return Run(background, schedule)


def test_every_party_goes_back_to_the_best_epoch():
    """A metric that only gets worse: the first epoch's weights are those that all parties end with."""
    with ThreadPoolExecutor(1) as background:
        run = run_to_the_end(stopping_run(background, metric="val_loss", mode="max", patience=1))
        once = Run(background, training_schedule(ROWS, epochs=1)).finish()
    assert run.label.best_epoch == 0
    assert len(run.label.epochs) == 3
    assert all(feature.finished for feature in run.features.values())
    assert {feature.position for feature in run.features.values()} == {run.label.position}
    for party, base in run.bases.items():
        np.testing.assert_array_equal(base.weights, once.bases[party].weights)
    assert run.fuse.scale == once.fuse.scale


def test_without_restoring_the_last_weights_stay():
    with ThreadPoolExecutor(1) as background:
        run = run_to_the_end(stopping_run(background, mode="max", patience=1, restore_best=False))
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

import itertools
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

from party.configuration.run import ScheduleSection
from party.errors import InternalError, SealError, SessionError, TensorError
from party.metrics.area_under_curve import area_under_curve
from party.pb.party_pb2 import MessageKind
from party.security.sealing import Slot
from tests.support.exchanges_run import ROWS, Run
from tests.support.messages import tensor_message
from tests.support.numpy_models import (
    LABEL_PARTY,
    NumpyFuse,
    inference_schedule,
    joint_training,
    losses_of,
    training_schedule,
)


class Later(Executor):
    """Runs what was submitted only when it is waited for: the slowest background that there is."""

    def submit(self, function, /, *arguments, **keywords):
        return _LateFuture(lambda: function(*arguments, **keywords))


class _LateFuture(Future):
    def __init__(self, compute):
        super().__init__()
        self._compute = compute

    def result(self, timeout=None):
        if not self.done():
            try:
                self.set_result(self._compute())
            except Exception as error:
                self.set_exception(error)
        return super().result(timeout)


@pytest.fixture(params=["thread", "later"])
def background(request):
    with ThreadPoolExecutor(1) if request.param == "thread" else Later() as executor:
        yield executor


@pytest.mark.parametrize("own", [True, False], ids=["own features", "no own features"])
@pytest.mark.parametrize("changes", [{}, {"validation_fraction": 0.0}, {"batch_size": 23}, {"maximum_steps": 6}])
def test_split_training_equals_joint_training(background, changes, own):
    run = Run(background, training_schedule(ROWS, **changes), own=own).finish()
    losses, weights, scale = joint_training(run.schedule, run.labels, run.inputs)
    assert [one.loss for one in run.label.step_losses.since(0)] == losses
    for party, expected in weights.items():
        np.testing.assert_array_equal(run.bases[party].weights, expected)
    assert run.fuse.scale == scale != 1.0
    assert run.label.step == run.schedule.steps
    assert all(feature.finished for feature in run.features.values())


def test_gradients_leave_before_the_own_update():
    run = Run(Later())
    assert {gradient.receiver for gradient in run.exchange()} == {"alice", "charlie"}
    assert run.fuse.calls == ["gradients"]
    run.exchange()
    assert run.fuse.calls == ["gradients", "apply", "gradients"]


def test_own_hiddens_of_the_next_batch_are_computed_beside_the_update():
    run = Run(Later())
    base = run.bases[LABEL_PARTY]
    run.exchange()
    assert base.calls == ["forward"]
    run.label.wait_for_update()
    assert base.calls == ["forward", "backward", "forward"]
    run.exchange()
    assert base.calls == ["forward", "backward", "forward"]


def test_nobody_is_sent_the_own_gradients(background):
    run = Run(background)
    assert {gradient.receiver for gradient in run.exchange()} == {"alice", "charlie"}


def test_validation_stands_between_epochs_and_sees_updated_weights(background):
    run = Run(background)
    while run.schedule.exchange(run.label.position).activity.value == "train":
        run.exchange()
    run.exchange()  # waits for the last update
    bases = {party: base.weights.copy() for party, base in run.bases.items()}
    scale = run.fuse.scale
    while run.schedule.exchange(run.label.position).activity.value == "validate":
        assert run.exchange() == []
    held_out = run.schedule.held_out_rows
    logits = scale * sum((run.inputs[party][held_out] @ bases[party])[:, 0] for party in sorted(bases))
    labels = run.labels[held_out]
    (epoch,) = run.label.epochs
    assert (epoch.epoch, epoch.train.rows) == (0, len(run.schedule.training_rows))
    assert epoch.validation.values["loss"] == pytest.approx(losses_of(logits, labels).mean(), rel=1e-6)
    assert (epoch.validation.rows, epoch.validation.values["auc"]) == (len(labels), area_under_curve(logits, labels))
    run.finish()
    assert [one.epoch for one in run.label.epochs] == [0, 1]
    assert run.label.epochs[0].validation is epoch.validation


def test_metrics_of_an_epoch_are_those_of_its_batches(background):
    run = Run(background, training_schedule(ROWS, epochs=1, validation_fraction=0.0)).finish()
    (epoch,) = run.label.epochs
    releases = run.label.step_losses.since(0)
    assert epoch.train.values["loss"] == pytest.approx(sum(one.rows * one.loss for one in releases) / ROWS)
    assert (epoch.train.rows, epoch.validation) == (ROWS, None)


def test_no_report_tells_of_fewer_rows_than_the_minimum(background):
    """However often the coordinator asks, each answer differs from the last by at least the minimum, or not at all."""
    minimum = 7
    run = Run(background, training_schedule(ROWS, validation_fraction=0.0, batch_size=2), minimum_metric_rows=minimum)
    reports = []
    while not run.label.finished:
        run.exchange()
        if run.label.running() is not None:
            reports.append((len(run.label.epochs), run.label.running()))
    run.label.wait_for_update()
    assert {epochs for epochs, _ in reports} == {0, 1}
    for (epoch, earlier), (later_epoch, later) in itertools.pairwise(reports):
        if epoch == later_epoch and repr(earlier) != repr(later):
            assert later.rows - earlier.rows >= minimum
    assert all(running.rows >= minimum for _, running in reports)
    assert all(one.rows >= minimum for one in run.label.step_losses.since(0))
    assert sum(one.rows for one in run.label.step_losses.since(0)) == 2 * ROWS


def test_running_loss_is_that_of_the_released_rows(background):
    run = Run(background, training_schedule(ROWS, validation_fraction=0.0, batch_size=4), minimum_metric_rows=8)
    for _ in range(3):
        run.exchange()
    run.label.wait_for_update()
    (release,) = run.label.step_losses.since(0)
    running = run.label.running()
    assert (running.rows, running.values["loss"]) == (release.rows, release.loss) == (8, pytest.approx(release.loss))


def test_inference_keeps_every_logit_in_the_common_order(background):
    run = Run(background, inference_schedule(ROWS)).finish()
    logits = sum((run.inputs[party] @ np.ones((2, 1), np.float32))[:, 0] for party in sorted(run.inputs))
    np.testing.assert_allclose(run.label.inference.outputs[:, 0], logits, rtol=1e-6)
    metrics = run.label.inference.metrics()
    assert metrics.rows == ROWS
    assert metrics.values["auc"] == pytest.approx(area_under_curve(logits, run.labels))
    assert metrics.values["loss"] == pytest.approx(losses_of(logits, run.labels).mean(), rel=1e-6)
    assert set(run.fuse.calls) == set(run.bases[LABEL_PARTY].calls) == {"infer"}
    assert run.label.running() is None
    assert run.label.epochs == []


def refused(run, error, position, envelopes):
    """A call that is refused and changes nothing."""
    run.label.wait_for_update()
    before = (run.label.position, list(run.fuse.calls), run.fuse.scale)
    with pytest.raises(error) as caught:
        run.label.fuse(position, envelopes)
    assert (run.label.position, run.fuse.calls, run.fuse.scale) == before
    return str(caught.value)


def test_calls_out_of_order_are_refused(background):
    run = Run(background)
    hiddens = run.hiddens()
    text = refused(run, SessionError, 1, hiddens)
    assert text == "bank: call out of order; expected Fuse 0; received Fuse 1"
    run.exchange()
    refused(run, SessionError, 0, hiddens)
    run.finish()
    assert "expected nothing more" in refused(run, SessionError, run.label.position, hiddens)


@pytest.mark.parametrize("choose", ["none", "one", "one twice", "three", "a stranger"])
def test_every_feature_party_must_be_there_once(background, choose):
    run = Run(background)
    alice, charlie = run.hiddens()
    stranger = type(alice)()
    stranger.CopyFrom(alice)
    stranger.sender = "mallory"
    envelopes = {
        "none": [],
        "one": [alice],
        "one twice": [alice, alice],
        "three": [alice, charlie, alice],
        "a stranger": [stranger, charlie],
    }[choose]
    text = refused(run, SessionError, 0, envelopes)
    assert text.startswith("bank: exchange 0: a batch needs the hiddens of every feature party, each once; expected")
    assert "mallory" not in text
    run.finish()


def test_messages_may_come_in_any_order(background):
    run, backwards = Run(background), Run(background)
    run.exchange()
    gradients = backwards.label.fuse(0, backwards.hiddens()[::-1]).result()
    backwards.label.wait_for_update()
    run.label.wait_for_update()
    assert run.fuse.scale == backwards.fuse.scale
    assert [one.receiver for one in gradients] == ["alice", "charlie"]


@pytest.mark.parametrize("wrong", ["altered", "swapped", "replayed", "not finite"])
def test_hidden_that_is_refused_changes_nothing_and_the_right_one_still_works(background, wrong):
    run, untouched = Run(background), Run(background)
    old = run.hiddens()
    run.exchange()
    untouched.exchange()
    alice, charlie = run.hiddens()
    bad, error = type(alice)(), SealError
    bad.CopyFrom(alice)
    envelopes = [bad, charlie]
    if wrong == "altered":
        bad.ciphertext = alice.ciphertext[:-1] + bytes([alice.ciphertext[-1] ^ 1])
    elif wrong == "swapped":
        swapped = type(alice)()
        swapped.CopyFrom(charlie)
        bad.sender, swapped.sender = "charlie", "alice"
        envelopes = [swapped, bad]
    elif wrong == "replayed":
        envelopes = [old[0], charlie]
    else:
        rows = run.schedule.exchange(1).rows
        slot = Slot("alice", LABEL_PARTY, MessageKind.MESSAGE_KIND_HIDDEN, "train", index=1, rows=rows)
        message = tensor_message(np.full((rows, 1), np.inf))
        envelopes, error = [run.keys["alice"].seal(slot, message), charlie], TensorError
    refused(run, error, 1, envelopes)
    run.finish()
    untouched.finish()
    assert run.fuse.scale == untouched.fuse.scale


def test_failing_update_surfaces_at_the_next_call_and_at_every_later_one(background):
    run = Run(background)
    run.exchange()
    run.label.wait_for_update()
    run.fuse.failure = InternalError("out of memory")
    run.exchange()
    hiddens, calls = run.hiddens(), ["gradients", "apply", "gradients", "apply"]
    for _ in range(2):  # weights without that update must never be trained on
        with pytest.raises(InternalError, match="out of memory"):
            run.label.fuse(2, hiddens)
        with pytest.raises(InternalError, match="out of memory"):
            run.label.wait_for_update()
    assert run.fuse.calls == calls
    assert len(run.label.step_losses.since(0)) == 1


def test_own_update_is_done_once_and_after_the_gradients(background):
    run = Run(background)
    run.label.fuse(0, run.hiddens())
    assert run.fuse.calls == ["gradients"]
    for _ in range(2):
        run.label.finish_update()
        run.label.wait_for_update()
        assert run.fuse.calls == ["gradients", "apply"]


def test_waiting_without_an_update_does_nothing(background):
    run = Run(background)
    run.label.wait_for_update()
    assert run.fuse.calls == []


class WholeStepFuse(NumpyFuse):
    """One that also takes the steps of several batches under way."""

    def begin_step(self, rows, hiddens, present):
        def train():
            result = self.gradients(rows, hiddens, present)
            self.apply()
            return lambda: result

        return train


class HeldLocalSteps:
    """Local steps that take as long as a test wants."""

    def __init__(self):
        self.may_go_on = threading.Event()
        self.positions = []

    def after(self, exchange, hiddens, gradients):
        self.may_go_on.wait()
        self.positions.append(exchange.position)


def test_gradients_do_not_wait_for_local_steps():
    held = HeldLocalSteps()
    schedule = training_schedule(ROWS, schedule=ScheduleSection(kind="pipelined", depth=2))
    with ThreadPoolExecutor(1) as background:
        try:
            run = Run(background, schedule, own=False, make_fuse=WholeStepFuse, local_steps=held)
            gradients = run.label.fuse(0, run.hiddens()).result()
            assert [one.receiver for one in gradients] == ["alice", "charlie"]
            assert held.positions == []
        finally:
            held.may_go_on.set()
        run.label.wait_for_update()
        assert held.positions == [0]

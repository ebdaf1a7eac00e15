"""The times of a run in miniature, on a clock that only the test moves."""

from types import SimpleNamespace

import pytest

from coordinator.planning.miniature import Stopwatch
from coordinator.traffic import Traffic
from party.configuration.run import ScheduleSection
from party.errors import ConfigurationError, SessionError
from party.pb import party_pb2 as pb
from tests.support.planning_cases import FLOAT32, INT8

STEPS, HELD_OUT = 8, 2
COMPILING, STEP, LAST_STEP, FIRST_HELD_OUT, LAST_HELD_OUT = 5.0, 0.2, 0.1, 0.5, 0.3
REPORTING = 100.0  # must not be seen in any figure


class Party:
    """Answers Report: every step opens one message for 0.01 s and computes for 0.05 s."""

    def __init__(self, clock, codec):
        self._clock, self._codec = clock, codec

    def report(self, session):
        clock = self._clock
        timings = [("open", 0.01), ("base", 0.05), ("wait for own update", 9.0)]
        return pb.ReportReply(
            timings=[pb.Timing(activity=name, seconds=each * clock.steps, count=clock.steps) for name, each in timings],
            codecs=[pb.CodecCost(codec=self._codec, bytes=100, encode_seconds=0.25, decode_seconds=0.5)],
        )


class Clock:
    def __init__(self):
        self.seconds, self.steps = 1000.0, 0

    def __call__(self):
        return self.seconds


class Session:
    def __init__(self, clock, depth, codec, steps):
        training = SimpleNamespace(schedule=ScheduleSection(kind="pipelined", depth=depth), codecs=FLOAT32)
        self.run, self.reference = SimpleNamespace(training=training), pb.SessionReference()
        self.exchanges, self.steps, self.decisions = 2 * (steps + HELD_OUT), 2 * steps, frozenset()
        self.clients = {name: Party(clock, codec) for name in ("alice", "bob")}
        self._clock = clock

    def at_all(self, call):
        self._clock.seconds += REPORTING
        return {name: call(party) for name, party in self.clients.items()}


def drive(depth=1, gaps=None, codec=None, exchanges=None, steps=STEPS):
    """Runs a miniature whose steps take what `gaps` says, in each of two epochs."""
    clock = Clock()
    session = Session(clock, depth, codec or INT8.hidden.model_dump_json(), steps)
    watch, traffic = Stopwatch(session, clock), Traffic()
    clock.seconds += COMPILING
    gaps = gaps or [STEP] * (STEPS - 1) + [LAST_STEP]
    for place in range(session.exchanges if exchanges is None else exchanges):
        within = place % (steps + HELD_OUT)
        training = within < steps
        clock.seconds += gaps[within] if training else (FIRST_HELD_OUT, LAST_HELD_OUT)[within - steps]
        clock.steps += training
        traffic.exchanges += 1
        traffic.steps += training
        traffic.hidden_bytes += 60 if training else 1000
        traffic.gradient_bytes += 40 if training else 0
        watch(traffic)
    return watch.result()


def test_parts_of_an_epoch_are_told_apart():
    shown = drive()
    assert shown.times.step_seconds == pytest.approx(STEP)
    assert shown.times.held_out_seconds == pytest.approx(FIRST_HELD_OUT + LAST_HELD_OUT)
    assert (shown.times.held_out_batches, shown.times.held_out_batch_seconds) == (2, pytest.approx(LAST_HELD_OUT))
    assert (shown.step_bytes, shown.held_out_bytes) == (100.0, 2000.0)


def test_what_is_done_once_is_what_the_first_epoch_takes_longer():
    assert drive().times.first_seconds == pytest.approx(COMPILING)


def test_a_party_s_seconds_are_those_of_a_step_and_waiting_is_none():
    shown = drive()
    assert shown.times.activity_seconds["alice"] == {"open": pytest.approx(0.01), "base": pytest.approx(0.05)}
    assert shown.times.busy_seconds("bob") == pytest.approx(0.06)
    (cost,) = shown.costs["bob"].values()
    assert set(shown.costs["bob"]) == {INT8.hidden}
    assert (cost.message_bytes, cost.encode_seconds, cost.decode_seconds) == (100.0, 0.25, 0.5)


def test_bursts_are_counted_whole():
    """Two under way that wait for one another: the second follows at once, the next pair after a whole way."""
    shown = drive(depth=2, gaps=[1.0, 0.01] * (STEPS // 2))
    assert shown.times.step_seconds == pytest.approx(1.01 / 2)


@pytest.mark.parametrize("slow", range(20))
def test_a_machine_that_is_slow_for_a_moment_is_not_slow(slow):
    usual = [STEP] * 40
    slow_at = [*usual[:slow], 50 * STEP, *usual[slow + 1 :]]
    assert drive(gaps=slow_at, steps=40).times.step_seconds == pytest.approx(STEP)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_few_steps_will_do(steps, depth):
    assert drive(depth, [STEP] * steps, steps=steps).times.step_seconds == pytest.approx(STEP)


def test_a_run_that_ends_early_is_no_measurement():
    with pytest.raises(SessionError, match="measuring session: the parties did not train two short epochs"):
        drive(exchanges=STEPS + HELD_OUT)


@pytest.mark.parametrize(("codec", "error"), [("{", SessionError), ('{"kind": "zip"}', ConfigurationError)])
def test_a_codec_that_a_party_makes_up_is_refused(codec, error):
    with pytest.raises(error, match=r"(alice|bob): measured codec"):
        drive(codec=codec)

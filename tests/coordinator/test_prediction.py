"""Laws that predictions keep whatever was measured, and runs whose time is known."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.planning.prediction import (
    COMPUTING,
    WAITING,
    bottleneck_seconds,
    interval_seconds,
    latency_seconds,
    pass_seconds,
    predict,
)
from coordinator.training import REPORT_SECONDS
from tests.support.planning_cases import (
    FLOAT16,
    FLOAT32,
    INT8,
    SIZE,
    SYNCHRONOUS,
    TOPK,
    measurements,
    networks,
    pipelined,
)

SCHEDULES = (SYNCHRONOUS, *(pipelined(depth) for depth in (2, 4, 8, 16, 32)))
CODECS = (FLOAT32, FLOAT16, INT8, TOPK)
SLIGHTLY = 1 + 1e-9


def speed(measured, schedule, codecs):
    return predict(measured, schedule, codecs).samples_per_second


def with_links(measured, **changes):
    links = {name: dataclasses.replace(link, **changes) for name, link in measured.links.items()}
    return dataclasses.replace(measured, links=links)


@given(networks(), st.floats(1, 100), st.sampled_from(SCHEDULES), st.sampled_from(CODECS))
def test_more_bandwidth_is_never_slower(network, factor, schedule, codecs):
    faster = measurements(**{**network, "bandwidth": network["bandwidth"] * factor})
    assert speed(faster, schedule, codecs) * SLIGHTLY >= speed(measurements(**network), schedule, codecs)


@given(networks(), st.floats(1, 100), st.sampled_from(SCHEDULES), st.sampled_from(CODECS))
def test_a_longer_round_trip_is_never_faster(network, factor, schedule, codecs):
    farther = measurements(**{**network, "round_trip_seconds": network["round_trip_seconds"] * factor})
    assert speed(measurements(**network), schedule, codecs) * SLIGHTLY >= speed(farther, schedule, codecs)


@given(networks(), st.integers(2, 60), st.integers(2, 60), st.integers(1, 300), st.sampled_from(CODECS))
def test_more_batches_under_way_are_never_slower(network, one, other, steps, codecs):
    measured = measurements(**network)
    less, more = sorted((one, other))
    slower = pass_seconds(measured, less, codecs, steps)
    assert slower * SLIGHTLY >= pass_seconds(measured, more, codecs, steps)


@given(networks(), st.sampled_from(SCHEDULES))
def test_codecs_that_cost_no_time_are_never_slower(network, schedule):
    measured = measurements(**{**network, "codec_seconds": 0.0})
    speeds = [speed(measured, schedule, codecs) for codecs in CODECS]
    assert all(shorter * SLIGHTLY >= longer for longer, shorter in itertools.pairwise(speeds))


@given(st.floats(1e-3, 1), st.floats(0, 1), st.integers(1, 64))
def test_batches_that_queue_are_in_balance(pace, elsewhere, depth):
    """The oracle is the queue itself: as many batches in it as are under way, each state entered as often as left."""
    weight, total = 1.0, 1.0
    for place in range(depth):
        if weight:
            weight *= (depth - place) * pace / max(elsewhere, 1e-12)
            total += weight
    expected = pace / (1 - 1 / total)
    assert interval_seconds(pace + elsewhere, pace, depth) == pytest.approx(expected, rel=1e-6)


@given(networks(), st.sampled_from(CODECS), st.integers(2, 64))
def test_two_under_way_are_as_they_were_measured_and_more_are_bounded(network, codecs, depth):
    measured = measurements(**network)
    latency, bottleneck = latency_seconds(measured, FLOAT32), bottleneck_seconds(measured, FLOAT32)
    assert interval_seconds(latency, bottleneck, 2) == pytest.approx(measured.two_under_way.step_seconds, rel=1e-6)
    latency, bottleneck = latency_seconds(measured, codecs), bottleneck_seconds(measured, codecs)
    assert interval_seconds(latency, bottleneck, depth) * SLIGHTLY >= max(bottleneck, latency / depth)


def test_a_pass_of_one_step_is_one_whole_way_with_any_number_under_way():
    measured = measurements()
    assert {pass_seconds(measured, depth, FLOAT32, 1) for depth in (2, 32)} == {latency_seconds(measured, FLOAT32)}
    assert pass_seconds(measured, 1, FLOAT32, 1) == pytest.approx(latency_seconds(measured, FLOAT32))


def test_without_a_network_only_computing_counts():
    measured = measurements(round_trip_seconds=0.0, bandwidth=1e15, computing_seconds=0.02, bottleneck_seconds=0.01)
    assert speed(measured, SYNCHRONOUS, FLOAT32) == pytest.approx(100 / 0.02, rel=1e-6)
    assert speed(measured, pipelined(16), FLOAT32) == pytest.approx(100 / 0.01, rel=0.02)
    assert {predict(measured, schedule, FLOAT32).limit for schedule in SCHEDULES} == {COMPUTING}


def test_a_narrow_link_bounds_a_full_pipe_and_its_codec_widens_it():
    measured = measurements(round_trip_seconds=0.01, bandwidth=1e5, bottleneck_seconds=0.001, computing_seconds=0.001)
    plain, short = (predict(measured, pipelined(32), codecs) for codecs in (FLOAT32, TOPK))
    assert plain.samples_per_second == pytest.approx(100 / (1e4 / 1e5), rel=0.1)
    assert short.samples_per_second / plain.samples_per_second == pytest.approx(10, rel=0.1)
    assert plain.limit.startswith("bandwidth of ")


def test_the_label_party_s_link_carries_the_hiddens_of_all():
    one, two = (measurements(bandwidth=1e5, bottleneck_seconds=0.001, features=names) for names in (("a",), ("a", "c")))
    assert bottleneck_seconds(two, FLOAT32) == pytest.approx(2 * bottleneck_seconds(one, FLOAT32))
    assert predict(two, pipelined(32), FLOAT32).limit == "bandwidth of bob"


def test_few_batches_under_way_wait_for_round_trips():
    measured = measurements(round_trip_seconds=0.2, bandwidth=1e9, bottleneck_seconds=0.001, computing_seconds=0.01)
    assert predict(measured, SYNCHRONOUS, FLOAT32).limit == predict(measured, pipelined(4), FLOAT32).limit == WAITING
    assert speed(measured, pipelined(4), FLOAT32) / speed(measured, SYNCHRONOUS, FLOAT32) == pytest.approx(4, rel=0.1)


def test_the_first_epoch_and_the_held_out_rows_count():
    plain = measurements(round_trip_seconds=0.0)
    with_all = measurements(round_trip_seconds=0.0, first_seconds=5.0, held_out_seconds=2.0)
    for schedule in SCHEDULES:
        seconds = [SIZE.samples / speed(measured, schedule, FLOAT32) for measured in (plain, with_all)]
        assert seconds[1] - seconds[0] == pytest.approx(5.0 + 3 * 2.0)


def test_held_out_batches_that_were_not_measured_are_added():
    many = dataclasses.replace(SIZE, held_out_rows=250 * 12)
    few_seconds, many_seconds = (
        size.samples / speed(measurements(round_trip_seconds=0.0, size=size), SYNCHRONOUS, FLOAT32)
        for size in (SIZE, many)
    )
    assert many_seconds - few_seconds == pytest.approx(3 * 10 * 0.01)


def test_bytes_are_those_of_training_and_of_held_out_rows():
    measured = measurements()
    steps_bytes = 200 * (2 * 1e4 * 0.3 + 200.0)
    assert predict(measured, pipelined(4), INT8).bytes_per_sample == pytest.approx(
        (steps_bytes + 3 * 500 * 40.0) / SIZE.samples
    )


@pytest.mark.parametrize(
    ("steps", "epochs", "samples"), [(80, 1, 8000), (200, 3, 2 * 8000 + 4000), (1, 1, 100), (160, 2, 16000)]
)
def test_samples_are_those_of_whole_epochs_and_of_the_last_one(steps, epochs, samples):
    assert dataclasses.replace(SIZE, steps=steps, epochs=epochs).samples == samples


def test_a_link_is_slower_only_where_its_own_bandwidth_is():
    measured = measurements(bandwidth=1e7)
    slow = dataclasses.replace(measured.links["bob"], to_party_bytes_per_second=1e5)
    uneven = dataclasses.replace(measured, links={**measured.links, "bob": slow})
    assert bottleneck_seconds(uneven, FLOAT32) == pytest.approx(1e4 / 1e5)
    assert predict(uneven, pipelined(32), FLOAT32).limit == "bandwidth of bob"
    assert bottleneck_seconds(with_links(measured, to_party_bytes_per_second=1e5), TOPK) == pytest.approx(0.015)


def test_batches_wait_while_the_label_party_is_asked_for_metrics():
    seconds = [SIZE.samples / speed(measurements(round_trip_seconds=one), pipelined(32), FLOAT32) for one in (0.0, 0.1)]
    way = 2 * 0.1
    assert seconds[1] == pytest.approx((seconds[0] + 3 * way) * (1 + 0.1 / REPORT_SECONDS), rel=0.01)

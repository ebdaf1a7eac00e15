"""The least that is given up for nearly all of the speed, and what a person is told of it."""

from hypothesis import given
from hypothesis import strategies as st

from coordinator.planning.prediction import Prediction, predict
from coordinator.planning.recommendation import NEARLY, recommend
from tests.support.planning_cases import FLOAT32, INT8, SYNCHRONOUS, TOPK, measurements, networks, pipelined

SCHEDULES = (SYNCHRONOUS, *(pipelined(depth) for depth in (2, 4, 8, 16, 32)))
CODECS = (FLOAT32, INT8, TOPK)


def table(*speeds):
    """Predictions of two codecs, each with one batch under way and with two."""
    cells = [(codecs, schedule) for codecs in (FLOAT32, INT8) for schedule in (SYNCHRONOUS, pipelined(2))]
    return [
        Prediction(
            schedule=schedule, codecs=codecs, bytes_per_sample=100.0, samples_per_second=speed, limit="round trips"
        )
        for (codecs, schedule), speed in zip(cells, speeds, strict=True)
    ]


def taken(*speeds):
    predictions = table(*speeds)
    return predictions.index(recommend(predictions).prediction)


def test_nothing_is_given_up_for_little():
    assert taken(95, 100, 96, 105) == 0
    assert taken(50, 100, 60, 105) == 1
    assert taken(50, 80, 60, 100) == 3
    assert taken(50, 80, 95, 100) == 2
    assert taken(100, 100, 100, 100) == 0


@given(networks())
def test_what_is_taken_is_nearly_the_fastest_and_no_less_would_be(network):
    measured = measurements(**network)
    predictions = [predict(measured, schedule, codecs) for codecs in CODECS for schedule in SCHEDULES]
    enough = NEARLY * max(one.samples_per_second for one in predictions)
    one = recommend(predictions).prediction
    assert one.samples_per_second >= enough
    for other in predictions:
        loses_less = CODECS.index(other.codecs) < CODECS.index(one.codecs)
        is_younger = other.schedule.batches_under_way < one.schedule.batches_under_way
        if loses_less or (other.codecs == one.codecs and is_younger):
            assert other.samples_per_second < enough


@given(st.floats(1, 1000), st.floats(1, 1000))
def test_reasons_name_what_was_not_taken(slow, fast):
    slower, faster = sorted((slow, fast))
    text = "; ".join(recommend(table(slower / 2, slower, slower, 2 * faster)).reasons)
    assert f"fewer batches under way give at most {slower:,.0f} samples/s" in text
    assert f"codecs that lose less give at most {slower:,.0f} samples/s" in text
    assert "nothing in the table is faster" in text
    text = "; ".join(recommend(table(95, 100, 96, 105)).reasons)
    assert "within 10% of the fastest, pipelined, depth 2 with int8 at 105 samples/s" in text
    assert "lose less" not in text
    assert "fewer batches" not in text

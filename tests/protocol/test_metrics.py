import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from party.metrics.accumulator import RUNNING_ROWS, MetricAccumulator
from party.metrics.area_under_curve import area_under_curve
from party.metrics.step_losses import StepLossRelease

scored = st.integers(2, 40).flatmap(
    lambda rows: st.tuples(
        arrays(np.float32, rows, elements=st.integers(-4, 4).map(float)),  # few values: many ties
        arrays(np.float32, rows, elements=st.sampled_from([0.0, 1.0])),
    )
)


def counted_area(scores, labels):
    """The share of pairs of a positive and a negative row that are in order, ties half: one pair at a time."""
    pairs = [(p, n) for p in scores[labels > 0] for n in scores[labels == 0]]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs) if pairs else math.nan


@given(scored)
def test_area_is_the_share_of_pairs_in_order(case):
    scores, labels = case
    assert area_under_curve(scores, labels) == pytest.approx(counted_area(scores, labels), abs=1e-12, nan_ok=True)


@given(scored)
def test_area_depends_on_the_order_of_scores_alone(case):
    scores, labels = case
    area = area_under_curve(scores, labels)
    assert area_under_curve(np.exp(scores), labels) == pytest.approx(area, nan_ok=True)
    assert area_under_curve(-scores, labels) == pytest.approx(1 - area, abs=1e-12, nan_ok=True)


def test_area_of_hand_checked_cases():
    labels = np.array([0, 0, 1, 1], np.float32)
    assert area_under_curve(np.array([0.1, 0.4, 0.35, 0.8]), labels) == 0.75
    assert area_under_curve(np.zeros(4), labels) == 0.5
    assert area_under_curve(np.arange(4.0), labels) == 1.0
    assert math.isnan(area_under_curve(np.arange(4.0), np.ones(4)))
    assert math.isnan(area_under_curve(np.arange(4.0), np.zeros(4)))


def test_area_of_many_rows_does_not_overflow():
    rows = 300_000
    labels = np.arange(rows) >= rows // 2
    assert area_under_curve(np.arange(rows, dtype=np.float32), labels.astype(np.float32)) == 1.0


def score(outputs, labels, *, groups=None):
    """Something of the outputs and something of the labels."""
    predicted = outputs[:, 0] > 0
    hits = float((predicted & (labels[:, 0] > 0)).sum())
    return {"precision": hits / max(1, predicted.sum()), "area": area_under_curve(outputs[:, 0], labels[:, 0])}


def accumulate(rows):
    return MetricAccumulator("train 0", rows, outputs=1, labels=1, score=score)


batches = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(batches)
def test_every_row_weighs_the_same_however_it_was_batched(sizes):
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(sum(sizes), 1)).astype(np.float32)
    labels = (generator.random((sum(sizes), 1)) < 0.5).astype(np.float32)
    losses = generator.random(sum(sizes))
    accumulator, start = accumulate(sum(sizes)), 0
    for size in sizes:
        part = slice(start, start + size)
        accumulator.add(
            logits[part], labels[part], float(losses[part].mean()), {"double": float(2 * losses[part].mean())}
        )
        start += size
    result = accumulator.metrics()
    assert result.rows == sum(sizes)
    assert list(result.values) == ["loss", "double", "precision", "area"]
    expected = {"loss": losses.mean(), "double": 2 * losses.mean(), **score(logits, labels)}
    assert result.values == pytest.approx(expected, nan_ok=True)


def fill(accumulator, count, loss, label=1.0, logit=1.0):
    accumulator.add(np.full((count, 1), logit, np.float32), np.full((count, 1), label, np.float32), loss, {})


def test_every_row_keeps_its_group_through_a_checkpoint_and_without_rows_that_lack_a_label():
    def groups_of_rows(outputs, labels, *, groups=None):
        return {"same": float((groups[:, 0] == outputs[:, 0]).all()), "rows": float(len(groups))}

    def told(name, outputs, labels, exact, *, groups=None):
        return {"groups": float(len(np.unique(groups)))}

    def make():
        return MetricAccumulator(
            "train 0", 6, outputs=1, labels=1, score=groups_of_rows, releaser=told, group_columns=1
        )

    accumulator, resumed = make(), make()
    numbers = np.array([[7], [3], [3], [5], [2], [3]], np.int32)
    labels = np.array([[1], [0], [np.nan], [1], [0], [0]], np.float32)
    for part in (slice(0, 4), slice(4, 6)):
        accumulator.add(numbers[part].astype(np.float32), labels[part], 1.0, {}, groups=numbers[part])
        resumed.set_state(accumulator.state())
        accumulator, resumed = resumed, make()
    assert accumulator.metrics().values == {"loss": 1.0, "same": 1.0, "rows": 5.0}
    assert accumulator.metrics().released == {"groups": 4.0}


def test_running_metrics_hold_nothing_of_rows_that_are_held_back():
    accumulator = accumulate(100)
    assert accumulator.running(1) is None
    fill(accumulator, 30, 1.0)
    assert accumulator.running(1) is None
    accumulator.release()
    before = accumulator.running(30)
    assert (before.rows, before.values["loss"], before.values["precision"]) == (30, 1.0, 1.0)
    assert accumulator.running(31) is None
    fill(accumulator, 10, 9.0, label=0.0)
    assert repr(accumulator.running(30)) == repr(before)
    accumulator.release()
    after = accumulator.running(30)
    assert (after.rows, after.values["loss"], after.values["precision"]) == (40, pytest.approx(3.0), 0.75)


def test_running_area_is_of_the_latest_rows():
    half = RUNNING_ROWS // 2
    accumulator = accumulate(RUNNING_ROWS + 2)
    fill(accumulator, 2, 1.0, label=0.0, logit=9.0)
    fill(accumulator, half, 1.0, label=1.0, logit=1.0)
    fill(accumulator, RUNNING_ROWS - half, 1.0, label=0.0, logit=-1.0)
    accumulator.release()
    assert accumulator.running(1).values["area"] == 1.0
    assert accumulator.metrics().values["area"] < 1.0


epochs = st.lists(batches, min_size=1, max_size=4)


def released(sizes_by_epoch, minimum_rows):
    """Yields after every step: the release, the epoch's number and its rows so far."""
    release, step, loss = StepLossRelease(minimum_rows), 0, 0.0
    for epoch, sizes in enumerate(sizes_by_epoch):
        for number, size in enumerate(sizes):
            loss += 1.0
            release.add(step, size, loss, sum(sizes[number + 1 :]))
            step += 1
            yield release, epoch, sum(sizes[: number + 1])


@given(epochs, st.integers(1, 20))
def test_no_difference_of_releases_covers_fewer_rows_than_the_minimum(sizes_by_epoch, minimum_rows):
    for release, epoch, so_far in released(sizes_by_epoch, minimum_rows):
        assert all(one.rows >= minimum_rows for one in release.since(0))
        # An epoch's metrics cover all its rows: less the releases, none or enough may be left.
        whole = sum(sizes_by_epoch[epoch])
        left = whole - so_far + release.held_back_rows
        assert whole < minimum_rows or left == 0 or left >= minimum_rows


@given(epochs, st.integers(1, 20))
def test_nothing_is_lost_that_can_be_released(sizes_by_epoch, minimum_rows):
    if any(sum(sizes) < minimum_rows for sizes in sizes_by_epoch):
        return
    *_, (release, _, _) = released(sizes_by_epoch, minimum_rows)
    sizes = [size for sizes in sizes_by_epoch for size in sizes]
    assert release.held_back_rows == 0
    assert sum(one.rows for one in release.since(0)) == sum(sizes)
    total = sum(size * (step + 1.0) for step, size in enumerate(sizes))
    assert sum(one.rows * one.loss for one in release.since(0)) == pytest.approx(total)
    assert release.since(0)[-1].step == len(sizes) - 1


@given(batches)
def test_minimum_of_one_row_releases_every_step(sizes):
    *_, (release, _, _) = released([sizes], 1)
    assert [(one.step, one.rows, one.loss) for one in release.since(0)] == [
        (step, size, step + 1.0) for step, size in enumerate(sizes)
    ]
    assert release.since(len(sizes)) == []
    assert [one.step for one in release.since(len(sizes) - 1)] == [len(sizes) - 1]


@given(epochs, st.integers(1, 20))
def test_running_metrics_never_differ_by_fewer_rows_than_the_minimum(sizes_by_epoch, minimum_rows):
    """What `LabelExchanges` does with both: release the accumulator when nothing is held back."""
    accumulator, current, seen = None, -1, 0
    for release, epoch, so_far in released(sizes_by_epoch, minimum_rows):
        if epoch != current:
            accumulator, current, seen, before = accumulate(sum(sizes_by_epoch[epoch])), epoch, 0, 0
        fill(accumulator, so_far - before, 1.0)
        before = so_far
        if not release.held_back_rows:
            accumulator.release()
        running = accumulator.running(minimum_rows)
        rows = running.rows if running is not None else 0
        assert rows == seen or rows - seen >= minimum_rows
        seen = rows

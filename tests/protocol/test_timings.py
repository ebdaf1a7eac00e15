import itertools

import pytest

from party.protocol.timings import Timings


def test_seconds_and_counts_add_up_by_activity():
    ticks = itertools.accumulate([10, 2, 5, 1, 100, 4])
    timings = Timings(lambda: float(next(ticks)))
    for activity in ("fuse", "base", "fuse"):
        with timings.measure(activity):
            pass
    assert timings.totals() == {"base": (1.0, 1), "fuse": (6.0, 2)}
    assert list(timings.totals()) == ["base", "fuse"]


def test_error_passes_through():
    with pytest.raises(ValueError, match="inside"), Timings(lambda: 0.0).measure("base"):
        raise ValueError("inside")

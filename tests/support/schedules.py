"""Schedules of random sizes, small enough to inspect every row."""

from hypothesis import assume
from hypothesis import strategies as st

from party.configuration.run import TrainingSection
from party.errors import ConfigurationError
from party.protocol.schedule import TrainingSchedule


def schedule_of(training, rows):
    """Returns a schedule whose key derives from the seed, as in runs with a pinned secret."""
    return TrainingSchedule(training, rows, training.seed.to_bytes(32, "little"))


@st.composite
def cases(draw, **fixed):
    """Draws a schedule and its parameters; small enough to inspect every row."""
    rows = draw(st.integers(1, 60))
    section = {
        "validation_fraction": draw(st.sampled_from([0.0, 0.1, 0.33, 0.5, 0.9])),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "epochs": draw(st.integers(1, 4)),
        "batch_size": draw(st.integers(1, 25)),
        "evaluation_batch_size": draw(st.integers(1, 25)),
        "remainder": draw(st.sampled_from(["keep", "drop"])),
        "maximum_steps": draw(st.none() | st.integers(0, 30)),
    } | fixed
    training = TrainingSection(**section)
    try:
        return training, rows, schedule_of(training, rows)
    except ConfigurationError:
        assume(False)


def all_exchanges(schedule):
    return [schedule.exchange(position) for position in range(schedule.exchanges)]

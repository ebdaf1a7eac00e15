"""What a feature party's meters read of hiddens: nothing, what an honest run needs, and a hijacked cut."""

import numpy as np
import pytest

from party.audit.meters.column_meters import ColumnMeters
from party.audit.meters.folds import own_row_folds
from party.audit.meters.probe import probe_readings
from party.audit.meters.reading import Level
from party.audit.meters.targets import of_classes, of_numbers

USERS = 400
ROWS = 6400
BATCH = 128
UNITS = 2
KNOWN_USERS = 20


class Users:
    """A base model over user, gender and taste, tanh(E_user + E_gender + E_taste), trained by the gradients it gets."""

    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        self.gender = generator.random(USERS) < 0.3
        self.taste = generator.random(USERS) < 0.5
        self.user = generator.integers(0, USERS, ROWS)
        scales = {USERS: 0.8, 2: 0.1}
        self.tables = [generator.normal(0, scales[size], (size, UNITS)) for size in (USERS, 2, 2)]
        self.liked = generator.random(ROWS) < np.where(self.taste[self.user], 0.8, 0.2)
        self.head = generator.normal(size=UNITS)
        self.own_rows = np.stack([self.user, self.gender[self.user], self.taste[self.user]], axis=1).astype(np.int32)

    def hiddens(self, rows):
        keys = (self.user[rows], self.gender[self.user[rows]].astype(int), self.taste[self.user[rows]].astype(int))
        return keys, np.tanh(sum(table[key] for table, key in zip(self.tables, keys, strict=True)))

    def update(self, keys, hidden, gradient, rate=0.5):
        inner = gradient * (1 - hidden**2)
        for table, key in zip(self.tables, keys, strict=True):
            np.add.at(table, key, -rate * inner)

    def gradient(self, hidden, target, counted):
        """Of a logistic loss by the hidden; the head is trained too."""
        error = (1 / (1 + np.exp(-hidden @ self.head)) - target) * counted / max(counted.sum(), 1)
        gradient = error[:, None] * self.head
        self.head = self.head - 2.0 * hidden.T @ error
        return gradient


def train(users, meters, *, hijacked, epochs=3, seed=0):
    """Trains; a hijacked run gets gradients of a head for the gender of the few users whose gender is known."""
    order, readings = np.random.default_rng(seed), []
    known = np.arange(USERS) < KNOWN_USERS
    for _ in range(epochs):
        shuffled = order.permutation(ROWS).astype(np.int32)
        for start in range(0, ROWS, BATCH):
            rows = shuffled[start : start + BATCH]
            keys, hidden = users.hiddens(rows)
            readings += meters.add(hidden.astype(np.float32), rows, ends_epoch=start + BATCH >= ROWS)
            target, counted = (users.liked[rows], np.ones(len(rows)))
            if hijacked:
                target, counted = users.gender[users.user[rows]], known[users.user[rows]].astype(float)
            users.update(keys, hidden, users.gradient(hidden, target, counted) * len(rows))
    return readings


def meters_of(users):
    codes = users.gender[users.user].astype(np.int64)
    return ColumnMeters(of_classes("gender", codes), own_row_folds(users.own_rows, np.zeros((ROWS, 0), np.float32)))


def probe_reading(hiddens, folds, positive):
    (reading,) = probe_readings(hiddens, folds, positive[:, None])
    return reading


def values_of(readings):
    return np.array([reading.values["probe"] for reading in readings if reading.values])


@pytest.mark.parametrize("share", [0.3, 0.04])
def test_independent_hiddens_read_as_chance(share):
    generator, values = np.random.default_rng(1), []
    positive = generator.random(ROWS) < share
    folds = own_row_folds(np.arange(ROWS, dtype=np.int32)[:, None], np.zeros((ROWS, 0), np.float32))
    for _ in range(8):
        meters = ColumnMeters(of_classes("gender", positive.astype(np.int64)), folds)
        for start in range(0, ROWS, BATCH):
            rows = np.arange(start, start + BATCH, dtype=np.int32)
            noise = generator.normal(size=(BATCH, 16)).astype(np.float32)
            readings = meters.add(noise, rows, ends_epoch=start + BATCH >= ROWS)
            values += list(values_of(readings))
            assert all(reading.level is Level.QUIET for reading in readings)
    assert len(values) == 24
    assert 0.47 < np.mean(values) < 0.53
    assert np.std(values) <= 0.07


@pytest.mark.parametrize("seed", [4, 5])
def test_a_hijacked_cut_reads_near_one_and_an_honest_one_does_not(seed):
    """The active label party: gradients of a head for an attribute of 20 known users, in place of those of the loss."""
    honest = Users(seed)
    assert values_of(train(honest, meters_of(honest), hijacked=False)).max() < 0.85
    users = Users(seed)
    readings = train(users, meters_of(users), hijacked=True)
    assert values_of(readings)[1:].min() > 0.97  # from the second window on
    assert readings[-1].level is Level.WARNING
    # The attacker's own view: users that it did not know.
    unknown = np.flatnonzero(users.user >= KNOWN_USERS).astype(np.int32)
    _, hidden = users.hiddens(unknown)
    scores = hidden @ users.head
    ones = users.gender[users.user[unknown]]
    assert (scores[ones][:, None] > scores[~ones]).mean() > 0.97


def test_rows_of_one_entity_are_in_one_fold():
    """A user's hidden tells the user: with some of its rows in the other fold, any column of users would be told."""
    generator = np.random.default_rng(3)
    user = generator.integers(0, 60, 2048).astype(np.int32)
    flags = (generator.random(60) < 0.5)[user]  # of nothing but the user
    hiddens = generator.normal(size=(60, 32)).astype(np.float32)[user]
    by_row = own_row_folds(np.arange(2048, dtype=np.int32)[:, None], np.zeros((2048, 0), np.float32))
    by_user = own_row_folds(user[:, None], np.zeros((2048, 0), np.float32))
    assert probe_reading(hiddens, by_row, flags) > 0.85
    assert 0.2 < probe_reading(hiddens, by_user, flags) < 0.8
    assert len({(one, fold) for one, fold in zip(user, by_user, strict=True)}) == 60
    assert 0.3 < by_user.mean() < 0.7


def test_folds_of_few_distinct_own_rows_are_drawn_by_row():
    """Three cities are three distinct rows: no fold of theirs could be told from another."""
    city = np.arange(3000, dtype=np.int32)[:, None] % 3
    folds = own_row_folds(city, np.zeros((3000, 0), np.float32))
    assert 0.4 < folds.mean() < 0.6
    hiddens = np.eye(3, dtype=np.float32)[city[:, 0]]
    assert probe_reading(hiddens, folds, city[:, 0] == 1) == 1.0


def test_values_separate_own_rows_as_indices_do():
    numbers = np.random.default_rng(4).normal(size=(500, 1)).astype(np.float32)
    same = np.zeros((500, 2), np.int32)
    folds = own_row_folds(same, np.repeat(numbers, 2, axis=1))
    np.testing.assert_array_equal(folds, own_row_folds(same, np.repeat(numbers, 2, axis=1)))
    assert 0.4 < folds.mean() < 0.6


def test_rows_without_a_number_are_left_out():
    generator = np.random.default_rng(5)
    numbers = generator.normal(size=2048)
    hiddens = np.stack([numbers, generator.normal(size=2048)], axis=1).astype(np.float32)
    numbers[:500] = np.nan
    meters = ColumnMeters(of_numbers("age", numbers), np.arange(2048) % 2 == 1)
    (reading,) = meters.add(hiddens, np.arange(2048, dtype=np.int32), ends_epoch=True)
    assert (reading.rows, reading.about) == (1548, "above the median")
    assert reading.values["probe"] > 0.99
    assert of_numbers("age", np.full(20, np.nan)) == ()


def test_a_fold_with_few_rows_of_a_class_gives_no_reading():
    meters = ColumnMeters(of_classes("rare", (np.arange(2048) < 30).astype(np.int64)), np.arange(2048) % 2 == 1)
    hiddens = np.ones((2048, 3), np.float32)
    (reading,) = meters.add(hiddens, np.arange(2048, dtype=np.int32), ends_epoch=True)
    assert (dict(reading.values), reading.level) == ({}, None)


def test_hiddens_that_are_constant_or_not_finite_are_no_error():
    half = np.arange(2048) % 2 == 1
    meters = ColumnMeters(of_classes("gender", half.astype(np.int64)), np.arange(2048) % 4 > 1)
    rows = np.arange(2048, dtype=np.int32)
    assert meters.add(np.full((2048, 3), np.nan, np.float32), rows, ends_epoch=True) == []
    (reading,) = meters.add(np.ones((2048, 3), np.float32), rows, ends_epoch=True)
    assert reading.values["probe"] == 0.5


def test_a_state_goes_on_where_the_meters_stopped():
    users = Users(6)
    batches = [np.arange(start, start + BATCH, dtype=np.int32) for start in range(0, ROWS, BATCH)]
    hiddens = [users.hiddens(rows)[1].astype(np.float32) for rows in batches]

    def add(meters, first, last):
        return [
            reading
            for place in range(first, last)
            for reading in meters.add(hiddens[place], batches[place], ends_epoch=place == len(batches) - 1)
        ]

    whole, half, rest = meters_of(users), meters_of(users), meters_of(users)
    expected = add(whole, 0, len(batches))
    assert len(expected) == 3  # of 50 batches
    found = add(half, 0, 21)
    rest.set_state(half.state())
    assert found + add(rest, 21, len(batches)) == expected

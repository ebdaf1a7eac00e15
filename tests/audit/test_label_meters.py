"""What the label party's meters read of gradients that tell nothing, everything, and a little in every step."""

import numpy as np
import pytest

from party.audit.meters.agreement import class_ceiling, private_ceiling, sign_agreement
from party.audit.meters.direction import direction_scores
from party.audit.meters.label_meters import LabelMeters
from party.audit.meters.reading import Level
from party.audit.meters.separation import area, chance_error, separation
from party.audit.meters.spectral import main_projections
from party.audit.meters.targets import of_classes, of_numbers
from party.metrics.area_under_curve import area_under_curve
from party.privacy.replacement import replacement_probability

ROWS = 16_384
COLUMNS = 12
BATCH = 128
WINDOW_METERS = ("norm", "spectral", "direction")


class Gradients:
    """Gradients of one hidden: the loss's derivative by a logit times its weights, with noise of every step."""

    def __init__(self, told, *, noise, seed):
        self._generator = np.random.default_rng(seed)
        self._told = told.astype(np.float32)
        weights = self._generator.normal(size=COLUMNS)
        self._weights = (weights / np.linalg.norm(weights)).astype(np.float32)
        self._noise = noise

    def of(self, rows):
        noise = self._generator.normal(size=(len(rows), COLUMNS)).astype(np.float32)
        return (self._told.mean() - self._told[rows])[:, None] * self._weights + np.float32(self._noise) * noise


def labels_of(share, seed, rows=ROWS):
    return np.random.default_rng([seed, 1]).random(rows) < share


def run(meters, gradients, *, epochs=1, rows=ROWS, batch=BATCH, seed=0):
    order, readings = np.random.default_rng([seed, 2]), []
    for _ in range(epochs):
        shuffled = order.permutation(rows).astype(np.int32)
        for start in range(0, rows, batch):
            chosen = shuffled[start : start + batch]
            readings += meters.add(gradients.of(chosen), chosen, ends_epoch=start + batch >= rows)
    return readings


def meters_of(labels, ceilings=None):
    return LabelMeters(of_classes("label", labels.astype(np.int64)), len(labels), ceilings or {})


def values_of(readings, meter):
    return np.array([reading.values[meter] for reading in readings if meter in reading.values])


def test_area_is_the_mann_whitney_statistic():
    generator = np.random.default_rng(0)
    for rows in (2, 3, 40, 500):
        scores = generator.integers(0, 9, rows).astype(np.float32)
        positive = np.arange(rows) % 3 == 0
        pairs = np.sign(scores[positive][:, None] - scores[~positive])
        assert area(scores, positive) == pytest.approx((1 + pairs.mean()) / 2)
        assert area(scores, positive) == pytest.approx(area_under_curve(scores, positive.astype(np.float32)))
        assert separation(scores, positive) == separation(-scores, positive) >= 0.5


def test_projections_are_those_on_the_top_eigenvector():
    generator = np.random.default_rng(1)
    gradients = (generator.normal(size=(900, 7)) * np.arange(1, 8)).astype(np.float32)
    _, vectors = np.linalg.eigh(gradients.astype(np.float64).T @ gradients)
    projections, expected = main_projections(gradients), gradients @ vectors[:, -1]
    assert abs(np.corrcoef(projections, expected)[0, 1]) > 0.9999
    assert not main_projections(np.zeros((5, 3), np.float32)).any()


@pytest.mark.parametrize("share", [0.3, 0.04])
def test_noise_reads_as_chance_in_windows_but_not_in_single_batches(share):
    windows = {meter: [] for meter in WINDOW_METERS}
    batches = []
    for seed in range(6):
        labels = labels_of(share, seed)
        silent = Gradients(np.zeros(ROWS), noise=1.0, seed=seed)
        readings = run(meters_of(labels), silent, seed=seed)
        assert all(reading.level in (None, Level.QUIET) for reading in readings)
        for meter in WINDOW_METERS:
            windows[meter] += list(values_of(readings, meter))
        for start in range(0, ROWS, BATCH):
            positive = labels[start : start + BATCH]
            if positive.any():
                noise = silent.of(np.arange(BATCH))
                batches.append(separation(main_projections(noise), positive))
    for meter, values in windows.items():
        assert len(values) >= 40
        assert 0.49 < np.mean(values) < 0.53, meter
        assert np.std(values) <= 0.05, meter
    # What would become of a threshold of 0.6, or of any, on single batches.
    assert np.quantile(batches, 0.95) > 0.6 > np.quantile(windows["spectral"], 0.95)


@pytest.mark.parametrize("share", [0.3, 0.04])
def test_gradients_that_tell_everything_read_so(share):
    labels = labels_of(share, 0)
    readings = run(meters_of(labels), Gradients(labels, noise=0.01, seed=0))
    for meter in (*WINDOW_METERS, "accumulated", "agreement"):
        assert values_of(readings, meter).min() > 0.99, meter
    assert readings[-1].level is Level.RED


def test_fresh_noise_looks_safe_in_every_window_and_not_in_the_sum():
    """Noise of every step hides a row in a window; over the epochs it averages out, and the sum tells the label."""
    labels = labels_of(0.3, 3)
    readings = run(meters_of(labels), Gradients(labels, noise=2.5, seed=3), epochs=12)
    for meter in WINDOW_METERS:
        assert np.mean(values_of(readings, meter)) < 0.65, meter
    judged = [reading for reading in readings if reading.level is not None]
    assert judged[0].values["accumulated"] < 0.65
    assert judged[-1].values["accumulated"] > 0.8
    assert (judged[0].level, judged[-1].level) == (Level.QUIET, Level.WARNING)


def test_the_sum_is_the_best_that_an_attacker_makes_of_all_epochs():
    """Against an attacker who knows the true direction, and needs no windows."""
    labels, epochs = labels_of(0.3, 4), 8
    gradients = Gradients(labels, noise=2.0, seed=4)
    generator, noise = np.random.default_rng(5), np.zeros(ROWS)
    for _ in range(epochs):
        noise += generator.normal(size=ROWS) * 2.0
    oracle = area(labels * epochs + noise, labels)
    readings = run(meters_of(labels), gradients, epochs=epochs)
    assert values_of(readings, "accumulated")[-1] == pytest.approx(oracle, abs=0.03)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("share", [0.3, 0.04])
def test_private_labels_read_as_their_epsilon_and_a_leak_beside_them_is_red(epsilon, share):
    labels = labels_of(share, 6)
    ceiling = private_ceiling(epsilon)
    flipped = np.random.default_rng(7).random(ROWS) < 1 - ceiling
    drawn = labels ^ flipped
    private = run(meters_of(labels, {"label": ceiling}), Gradients(drawn, noise=0.05, seed=6), epochs=3)
    assert private[-1].values["agreement"] == pytest.approx(ceiling, abs=0.04)
    assert all(reading.level in (None, Level.QUIET) for reading in private)
    leaking = Gradients(drawn + 3.0 * labels, noise=0.05, seed=6)
    assert run(meters_of(labels, {"label": ceiling}), leaking)[-1].level is Level.RED


def test_calling_every_row_negative_is_no_agreement():
    """With 4 % positives it is right for 96 of 100 rows, and tells nothing."""
    labels = labels_of(0.04, 8)
    silent = Gradients(np.zeros(ROWS), noise=1.0, seed=8)
    assert run(meters_of(labels), silent)[-1].values["agreement"] == pytest.approx(0.5, abs=0.04)


def test_a_state_goes_on_where_the_meters_stopped():
    labels = labels_of(0.3, 9)
    whole, half, rest = meters_of(labels), meters_of(labels), meters_of(labels)
    batches = [np.arange(start, start + BATCH, dtype=np.int32) for start in range(0, ROWS, BATCH)]
    gradients = [Gradients(labels, noise=1.0, seed=place).of(rows) for place, rows in enumerate(batches)]

    def add(meters, first, last):
        return [
            reading
            for place in range(first, last)
            for reading in meters.add(gradients[place], batches[place], ends_epoch=place == len(batches) - 1)
        ]

    expected = add(whole, 0, len(batches))
    found = add(half, 0, 53)  # in the middle of a window
    rest.set_state(half.state())
    assert found + add(rest, 53, len(batches)) == expected
    before = meters_of(labels)
    before.set_state(meters_of(labels).state())  # of nothing at all
    assert add(before, 0, len(batches)) == expected


def test_a_rare_class_gets_a_longer_window_and_an_absent_one_no_reading():
    labels = np.zeros(ROWS, np.bool_)
    labels[: int(0.01 * ROWS)] = True
    generator = np.random.default_rng(10)
    labels = generator.permutation(labels)
    readings = run(meters_of(labels), Gradients(labels, noise=0.01, seed=10))
    assert all(reading.rows > 3000 for reading in readings[:-1])
    few = np.zeros(ROWS, np.bool_)
    few[:30] = True
    assert all(not reading.values for reading in run(meters_of(few), Gradients(few, noise=0.01, seed=10)))
    assert of_classes("label", np.ones(50, np.int64)) == of_numbers("label", np.ones(50)) == ()


def test_with_private_labels_the_size_of_a_checkpoint_does_not_depend_on_true_ones():
    """Two sets of true labels, one of them with a rare class: every state has the same form."""
    sizes = []
    for share in (0.3, 0.004):
        labels = labels_of(share, 16)
        meters, gradients = meters_of(labels, {"label": private_ceiling(1.0)}), Gradients(labels, noise=1.0, seed=16)
        sizes.append([])
        for start in range(0, ROWS, BATCH):
            rows = np.arange(start, start + BATCH, dtype=np.int32)
            meters.add(gradients.of(rows), rows, ends_epoch=start + BATCH == ROWS)
            state = meters.state()
            sizes[-1].append((state.values, {name: array.nbytes for name, array in state.arrays.items()}))
    assert sizes[0] == sizes[1]


def test_small_epochs_are_judged_by_their_sums_alone():
    rows = 600
    labels = labels_of(0.3, 11, rows)
    readings = run(meters_of(labels), Gradients(labels, noise=0.05, seed=11), rows=rows, epochs=2)
    assert [set(reading.values) for reading in readings] == [{"accumulated", "agreement"}] * 2
    assert readings[-1].level is Level.RED
    silent = Gradients(np.zeros(rows), noise=1.0, seed=11)
    assert run(meters_of(labels), silent, rows=rows, epochs=20)[-1].level is Level.QUIET
    # A single batch per epoch leaves nothing to learn a direction from.
    alone = run(meters_of(labels), Gradients(labels, noise=0.05, seed=11), rows=rows, batch=rows)
    assert [dict(reading.values) for reading in alone] == [{}]


def test_values_that_are_not_finite_are_left_out():
    labels = labels_of(0.3, 12)

    class Diverged(Gradients):
        def of(self, rows):
            gradients = super().of(rows)
            gradients[0] = np.inf if rows[0] % 2 else np.nan
            return gradients if rows[0] % 3 == 0 else super().of(rows)

    readings = run(meters_of(labels), Diverged(labels, noise=0.01, seed=12))
    assert readings[-1].values["accumulated"] > 0.99


def test_several_classes_and_numbers_are_told_two_at_a_time():
    generator = np.random.default_rng(13)
    codes = generator.choice(5, ROWS, p=[0.05, 0.4, 0.3, 0.2, 0.05])
    targets = of_classes("kind", codes)
    assert [int(target.positive.sum()) for target in targets] == sorted(np.bincount(codes), reverse=True)[:3]
    numbers = generator.normal(size=ROWS)
    (above,) = of_numbers("amount", numbers)
    assert above.positive.mean() == 0.5 and above.known is None
    meters = LabelMeters((*targets, above), ROWS, {})
    tells = Gradients(numbers, noise=0.01, seed=13)
    last = run(meters, tells)[-4:]
    assert [reading.name for reading in last] == ["kind"] * 3 + ["amount"]
    assert all(reading.values["accumulated"] < 0.55 for reading in last[:3])
    assert last[3].values["accumulated"] > 0.99


@pytest.mark.parametrize("share", [0.3, 0.04])
def test_chance_error_is_the_spread_of_directions_learned_from_noise(share):
    generator, rows = np.random.default_rng(14), 2048
    positive, odd = labels_of(share, 14, rows), np.arange(rows) % 2 == 1
    noise = (generator.normal(size=(rows, COLUMNS)).astype(np.float32) for _ in range(400))
    areas = [area(direction_scores(gradients, odd, positive), positive) for gradients in noise]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.01)
    assert np.std(areas) == pytest.approx(chance_error(positive), rel=0.12)


def test_ceilings_of_two_classes_agree_and_those_of_many_are_what_the_best_guesser_reaches():
    assert class_ceiling(replacement_probability(1.0, 2)) == pytest.approx(private_ceiling(1.0))
    generator, classes, rows = np.random.default_rng(15), 10, 200_000
    replacement = replacement_probability(2.0, classes)
    true = generator.integers(0, classes, rows)
    drawn = np.where(generator.random(rows) < replacement, generator.integers(0, classes, rows), true)
    guessed = np.where(drawn == 0, 1.0, -1.0).astype(np.float32)
    found = sign_agreement(guessed, true == 0)
    assert found.value == pytest.approx(class_ceiling(replacement), abs=3 * found.error)
    assert class_ceiling(replacement) < private_ceiling(2.0)

"""Laws of the attacks: they find what is there and nothing where nothing is, and do not look at the truth to orient."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from party.audit.attacks.active_head import active_head_attack, crafted_labels
from party.audit.attacks.attack_result import area_error
from party.audit.attacks.clustering import clustering_attack
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.completion import completion_attacks
from party.audit.attacks.direction import direction_attack
from party.audit.attacks.known_labels import known_labels_attack
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.linear_sign import linear_sign_attack
from party.audit.attacks.linking import linking_attack
from party.audit.attacks.membership import membership_attack
from party.audit.attacks.norm import norm_attack
from party.audit.attacks.posterior import posterior_attack
from party.audit.attacks.probe import probe_attacks
from party.audit.attacks.relayed_messages import relayed_messages_attack
from party.audit.attacks.spectral import spectral_attack
from party.audit.linear_models import fit_logistic, fit_ridge, sigmoid
from party.audit.own_columns import OwnColumns
from party.audit.received_batch import ReceivedBatch
from party.audit.received_header import ReceivedColumns, ReceivedHeader

ROWS, UNITS, BATCH, EPOCHS = 2000, 6, 100, 3
STANDARD_ERRORS = 4.5


@dataclass(frozen=True)
class Made:
    """Made-up batches: every row once in every epoch, in an order of its own."""

    values: object
    kind: str = "gradient"
    rows: int = ROWS
    epochs: int = EPOCHS

    @property
    def header(self):
        hiddens = (ReceivedColumns(name="deep", units=UNITS), ReceivedColumns(name="linear", units=1))
        return ReceivedHeader(
            kind=self.kind, sender="bob", receiver="alice", dataset="train", purpose="training", hiddens=hiddens
        )

    def batches(self):
        position = 0
        for epoch in range(self.epochs):
            order = np.random.default_rng((1, epoch)).permutation(self.rows).astype(np.int32)
            for start in range(0, self.rows, BATCH):
                rows = order[start : start + BATCH]
                values = self.values(rows, position).astype(np.float32)
                yield ReceivedBatch(position=position, epoch=epoch, trains=True, rows=rows, values=values)
                position += 1


def labels_with(share, rows=ROWS):
    return (np.random.default_rng(3).random(rows) < share).astype(np.int64)


def gradients_of(labels, noise=0.02):
    """Gradients (p - y) v of a logistic loss, with a v that turns and a linear term."""

    def values(rows, position):
        generator = np.random.default_rng((2, position))
        probability = np.clip(labels.mean() + 0.1 * generator.standard_normal(len(rows)), 0.05, 0.95)
        turn = np.cos(0.05 * position + np.arange(UNITS))
        slopes = (probability - labels[rows])[:, None] * np.append(turn, 1.0)
        return (slopes + noise * generator.standard_normal(slopes.shape)) / len(rows)

    return Made(values)


def nothing():
    """Gradients that know no label."""
    return Made(lambda rows, position: np.random.default_rng((4, position)).standard_normal((len(rows), UNITS + 1)))


def spectral(material):
    return spectral_attack(material)[0]


WITHOUT_LABELS = [norm_attack, direction_attack, spectral, clustering_attack, linear_sign_attack]
ALL = [*WITHOUT_LABELS, known_labels_attack]
SEPARATING = [direction_attack, spectral, clustering_attack, linear_sign_attack, known_labels_attack]


def material_of(gradients, labels, **more):
    return LabelMaterial(secret="liked", gradients=gradients, labels=labels, **more)


@pytest.mark.parametrize("share", [0.2, 0.7])
@pytest.mark.parametrize("attack", SEPARATING)
def test_labels_are_read_off_gradients_whichever_class_is_rarer(attack, share):
    labels = labels_with(share)
    result = attack(material_of(gradients_of(labels), labels))
    assert result.all_epochs > 0.99
    assert result.one_step > 0.95


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_the_norm_tells_the_rarer_class(share):
    labels = labels_with(share)
    assert norm_attack(material_of(gradients_of(labels), labels)).all_epochs > 0.95


@pytest.mark.parametrize("attack", ALL)
def test_nothing_is_found_where_nothing_is(attack):
    labels = labels_with(0.4)
    result = attack(material_of(nothing(), labels))
    assert abs(result.all_epochs - 0.5) < STANDARD_ERRORS * result.standard_error
    assert abs(result.one_step - 0.5) < STANDARD_ERRORS * result.standard_error


@pytest.mark.parametrize("attack", WITHOUT_LABELS[2:])
def test_orientation_does_not_depend_on_the_truth(attack):
    """Judged by the opposite labels of equal number, an attack without labels gets exactly the opposite figure."""
    labels = np.random.default_rng(3).permutation(np.arange(ROWS) % 2)
    gradients = gradients_of(labels)
    one, other = (attack(material_of(gradients, truth)) for truth in (labels, 1 - labels))
    assert one.all_epochs + other.all_epochs == pytest.approx(1.0)


def test_summing_over_epochs_beats_one_step_under_fresh_noise():
    labels = labels_with(0.4)
    result = known_labels_attack(material_of(gradients_of(labels, noise=1.0), labels))
    assert result.all_epochs > result.one_step + 0.02


@pytest.mark.parametrize("flip", [0.1, 0.27, 0.4])
def test_the_posterior_reads_drawn_labels_as_randomised_response_allows(flip):
    """Own columns that know nothing leave an area of 1 - flip; columns that know something add to it."""
    labels = labels_with(0.3)
    generator = np.random.default_rng(5)
    drawn = np.where(generator.random(ROWS) < flip, 1 - labels, labels)
    figures = {}
    for name, column in {
        "noise": generator.integers(0, 2, ROWS),
        "signal": labels ^ (generator.random(ROWS) < 0.2),
    }.items():
        own = OwnColumns(column[:, None].astype(np.int64), np.ones((ROWS, 1)), 2)
        material = material_of(gradients_of(drawn), labels, own=own, flip_probability=flip)
        figures[name] = posterior_attack(material, spectral_attack(material)[1])
    assert figures["noise"].all_epochs == pytest.approx(1 - flip, abs=0.04)
    assert figures["signal"].all_epochs > max(1 - flip, figures["signal"].without_run) + 0.02


def test_the_posterior_needs_own_columns():
    labels = labels_with(0.4)
    material = material_of(gradients_of(labels), labels)
    assert posterior_attack(material, spectral_attack(material)[1]) is None
    assert completion_attacks(material) == []


def test_completion_gains_from_a_model_that_training_has_shaped():
    labels = labels_with(0.4)
    generator = np.random.default_rng(6)
    hiddens = generator.standard_normal((ROWS, UNITS))
    hiddens[:, 0] += 1.5 * labels
    own = OwnColumns(generator.integers(0, 5, (ROWS, 1)), np.ones((ROWS, 1)), 5)
    alone, both = completion_attacks(material_of(nothing(), labels, own=own, own_hiddens=hiddens))
    assert alone.all_epochs > alone.without_run + 0.2
    assert alone.without_run == both.without_run == pytest.approx(0.5, abs=0.06)
    assert abs(both.all_epochs - alone.all_epochs) < 0.15


def columns_of(noise, entities, secret):
    """Hiddens of entities: each its own vector, which also depends on the secret, at weights that turn by epoch."""
    vectors = np.random.default_rng(7).standard_normal((int(entities.max()) + 1, UNITS + 1))
    vectors[:, 0] += 2.0 * secret

    def values(rows, position):
        generator = np.random.default_rng((8, position))
        return vectors[entities[rows]] + noise * generator.standard_normal((len(rows), UNITS + 1))

    return Made(values, kind="hidden")


@pytest.fixture(scope="module")
def entities():
    return np.random.default_rng(9).permutation(np.arange(ROWS) % 500)


@pytest.fixture(scope="module")
def secret():
    """By entity."""
    return np.random.default_rng(10).integers(0, 2, 500)


def column_material(hiddens, entities, secret, **more):
    return ColumnMaterial(hiddens=hiddens, secrets={"gender": secret[entities]}, entities=entities, **more)


def test_a_probe_reads_columns_better_with_more_known_entities(entities, secret):
    results = probe_attacks(column_material(columns_of(0.3, entities, secret), entities, secret))
    areas = [one.all_epochs for one in results]
    assert [one.attacker_has for one in results] == [f"hiddens, {size} known" for size in (20, 50, 200)]
    assert areas[0] < areas[-1]
    assert areas[-1] > 0.85
    assert all(one.without_run is None for one in results)


def test_a_probe_finds_nothing_in_hiddens_that_do_not_depend_on_the_secret(entities, secret):
    own = OwnColumns(secret[entities][:, None], np.ones((ROWS, 1)), 2)
    material = column_material(columns_of(0.3, entities, np.zeros(500)), entities, secret, own=own)
    for result in probe_attacks(material):
        assert abs(result.all_epochs - 0.5) < STANDARD_ERRORS * result.standard_error
        assert result.without_run == 1.0, "what own columns tell is no leak of the run"


def test_rows_of_one_entity_are_linked_and_others_are_not(entities, secret):
    linked = linking_attack(column_material(columns_of(0.01, entities, secret), entities, secret))
    assert linked.all_epochs > 0.999
    noisy = linking_attack(column_material(nothing(), entities, secret))
    assert noisy.all_epochs == pytest.approx(0.5, abs=0.05)
    assert linking_attack(column_material(nothing(), np.arange(ROWS), secret[entities])) is None


def test_a_row_that_returns_in_the_next_epoch_is_not_linked_to_itself():
    few = np.arange(3 * BATCH)  # fewer batches in an epoch than in a window
    hiddens = Made(columns_of(0.01, few, np.zeros(len(few))).values, kind="hidden", rows=len(few))
    assert linking_attack(column_material(hiddens, few, np.zeros(len(few), np.int64))) is None


def test_crafted_labels_tell_nothing_of_rows_that_are_not_known(entities, secret):
    known = np.arange(20)
    crafted = crafted_labels(secret[entities], entities, known)
    other = crafted_labels(np.where(np.isin(entities, known), secret[entities], 0), entities, known)
    np.testing.assert_array_equal(crafted.labels, other.labels)
    assert ((crafted.weights > 0) == np.isin(entities, known)).all()
    result = active_head_attack(column_material(columns_of(0.1, entities, secret), entities, secret), "gender", known)
    assert "20 known" in result.attacker_has


def test_an_alignment_confirms_every_guess():
    result = membership_attack(["a", "b", "c", "d"], common=["a", "c"], members=["a", "c", "e"])
    assert (result.all_epochs, result.without_run) == (1.0, 0.5)


def test_sizes_that_are_equal_say_nothing_and_sizes_that_differ_do():
    shares = np.random.default_rng(11).random(400)
    equal = np.full((400, 2), 4096.0)
    assert relayed_messages_attack(equal, shares).all_epochs == pytest.approx(0.5)
    assert relayed_messages_attack(equal * shares[:, None], shares).all_epochs > 0.99


def test_standard_error_is_that_of_repeated_draws():
    """The formula is exact for exponential scores, up to the area that it is given."""
    generator = np.random.default_rng(15)
    positive, negative = generator.exponential(3.0, (4000, 51, 1)), generator.exponential(1.0, (4000, 1, 58))
    areas = (positive > negative).mean(axis=(1, 2))
    assert area_error(0.75, 51, 58) == pytest.approx(areas.std(), rel=0.04)
    assert math.isnan(area_error(0.5, 0, 10))


def test_logistic_regression_of_one_column_is_the_share_of_each_value():
    generator = np.random.default_rng(12)
    values = generator.integers(0, 4, 3000)
    targets = (generator.random(3000) < np.array([0.1, 0.3, 0.5, 0.9])[values]).astype(np.float64)
    columns = OwnColumns(values[:, None], np.ones((3000, 1)), 4)
    model = fit_logistic(columns, targets, penalty=1e-6)
    shares = [targets[values == value].mean() for value in range(4)]
    one_of_each = OwnColumns(np.arange(4)[:, None], np.ones((4, 1)), 4)
    np.testing.assert_allclose(sigmoid(model.log_odds(one_of_each)), shares, atol=2e-3)


def test_ridge_regression_solves_its_normal_equations():
    generator = np.random.default_rng(13)
    values, targets = generator.standard_normal((200, 5)), generator.standard_normal(200)
    model = fit_ridge(values, targets, penalty=1e-9)
    design = np.column_stack([values, np.ones(200)])
    expected = np.linalg.lstsq(design, targets, rcond=None)[0]
    np.testing.assert_allclose(model.weights, expected[:-1], rtol=1e-6)
    constant = np.ones((200, 1))
    assert fit_ridge(constant, targets, 1.0).scores(2 * constant).tolist() == [0.0] * 200


def test_a_sparse_matrix_multiplies_as_a_dense_one():
    generator = np.random.default_rng(14)
    columns = OwnColumns(generator.integers(0, 7, (20, 3)), generator.standard_normal((20, 3)), 7)
    weights, factors = generator.standard_normal(7), generator.standard_normal(20)
    np.testing.assert_allclose(columns.times(weights), columns.dense() @ weights)
    np.testing.assert_allclose(columns.transposed_times(factors), columns.dense().T @ factors)
    np.testing.assert_allclose(columns.take(np.array([3, 1])).dense(), columns.dense()[[3, 1]])

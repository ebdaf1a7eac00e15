"""The multi-gate mixture of experts is what its formulas say, and trains as one model over all parties."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from party.configuration.labels import BinaryLabel, RegressionLabel
from party.configuration.layout import BaseLayout, FeatureLayout, FuseLayout
from party.configuration.models import DNNFuse, DNNModel, MMoEFuse
from party.models.assembly import build_fuse
from party.models.initial_weights import draw_initial_weights
from party.models.storage import named_weights
from tests.support.reference_models import (
    Setup,
    assert_split_training_is_right,
    draw,
    fuse_outputs,
    split_models,
    weights_of,
)

INCOME, HOURS = BinaryLabel(rule="x > 3"), RegressionLabel(kind="regression", column="h")
pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")  # of one expert

ONE, TWO = {"income": INCOME}, {"income": INCOME, "hours": HOURS}
WEIGHTED = {
    "income": BinaryLabel(rule="x > 3", weight=0.3),
    "hours": RegressionLabel(kind="regression", column="h", weight=0.6),
}
WIDTH, ROWS = 10, 12
FEATURES = (
    FeatureLayout(name="job", kind="vocabulary", start=0, width=1),
    FeatureLayout(name="age", kind="numeric", start=1, width=1),
)
SECTIONS = {
    "plain": {},
    "gate units": {"gate_units": (5, 4)},
    "one expert": {"experts": 1},
    "no towers": {"tower_units": (), "experts": 2},
    "tanh": {"activation": "tanh", "experts": 5, "expert_units": (4,)},
}
every_section = pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)


def make_section(**section):
    return MMoEFuse(kind="mmoe", **{"expert_units": (8, 6), "tower_units": (5,), **section})


def make_model(labels=TWO, width=WIDTH, seed=7, **section):
    return draw(build_fuse(FuseLayout(section=make_section(**section), units={"deep": width}, labels=labels)), seed)


def make_setup(labels, **section):
    bases = {
        name: BaseLayout(section=DNNModel(kind="dnn", embedding_dimension=3, units=units), features=FEATURES, size=12)
        for name, units in (("alice", (6, 4)), ("bob", ()))
    }
    return Setup(bases, make_section(**section), labels)


def draw_deep(width=WIDTH):
    return tf.constant(np.random.default_rng(2).normal(size=(ROWS, width)).astype(np.float32))


@pytest.mark.parametrize(
    ("labels", "section", "optimizer"),
    [
        (TWO, {}, "sgd"),
        (WEIGHTED, {"gate_units": (4,)}, "sgd"),
        (TWO, {"task_weighting": "uncertainty", "experts": 2}, "sgd"),
        (WEIGHTED, {"gate_units": (4,)}, "adam"),
        (TWO, {"task_weighting": "uncertainty", "experts": 2}, "adam"),
    ],
    ids=["plain, sgd", "weights and gate units, sgd", "uncertainty, sgd", "weights, adam", "uncertainty, adam"],
)
def test_split_training_is_that_of_the_formulas(labels, section, optimizer):
    assert_split_training_is_right(make_setup(labels, **section), optimizer)


@every_section
@pytest.mark.parametrize("labels", [ONE, TWO], ids=["one label", "two labels"])
def test_model_is_its_formula(section, labels):
    model, deep = make_model(labels, **section), draw_deep()
    outputs, expected = model({"deep": deep}), fuse_outputs(make_section(**section), labels, weights_of(model), deep)
    assert outputs.keys() == expected.keys() == labels.keys() | {"expert outputs", "gate weights"}
    for name, output in outputs.items():
        assert output.shape == expected[name].shape
        np.testing.assert_allclose(output, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


@every_section
def test_gate_weights_are_shares(section):
    gates = make_model(**section)({"deep": 5 * draw_deep()})["gate weights"].numpy()
    assert gates.shape == (ROWS, 2, make_section(**section).experts)
    assert (gates >= 0).all()
    np.testing.assert_allclose(gates.sum(axis=2), 1.0, rtol=0, atol=1e-6)
    if gates.shape[2] > 1:
        assert np.abs(gates[:, 0] - gates[:, 1]).max() > 0.1  # each label has its own gate
        assert np.abs(gates[0] - gates[1]).max() > 0.01  # and each row


@pytest.mark.parametrize("tower_units", [(), (5,), (5, 4)], ids=str)
def test_one_expert_and_one_label_are_plain_dense_layers(tower_units):
    mixture = make_model(ONE, experts=1, tower_units=tower_units, gate_units=(3,))
    section = DNNFuse(kind="dnn", units=(8, 6, *tower_units))
    plain = draw(build_fuse(FuseLayout(section=section, units={"deep": WIDTH}, labels=ONE)), seed=99)
    source, target = named_weights(mixture), named_weights(plain)
    layers = [f"expert_0_dense_{number}" for number in range(2)]
    layers += [f"income_tower_dense_{number}" for number in range(len(tower_units))]
    names = {f"dense_{number}": name for number, name in enumerate(layers)} | {"income_logit": "income_logit"}
    assert target.keys() == {f"fuse/{layer}/{leaf}" for layer in names for leaf in ("kernel", "bias")}
    for layer, name in names.items():
        for leaf in ("kernel", "bias"):
            target[f"fuse/{layer}/{leaf}"].assign(source[f"fuse/{name}/{leaf}"].value)
    deep = {"deep": draw_deep()}
    np.testing.assert_allclose(mixture(deep)["income"], plain(deep)["income"], rtol=1e-6, atol=1e-6)


def test_the_order_of_the_experts_does_not_matter():
    first, second = make_model(seed=7, experts=4, gate_units=(3,)), make_model(seed=8, experts=4, gate_units=(3,))
    order = [2, 0, 3, 1]
    source, target = named_weights(first), named_weights(second)
    for name, weight in target.items():
        value = source[name].numpy()
        if name.endswith("_gate/kernel"):
            value = value[:, order]
        elif "/expert_" in name:
            number = int(name.split("_")[1])
            value = source[name.replace(f"expert_{number}_", f"expert_{order[number]}_")].numpy()
        weight.assign(value)
    deep = {"deep": draw_deep()}
    outputs, permuted = first(deep), second(deep)
    for name in TWO:
        np.testing.assert_allclose(permuted[name], outputs[name], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(permuted["expert outputs"], outputs["expert outputs"].numpy()[:, order], atol=1e-6)
    np.testing.assert_allclose(permuted["gate weights"], outputs["gate weights"].numpy()[:, :, order], atol=1e-6)


def test_a_closed_gate_shuts_an_expert_out():
    """With a gate that gives all its weight to one expert, the others change nothing."""
    model = make_model(experts=3)
    weights, deep = named_weights(model), tf.abs(draw_deep()) + 0.1
    for name in TWO:
        gate = weights[f"fuse/{name}_gate/kernel"]
        gate.assign(np.tile(np.float32([[0, 1000, 0]]), (WIDTH, 1)))
    before = model({"deep": deep})
    # A vectorised softmax may leave the last bit out.
    np.testing.assert_allclose(before["gate weights"], np.tile([0.0, 1.0, 0.0], (ROWS, 2, 1)), atol=1e-6)
    for number in (0, 2):
        bias = weights[f"fuse/expert_{number}_dense_1/bias"]
        bias.assign(bias.value + 3.0)
    after = model({"deep": deep})
    assert (after["expert outputs"] != before["expert outputs"]).numpy().any()
    for name in TWO:
        np.testing.assert_array_equal(after[name], before[name])


def step_of(labels, **section):
    """Result of a first step, the same batch outside of training, and the mean gates by Keras's own call."""
    setup = make_setup(labels, **section)
    models = setup.build()
    bases, fuse, _ = split_models(setup, models)
    rows = np.arange(ROWS, dtype=np.int32)
    hiddens = {name: base.infer(rows) for name, base in bases.items()}
    deep = np.concatenate([hiddens[name] for name in sorted(hiddens)], axis=1)
    gates = models["fuse"]({"deep": deep})["gate weights"].numpy().mean(axis=0)
    return fuse.gradients(rows, hiddens), fuse.infer(rows, hiddens), gates


def test_measures_tell_losses_gates_and_shares():
    result, inferred, gates = step_of(WEIGHTED)
    of_gates = {f"{name}_expert_{number}_gate" for name in WEIGHTED for number in range(3)}
    losses = {"income_loss", "hours_loss"}
    assert result.measures.keys() == of_gates | losses | {"income_gradient_share", "hours_gradient_share"}
    assert inferred.measures.keys() == of_gates | losses
    for measures in (result.measures, inferred.measures):
        for place, name in enumerate(WEIGHTED):
            received = [measures[f"{name}_expert_{number}_gate"] for number in range(3)]
            np.testing.assert_allclose(received, gates[place], rtol=0, atol=1e-6)
        expected = 0.3 * measures["income_loss"] + 0.6 * measures["hours_loss"]
        assert expected == pytest.approx(result.loss, rel=1e-5) == pytest.approx(inferred.loss, rel=1e-5)


def test_measures_of_learned_weights_start_at_those_of_unit_variance():
    result, _, _ = step_of(TWO, task_weighting="uncertainty")
    assert result.measures["income_weight"] == pytest.approx(1.0)
    assert result.measures["hours_weight"] == pytest.approx(0.5)
    expected = result.measures["income_loss"] + 0.5 * result.measures["hours_loss"]
    assert result.loss == pytest.approx(expected, rel=1e-5)


def test_measures_of_one_label_are_its_gates():
    result, _, _ = step_of(ONE, experts=2)
    assert result.measures.keys() == {"income_expert_0_gate", "income_expert_1_gate"}


@pytest.mark.parametrize("tiny", ["income", "hours", None])
def test_gradient_shares_say_who_moves_the_experts(tiny):
    labels = {name: label.model_copy(update={"weight": 1e-7 if name == tiny else 1.0}) for name, label in TWO.items()}
    result, _, _ = step_of(labels)
    shares = {name: result.measures[f"{name}_gradient_share"] for name in TWO}
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-6)
    if tiny is None:
        assert min(shares.values()) > 0.01
    else:
        assert shares == pytest.approx({name: float(name != tiny) for name in TWO}, abs=1e-4)


def test_dropout_is_off_outside_of_training_and_reproducible_in_training():
    models, deep = [], {"deep": draw_deep()}
    for _ in range(2):
        section = make_section(dropout=0.4, expert_units=(32, 16), tower_units=(16,))
        models.append(build_fuse(FuseLayout(section=section, units={"deep": WIDTH}, labels=TWO)))
        draw_initial_weights(models[-1], np.random.default_rng(5))
    runs = [[model(deep, training=training) for training in (False, False, True, True)] for model in models]
    for name in TWO:
        for one, other in zip(*runs, strict=True):
            np.testing.assert_array_equal(one[name], other[name])
        np.testing.assert_array_equal(runs[0][0][name], runs[0][1][name])
        assert (runs[0][2][name] != runs[0][3][name]).numpy().any()
        assert (runs[0][0][name] != runs[0][2][name]).numpy().any()
    np.testing.assert_array_equal(runs[0][0]["gate weights"], runs[0][2]["gate weights"])  # gates have no dropout


def test_a_saved_model_predicts_identically(tmp_path):
    model, deep = make_model(dropout=0.2, gate_units=(4,)), {"deep": draw_deep()}
    model.save(tmp_path / "fuse.keras")
    loaded = keras.models.load_model(tmp_path / "fuse.keras")(deep)
    for name, output in model(deep).items():
        np.testing.assert_array_equal(loaded[name], output, err_msg=name)

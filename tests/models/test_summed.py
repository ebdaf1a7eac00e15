"""`deep` as a sum: the concatenating model with its first layer above the cut pushed below it, and no other one."""

import numpy as np
import pytest

from party.configuration.labels import BinaryLabel, RegressionLabel
from party.configuration.layout import BaseLayout, FeatureLayout, FuseLayout
from party.configuration.models import BSTModel, DeepFMFuse, DeepFMModel, DNNFuse, DNNModel, MMoEFuse
from party.cut.hidden import Aggregation, HiddenSpec
from party.errors import HandshakeError
from party.models.assembly import PartyModels, base_specs, build_base, build_fuse
from party.models.initial_weights import draw_initial_weights
from party.models.storage import named_weights
from tests.support.reference_models import ACTIVATIONS, draw, draw_inputs

CUT = 7
LABEL = {"liked": BinaryLabel(rule="x > 3")}
TWO = {**LABEL, "minutes": RegressionLabel(kind="regression", column="m")}
FILM = FeatureLayout(name="film", kind="vocabulary", start=0, width=1)
SEEN = FeatureLayout(name="seen", kind="sequence", start=1, width=4, target="film")
AGE = FeatureLayout(name="age", kind="numeric", start=5, width=1)
BASES = {
    "deepfm": DeepFMModel(embedding_dimension=4, units=(6, 5), cut_units=CUT),
    "dnn": DNNModel(kind="dnn", embedding_dimension=4, units=(6, 5), cut_units=CUT),
    "dnn without layers": DNNModel(kind="dnn", embedding_dimension=4, units=(), cut_units=CUT),
    "bst": BSTModel(kind="bst", embedding_dimension=4, heads=2, units=(6, 5), cut_units=CUT),
}
FUSES = {
    "deepfm": (DeepFMFuse(units=(5,), activation="tanh"), LABEL),
    "dnn": (DNNFuse(kind="dnn", units=(5,), activation="relu"), TWO),
    "mmoe": (MMoEFuse(kind="mmoe", experts=2, expert_units=(4,), tower_units=(3,), activation="tanh"), TWO),
}


def base_layout(section, summed):
    return BaseLayout(section=section, features=(FILM, SEEN, AGE), size=20, summed=summed)


def fuse_layout(section, labels, summed, width=CUT):
    units = {"deep": width}
    if isinstance(section, DeepFMFuse):
        units |= {"factor_sum": 4, "factor_square": 1, "linear": 1}
    plain = {"deep": "concat", "factor_sum": "sum", "factor_square": "sum", "linear": "sum"}
    aggregations = {name: "sum" if summed else plain[name] for name in units}
    return FuseLayout(section=section, units=units, aggregations=aggregations, labels=labels)


def copy_weights(source, target, names=lambda name: name):
    """Gives a model the weights of another one under other names."""
    known = named_weights(source)
    for name, weight in named_weights(target).items():
        if names(name) in known:
            weight.assign(known[names(name)])


def weight(model, name):
    return named_weights(model)[name].numpy()


@pytest.mark.parametrize("kind", BASES)
def test_a_base_model_ends_in_a_linear_layer_of_its_own(kind):
    plain, summed = (draw(build_base(base_layout(BASES[kind], one)), seed=3) for one in (False, True))
    copy_weights(plain, summed)
    inputs = draw_inputs(base_layout(BASES[kind], True))
    before, after = plain(inputs, training=False), summed(inputs, training=False)
    kernel = weight(summed, "base/cut/kernel")
    np.testing.assert_allclose(after["deep"], before["deep"].numpy() @ kernel, atol=1e-5)
    assert "base/cut/bias" not in named_weights(summed)
    for name in set(before) - {"deep"}:
        np.testing.assert_array_equal(after[name], before[name])
    specs = base_specs(base_layout(BASES[kind], True))
    assert specs[0] == HiddenSpec("deep", CUT, Aggregation.SUM)
    assert {spec.aggregation for spec in specs} == {Aggregation.SUM}
    assert [spec.name for spec in specs] == [spec.name for spec in base_specs(base_layout(BASES[kind], False))]


@pytest.mark.parametrize("kind", FUSES)
def test_a_fuse_model_begins_with_the_bias_and_activation_of_that_layer(kind):
    section, labels = FUSES[kind]
    plain, summed = (draw(build_fuse(fuse_layout(section, labels, one)), seed=4) for one in (False, True))
    copy_weights(plain, summed)
    generator = np.random.default_rng(1)
    bias = named_weights(summed)["fuse/cut_bias/kernel"]
    bias.assign(generator.normal(size=(1, CUT)))
    hiddens = {name: generator.normal(size=(9, width)).astype(np.float32) for name, width in summed_widths(summed)}
    activated = ACTIVATIONS[section.activation](hiddens["deep"] + bias.numpy()).numpy()
    expected = plain({**hiddens, "deep": activated}, training=False)
    received = summed(hiddens, training=False)
    for name in expected:
        np.testing.assert_allclose(received[name], expected[name], atol=1e-6)


def test_the_bias_above_the_cut_begins_at_zero():
    model = build_fuse(fuse_layout(*FUSES["dnn"], summed=True))
    draw_initial_weights(model, np.random.default_rng(3))
    assert not weight(model, "fuse/cut_bias/kernel").any()
    assert weight(model, "fuse/dense_0/kernel").any()


def summed_widths(model):
    return [(tensor.name, tensor.shape[1]) for tensor in model.inputs]


def test_the_sum_is_the_concatenating_model_with_one_more_layer():
    """cut_units u and fuse units (v,) give the function of concatenation with fuse units (u, v)."""
    sections = dict.fromkeys(("alice", "bob", "charlie"), BASES["dnn"])
    summed = {name: draw(build_base(base_layout(one, True)), seed) for seed, (name, one) in enumerate(sections.items())}
    plain = {name: draw(build_base(base_layout(one, False)), seed=0) for name, one in sections.items()}
    for name, model in summed.items():
        copy_weights(model, plain[name])
    width = BASES["dnn"].units[-1]
    added = draw(build_fuse(fuse_layout(DNNFuse(kind="dnn", units=(5,)), LABEL, True)), seed=8)
    named_weights(added)["fuse/cut_bias/kernel"].assign(np.random.default_rng(2).normal(size=(1, CUT)))
    joined = draw(build_fuse(fuse_layout(DNNFuse(kind="dnn", units=(CUT, 5)), LABEL, False, 3 * width)), seed=9)
    copy_weights(added, joined, lambda name: name.replace("dense_0", "pushed").replace("dense_1", "dense_0"))
    first = {name.rpartition("/")[2]: one for name, one in named_weights(joined).items() if "dense_0" in name}
    first["kernel"].assign(np.concatenate([weight(model, "base/cut/kernel") for model in summed.values()]))
    first["bias"].assign(weight(added, "fuse/cut_bias/kernel")[0])
    inputs = {name: draw_inputs(base_layout(one, True)) for name, one in sections.items()}
    deep = {name: model(inputs[name], training=False)["deep"] for name, model in plain.items()}
    total = sum(model(inputs[name], training=False)["deep"] for name, model in summed.items())
    expected = joined({"deep": np.concatenate([deep[name] for name in sections], axis=1)}, training=False)
    np.testing.assert_allclose(added({"deep": total}, training=False)["liked"], expected["liked"], atol=1e-5)


def test_a_fuse_model_over_sums_takes_no_concatenated_hidden():
    models = PartyModels(None)
    apart = {
        "alice": (HiddenSpec("deep", CUT, Aggregation.CONCAT),),
        "charlie": (HiddenSpec("deep", CUT, Aggregation.SUM),),
    }
    with pytest.raises(HandshakeError, match="alice sends deep"):
        models.add_fuse(DNNFuse(kind="dnn"), LABEL, apart, summed=True)
    with pytest.raises(HandshakeError, match="charlie sends deep"):
        models.add_fuse(DNNFuse(kind="dnn"), LABEL, apart)

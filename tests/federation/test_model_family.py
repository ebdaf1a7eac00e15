"""Labels, models, optimizers and early stopping beyond the default, across real parties."""

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.errors import ConfigurationError, HandshakeError
from tests.support.model_family import (
    CITY,
    FILM,
    LABELS,
    PARTIES,
    SEQUENCE,
    frames,
    overrides,
)


def federation(make_organisations, training=None, **bob):
    return make_organisations(
        names=PARTIES,
        features={"alice": [CITY], "bob": [FILM, SEQUENCE]},
        frames=frames(),
        training=training or {"epochs": 2, "validation_fraction": 0.167},
        overrides=overrides(**bob),
    ).start_servers()


def test_a_transformer_and_three_labels_are_trained_reported_and_predicted(make_organisations):
    organisations = federation(make_organisations)
    with connect(organisations.write_run(evaluate_dataset="train")) as parties:
        parties.align()
        history = parties.fit()
        again = parties.fit()
        evaluated = parties.evaluate(run_id=history.run_id)
        written = parties.predict("future", run_id=history.run_id)
    assert history.history == again.history, "two runs with one seed are identical"
    for party in PARTIES:
        for key, array in organisations.weights(party, history.run_id).items():
            np.testing.assert_array_equal(organisations.weights(party, again.run_id)[key], array, err_msg=key)
    values = history.history
    for name in LABELS:
        assert {f"{name}_loss", f"val_{name}_loss", f"{name}_gradient_share"} <= set(values)
        assert {f"{name}_expert_0_gate", f"{name}_expert_1_gate"} <= set(values)
    for epoch in range(2):
        assert sum(values[f"{name}_gradient_share"][epoch] for name in LABELS) == pytest.approx(1.0, abs=1e-4)
        for name in LABELS:
            gates = [values[f"{name}_expert_{number}_gate"][epoch] for number in range(2)]
            assert sum(gates) == pytest.approx(1.0, abs=1e-4)
    assert {"loss", "liked_auc", "minutes_root_mean_squared_error", "mood_sparse_categorical_accuracy"} <= set(
        evaluated
    )
    folder = organisations.state_path("bob") / "runs" / history.run_id
    table = pd.read_csv(folder / written.files[0])
    columns = ["ID", "liked_probability", "minutes_prediction", "mood_probability_calm", "mood_probability_loud"]
    assert list(table) == columns
    assert len(table) == written.rows
    np.testing.assert_allclose(table["mood_probability_calm"] + table["mood_probability_loud"], 1.0, rtol=1e-6)
    assert table["liked_probability"].between(0, 1).all()


def test_weights_of_rows_and_losses_act(make_organisations):
    """A run whose rows all weigh nothing but one class learns that class alone."""
    only_positive = {"liked": {"rule": "rating > 3", "class_weights": {"negative": 0.0}}}
    training = {"epochs": 8, "optimizer": {"learning_rate": 0.02}}
    data = overrides()["bob"]["data"] | {"labels": only_positive}
    organisations = federation(make_organisations, training, data=data, fuse={"kind": "dnn", "units": [4]})
    with connect(organisations.write_run(evaluate_dataset="train")) as parties:
        parties.align()
        parties.fit()
        assert parties.evaluate()["recall"] > 0.99


def test_each_party_may_have_an_optimizer_of_its_own(make_organisations):
    schedule = {
        "name": "ExponentialDecay",
        "arguments": {"initial_learning_rate": 0.0, "decay_steps": 1, "decay_rate": 1},
    }
    still = {"name": "SGD", "learning_rate": schedule}
    organisations = federation(make_organisations, optimizer=still)
    with connect(organisations.write_run({"maximum_steps": 0})) as parties:
        parties.align()
        before = {name: organisations.weights(name, parties.fit().run_id) for name in PARTIES}
    with connect(organisations.write_run({"optimizer": {"name": "nadam", "arguments": {"beta_1": 0.8}}})) as parties:
        run_id = parties.fit().run_id
    after = {name: organisations.weights(name, run_id) for name in PARTIES}
    for key, array in before["bob"].items():
        np.testing.assert_array_equal(after["bob"][key], array, err_msg=f"{key}: bob's learning rate is zero")
    assert any((after["alice"][key] != array).any() for key, array in before["alice"].items())


def test_early_stopping_ends_all_parties_with_the_weights_of_the_best_epoch(make_organisations):
    """Of the first one, as no later change is large enough to count."""
    stopping = {"metric": "val_loss", "minimum_delta": 1e6, "patience": 0}
    training = {"epochs": 5, "validation_fraction": 0.167, "optimizer": {"learning_rate": 0.003}}
    organisations = federation(make_organisations, training)
    with connect(organisations.write_run({"early_stopping": stopping}, evaluate_dataset="train")) as parties:
        parties.align()
        stopped = parties.fit()
        assert parties.evaluate()["loss"] > 0
    with connect(organisations.write_run({"epochs": 1})) as parties:
        once = parties.fit()
    assert (len(stopped.epoch), stopped.best_epoch) == (2, 0)
    for name in PARTIES:
        weights, expected = (organisations.weights(name, run.run_id) for run in (stopped, once))
        for key, array in expected.items():
            np.testing.assert_array_equal(weights[key], array, err_msg=f"{name}: {key}")


REFUSED = {
    "unknown optimizer": (
        {"optimizer": {"name": "adan"}},
        ConfigurationError,
        r"training\.optimizer: adan is not known",
    ),
    "unknown argument": (
        {"optimizer": {"arguments": {"momentun": 0.9}}},
        ConfigurationError,
        r"training\.optimizer: Adam does not take these arguments",
    ),
    "unknown schedule": (
        {"optimizer": {"learning_rate": {"name": "Cosine"}}},
        ConfigurationError,
        r"training\.optimizer\.learning_rate: Cosine is not known here.*did you mean CosineDecay",
    ),
    "metric of one label the wrong way round": (
        {"early_stopping": {"metric": "val_liked_auc", "mode": "min"}, "validation_fraction": 0.1},
        ConfigurationError,
        r"bob: training\.early_stopping\.mode: mode min contradicts val_liked_auc, of which larger values are better",
    ),
    "unknown metric to stop by": (
        {"early_stopping": {"metric": "val_liked_acu"}, "validation_fraction": 0.1},
        ConfigurationError,
        r"bob: training\.early_stopping\.metric: no metric is named val_liked_acu; expected one of val_loss",
    ),
}


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    from tests.support.organisations import Organisations  # noqa: PLC0415

    with Organisations(
        tmp_path_factory.mktemp("aligned"),
        names=PARTIES,
        features={"alice": [CITY], "bob": [FILM, SEQUENCE]},
        frames=frames(),
        overrides=overrides(),
    ) as made:
        made.start_servers()
        with connect(made.write_run()) as parties:
            parties.align()
        yield made


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_cannot_be_followed_is_refused_before_training(aligned, case):
    training, kind, text = REFUSED[case]
    with connect(aligned.write_run(training)) as parties, pytest.raises(kind, match=text):
        parties.fit()
    assert not list((aligned.state_path("alice") / "runs").glob("*/record.json"))


def test_models_that_do_not_fit_together_are_refused_with_what_each_sends(make_organisations):
    data = overrides()["bob"]["data"] | {"labels": {"liked": LABELS["liked"]}}
    organisations = federation(make_organisations, data=data, fuse={"kind": "deepfm"})
    with connect(organisations.write_run()) as parties:
        parties.align()
        said = r"no party sends factor_sum; expected for fuse deepfm: deep \(concat\), factor_sum \(sum\)"
        with pytest.raises(HandshakeError, match=said + r".*alice: deep \(6, concat\); bob: deep \(6, concat\)"):
            parties.fit()

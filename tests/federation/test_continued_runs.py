"""A new run begins with the weights and vocabularies of a finished one."""

import json

import numpy as np
import pytest

from coordinator import connect
from party.errors import ConfigurationError, SessionError
from party.ledger.file import read_ledger
from tests.support.organisations import SMALL_MODEL, Organisations, make_frames
from tests.support.resuming import NEVER, expect_equal, outcome, run_path, stop_at

# One step is one epoch, so that the order of rows does not matter, and SGD without momentum has no state.
WHOLE = {"batch_size": 1000, "optimizer": {"name": "sgd", "learning_rate": 0.5}}
PRIVATE = {"bob": {"labels": {"liked": {"rule": "rating > 3", "privacy": {"epsilon": 2.0}}}}}


@pytest.fixture(scope="module", params=["one head", "two heads"])
def whole(request, tmp_path_factory):
    overrides = PRIVATE if request.param == "two heads" else {}
    with Organisations(tmp_path_factory.mktemp("whole"), training=WHOLE, overrides=overrides) as made:
        made.start_servers()
        made.write_run(checkpoints=NEVER)
        with connect(made.run_path) as parties:
            parties.align()
            made.short = parties.fit()
        yield made


def train(organisations, training=None, **arguments):
    organisations.write_run(training, checkpoints=NEVER, evaluate_dataset="train")
    with connect(organisations.run_path) as parties:
        return parties.fit(**arguments)


def test_an_epoch_more_is_the_epoch_that_a_longer_run_has(whole):
    longer = train(whole, {"epochs": 2})
    continued = train(whole, continue_from=whole.short.run_id)
    assert continued.continues == whole.short.run_id
    assert continued.history["loss"] == pytest.approx(longer.history["loss"][1:], rel=1e-5)
    assert abs(longer.history["loss"][1] - longer.history["loss"][0]) > 1e-3
    for name in whole.names:
        weights = whole.weights(name, longer.run_id)
        for key, array in whole.weights(name, continued.run_id).items():
            np.testing.assert_allclose(array, weights[key], atol=1e-5, err_msg=f"{name}: {key}")


def test_what_it_continues_is_written_down_everywhere(whole):
    continued = train(whole, continue_from=whole.short.run_id[:8])
    record = json.loads((whole.state_path("alice") / "runs" / continued.run_id / "record.json").read_text())
    history = json.loads((whole.runs_path / continued.run_id / "history.json").read_text())
    assert record["continues"] == history["continues"] == whole.short.run_id
    lines = [line for line in read_ledger(whole.state_path("alice")) if line.run_id == continued.run_id]
    assert {line.continues for line in lines} == {whole.short.run_id}
    assert "continues" not in lines[0].model_copy(update={"continues": ""}).model_dump()
    assert f"continues {whole.short.run_id[:8]}" in whole.coordinator("status").stdout


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    frames = make_frames(("alice", "bob"))
    later = make_frames(("alice", "bob"), seed=9, datasets=("later",))
    later["alice"]["later"]["city"] = "Nowhere"  # unknown to the vocabulary of the run
    frames = {name: {**frames[name], **later[name]} for name in frames}
    policy = {"policy": {"minimum_metric_rows": 1, "training_datasets": ["train", "later"]}}
    training = {"validation_fraction": 0.2, "epochs": 1, "batch_size": 64}
    made = Organisations(
        tmp_path_factory.mktemp("continued"),
        frames=frames,
        training=training,
        overrides={"alice": policy, "bob": policy},
    )
    with made:
        made.start_servers()
        made.write_run(checkpoints=NEVER, evaluate_dataset="train")
        with connect(made.run_path) as parties:
            parties.align()
            made.first = parties.fit()
        yield made


def encoders(organisations, run_id):
    return (organisations.state_path("alice") / "runs" / run_id / "encoders.json").read_bytes()


def test_new_rows_are_encoded_with_the_vocabularies_of_the_run(organisations):
    continued = train(organisations, {"dataset": "later"}, continue_from=organisations.first.run_id)
    assert encoders(organisations, continued.run_id) == encoders(organisations, organisations.first.run_id)
    weights = organisations.weights("alice", organisations.first.run_id)
    moved = [
        np.abs(array - weights[key]).max() for key, array in organisations.weights("alice", continued.run_id).items()
    ]
    assert max(moved) > 1e-4


def test_it_resumes_to_the_bits_of_one_that_never_stopped(organisations):
    reference = train(organisations, {"epochs": 2}, continue_from=organisations.first.run_id)
    stop_at(organisations, 3, continue_from=organisations.first.run_id, training={"epochs": 2})
    with connect(run_path(organisations, training={"epochs": 2})) as parties:
        resumed = parties.fit(resume="")
    assert resumed.continues == organisations.first.run_id
    expect_equal(outcome(organisations, resumed), outcome(organisations, reference))


def test_a_run_that_is_not_there_or_differs_is_named(organisations):
    with pytest.raises(ConfigurationError, match="no finished run"):
        train(organisations, continue_from="ffff")
    organisations.stop_server("alice")
    organisations.write_party("alice", model={**SMALL_MODEL, "units": [8, 3]})
    organisations.start_server("alice")
    try:
        with pytest.raises(SessionError, match="changed since the run to continue: configuration model"):
            train(organisations, continue_from=organisations.first.run_id)
    finally:
        organisations.stop_server("alice")
        organisations.write_party("alice")
        organisations.start_server("alice")
    folder = organisations.state_path("alice") / "runs" / organisations.first.run_id
    aside = folder.with_name("aside")
    folder.rename(aside)
    try:
        with pytest.raises(SessionError, match="no such run here to continue"):
            train(organisations, continue_from=organisations.first.run_id)
    finally:
        aside.rename(folder)

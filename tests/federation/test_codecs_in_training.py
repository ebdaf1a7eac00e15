"""Training with shorter messages: the bytes that the history counts, what owners allow, bits that stay reproducible."""

import pytest

from coordinator import connect
from party.errors import ConfigurationError, PolicyError
from tests.support.codec_cases import FED_BACK, WIDE
from tests.support.fitting import expect_same_bits, fit, results
from tests.support.organisations import Organisations, make_frames
from tests.support.resuming import expect_equal, outcome, restart, stop_at, train

TRAINING = {"epochs": 2, "batch_size": 62}
INT8 = {"hidden": {"kind": "int8"}, "gradient": {"kind": "int8"}}
TOPK = {"kind": "topk", "fraction": 0.15, "values": "int8"}
CODECS = {
    "int8": (INT8, 3.2),
    "bfloat16, float16": ({"hidden": {"kind": "bfloat16"}, "gradient": {"kind": "float16"}}, 1.8),
    "topk with error feedback": ({"hidden": FED_BACK, "gradient": FED_BACK}, 4.0),
    "topk, randomk": ({"hidden": TOPK, "gradient": {"kind": "randomk", "fraction": 0.2}}, 4.0),
}
REPEATED = ("topk with error feedback", "topk, randomk")  # codecs with a state, and with draws


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("codecs"), training=TRAINING, overrides=WIDE) as made:
        made.start_servers().write_run()
        made.plain = train(made)
        yield made


@pytest.mark.parametrize("name", CODECS)
def test_messages_are_shorter_and_those_with_a_state_are_repeated_to_the_bit(organisations, name):
    codecs, least = CODECS[name]
    with connect(organisations.write_run({"codecs": codecs})) as parties:
        history = parties.fit()
    if name in REPEATED:
        expect_same_bits(results(organisations, history), fit(organisations, {"codecs": codecs}))
    assert organisations.plain.message_bytes / history.message_bytes > least
    assert history.step_loss != organisations.plain.step_loss
    assert abs(history.history["loss"][-1] - organisations.plain.history["loss"][-1]) < 0.1


def test_a_run_with_codecs_and_batches_under_way_goes_on_to_the_same_bits(make_organisations):
    codecs = {"hidden": {**FED_BACK, "kind": "randomk"}, "gradient": FED_BACK}
    training = {**TRAINING, "epochs": 3, "codecs": codecs, "schedule": {"kind": "pipelined", "depth": 2}}
    organisations = make_organisations(training=training, overrides=WIDE).start_servers()
    undisturbed = outcome(organisations, train(organisations))
    run_id = stop_at(organisations, 3)
    restart(organisations, *organisations.names)
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), undisturbed)


def test_an_owner_allows_codecs_by_name(make_organisations):
    overrides = {**WIDE, "alice": {**WIDE["alice"], "policy": {"allowed_codecs": ["float32", "float16"]}}}
    organisations = make_organisations(training=TRAINING, overrides=overrides).start_servers()
    train(organisations)
    text = (
        r"alice: refused by policy.allowed_codecs: training.codecs.gradient; expected float32 or float16; received int8"
    )
    with pytest.raises(PolicyError, match=text):
        fit(organisations, {"codecs": {"gradient": {"kind": "int8"}}})


def test_a_codec_that_would_not_shrink_is_refused_before_the_first_batch(organisations):
    with pytest.raises(
        ConfigurationError, match=r"training.codecs.hidden .*: codec topk would not make 42 columns sho"
    ):
        fit(organisations, {"codecs": {"hidden": {"kind": "topk", "fraction": 0.97}}})


def test_a_dataset_of_few_rows_is_evaluated_whatever_the_codec_of_training(make_organisations):
    """One row of narrow tensors would not become shorter; but only batches of training are encoded."""
    frames = make_frames(("alice", "bob"))
    common = set(frames["alice"]["train"]["ID"]) & set(frames["bob"]["train"]["ID"])
    rated = frames["bob"]["train"].set_index("ID").loc[sorted(common)]["rating"]
    few = [rated.index[rated == rating][0] for rating in ("2", "5")]
    for datasets in frames.values():
        datasets["few"] = datasets["train"][datasets["train"]["ID"].isin(few)]
    narrow = {"kind": "dnn", "units": [2]}
    overrides = {"alice": {"model": narrow}, "bob": {"model": narrow, "fuse": {"kind": "dnn", "units": []}}}
    organisations = make_organisations(frames=frames, training=TRAINING, overrides=overrides).start_servers()
    with connect(organisations.write_run({"codecs": INT8})) as parties:
        parties.align()
        run_id = parties.fit().run_id
        assert parties.evaluate("few", run_id=run_id)["loss"] > 0

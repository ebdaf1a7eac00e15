from dataclasses import replace

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration, TrainingSection
from party.configuration.strict import validate
from party.cut.hidden import Aggregation, HiddenSpec
from party.errors import PolicyError
from party.pb.handshake_pb2 import Purpose
from party.policy.requests import SessionRequest
from party.policy.rules import Policy
from party.protocol.schedule import TrainingSchedule
from tests.support.configuration_cases import feature_party, label_party

EVALUATE, PREDICT = Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT
DRIVER = "driver"
RUN = RunConfiguration(parties=("bank", "shop"), label_party="bank")


def policy(make=label_party, peers=None, coordinators=None, **section):
    content = make() | {"policy": section}
    if coordinators is not None:
        content["coordinators"] = coordinators
    if peers is not None:
        content["peers"] = [{"name": name, "ca": "x.pem"} for name in peers]
    return Policy(validate(PartyConfiguration, content, "x"))


def refusal(rule, function, *arguments):
    with pytest.raises(PolicyError) as caught:
        function(*arguments)
    text = str(caught.value)
    assert f": refused by policy.{rule}: " in text
    assert "; expected " in text
    assert "; received " in text
    return text


def run_of(*parties, label_party="bank", **training):
    return RunConfiguration(parties=parties, label_party=label_party, training=TrainingSection(**training))


def test_run_with_all_peers_is_allowed():
    for owner, peer in ((policy(), "mall"), (policy(feature_party), "mall")):
        owner.check_members(RUN, "bank")
        with pytest.raises(PolicyError):
            owner.check_members(run_of("bank", peer), "bank")


TENSORS = [Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE, EVALUATE, PREDICT]


def request(purpose, run, dataset=""):
    return SessionRequest(coordinator=DRIVER, purpose=purpose, run_id=bytes(16), run=run, dataset=dataset, resume=False)


@pytest.mark.parametrize("purpose", TENSORS)
def test_an_owner_may_require_masked_sums_wherever_hiddens_leave(purpose):
    owner = policy(peers=["mall", "shop"], require_secure_aggregation=True)
    dataset = "test" if purpose in (EVALUATE, PREDICT) else ""
    plain, masked = (run_of("bank", "mall", "shop", secure_aggregation=one) for one in (False, True))
    text = refusal("require_secure_aggregation", owner.check_request, request(purpose, plain, dataset))
    assert "expected true; received false" in text
    owner.check_request(request(purpose, masked, dataset))
    owner.check_request(request(Purpose.PURPOSE_ALIGN, plain))


@pytest.mark.parametrize("parties", [("bank", "mall"), ("bank", "mall", "shop"), ("mall", "shop")])
def test_run_with_other_peers_is_refused(parties):
    text = refusal("peer_sets", policy().check_members, run_of(*parties, label_party=parties[0]), "bank")
    assert "expected shop" in text


def test_only_the_peer_sets_that_are_listed_are_allowed():
    allowed = policy(peers=["mall", "shop"], peer_sets=[["shop"], ["mall", "shop"]])
    allowed.check_members(RUN, "bank")
    allowed.check_members(run_of("bank", "mall", "shop"), "bank")
    refusal("peer_sets", allowed.check_members, run_of("bank", "mall"), "bank")
    refusal("peer_sets", policy(peers=["mall", "shop"]).check_members, RUN, "bank")
    refusal("peer_sets", policy(peer_sets=[]).check_members, RUN, "bank")


BOTH_PEERS = [["mall", "shop"]]


@pytest.mark.parametrize(
    ("peer_sets", "without", "received"),
    [
        (None, ("mall",), None),
        (None, ("mall", "shop"), None),
        ([*BOTH_PEERS, ["shop"]], ("mall",), None),
        ([*BOTH_PEERS, []], ("mall", "shop"), None),
        (BOTH_PEERS, (), None),
        (BOTH_PEERS, ("mall",), "shop"),
        ([*BOTH_PEERS, ["shop"]], ("shop",), "mall"),
        ([*BOTH_PEERS, ["shop"]], ("mall", "shop"), "nobody"),
    ],
)
def test_peers_that_stay_are_one_of_the_listed_sets_where_any_are_listed(peer_sets, without, received):
    owner = policy(peers=["mall", "shop"], peer_sets=peer_sets)
    asked = replace(request(EVALUATE, run_of("bank", "mall", "shop"), "test"), without=without)
    if received is None:
        owner.check_request(asked)
    else:
        assert "the session's peers; expected mall, shop" in refusal("peer_sets", owner.check_request, asked)
        assert refusal("peer_sets", owner.check_request, asked).endswith(f"received {received}")


def test_another_label_party_is_refused():
    text = refusal("label_party", policy().check_members, run_of("bank", "shop", label_party="shop"), "bank")
    assert text.startswith("bank: ")


def check_training(section, rows=100, make=label_party, **training):
    run = run_of("bank", "shop", **({"batch_size": 10} | training))
    return policy(make, **section).check_training(run, TrainingSchedule(run.training, rows, bytes(32)))


def refuses_training(rule, section, rows=100, make=label_party, **training):
    return refusal(rule, lambda: check_training(section, rows, make, **training))


def test_epochs():
    check_training({"maximum_epochs": 3}, epochs=3)
    refuses_training("maximum_epochs", {"maximum_epochs": 3}, epochs=4)


def test_batches():
    check_training({"minimum_batch": 10})
    refuses_training("minimum_batch", {"minimum_batch": 11})
    text = refuses_training("minimum_batch", {"minimum_batch": 10}, rows=101)
    assert "received 1; set training.remainder: drop" in text
    check_training({"minimum_batch": 10}, rows=101, remainder="drop")


@pytest.mark.parametrize("training", [{}, {"epochs": 3}, {"validation_fraction": 0.5}])
def test_rows_behind_metrics(training):
    rows = 50 if training.get("validation_fraction") else 100
    check_training({"minimum_metric_rows": rows}, **training)
    text = refuses_training("minimum_metric_rows", {"minimum_metric_rows": rows + 1}, **training)
    assert f"received {rows}" in text


def test_held_out_rows_are_counted_by_themselves():
    check_training({"minimum_metric_rows": 10}, validation_fraction=0.1)
    text = refuses_training("minimum_metric_rows", {"minimum_metric_rows": 11}, validation_fraction=0.1)
    assert "held-out rows" in text


@pytest.mark.parametrize("training", [{"maximum_steps": 1}, {"maximum_steps": 11, "epochs": 2}])
def test_epoch_that_is_cut_short_has_metrics_too(training):
    """Else a coordinator would read single labels off the metrics of an epoch of one small batch."""
    check_training({"minimum_metric_rows": 10}, **training)
    text = refuses_training("minimum_metric_rows", {"minimum_metric_rows": 11}, **training)
    assert "training rows of the shortest epoch" in text


def test_rows_that_are_dropped_do_not_count():
    refuses_training("minimum_metric_rows", {"minimum_metric_rows": 11}, rows=19, remainder="drop")


def test_run_without_steps_has_no_metrics():
    check_training({"minimum_metric_rows": 1000}, maximum_steps=0)
    with pytest.raises(PolicyError, match="minimum_metric_rows"):
        check_training({"minimum_metric_rows": 1000}, maximum_steps=1)


def test_feature_party_gives_no_metrics():
    check_training({"minimum_metric_rows": 1000}, make=feature_party, validation_fraction=0.1)
    with pytest.raises(PolicyError, match="minimum_metric_rows"):
        check_training({"minimum_metric_rows": 1000}, validation_fraction=0.1)


def table_owner():
    content = feature_party()
    del content["data"]["datasets"]
    content["data"]["tables"] = {"users": "users.csv"}
    return content


@pytest.mark.parametrize("make", [feature_party, table_owner])
@pytest.mark.parametrize("purpose", [Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE])
def test_a_dataset_that_may_not_be_evaluated_is_not_held_out_either(make, purpose):
    """The owner of tables has no datasets by whose names it could tell which ones its rule is about."""
    owner = policy(make, inference_datasets=["train"], training_datasets=["train"])
    text = refusal(
        "inference_datasets",
        owner.check_request,
        request(purpose, run_of("bank", "shop", dataset="train", validation_dataset="test")),
    )
    assert "expected train; received test" in text
    allowed = policy(make, inference_datasets=["test"], training_datasets=["train"])
    allowed.check_request(request(purpose, run_of("bank", "shop", dataset="train", validation_dataset="test")))


def test_datasets_for_inference():
    policy().check_inference(EVALUATE, "train", DRIVER)
    policy(inference_datasets=["test"]).check_inference(PREDICT, "test", DRIVER)
    only_test = policy(inference_datasets=["test"])
    text = refusal("inference_datasets", only_test.check_inference, EVALUATE, "train", DRIVER)
    assert "expected test; received train" in text
    refusal("inference_datasets", policy().check_inference, EVALUATE, "other", DRIVER)
    refusal("inference_datasets", policy(inference_datasets=[]).check_inference, EVALUATE, "test", DRIVER)


@pytest.mark.parametrize(
    ("rights", "expected"), [({}, "test or train"), ({"datasets": ["test"]}, "test"), ({"datasets": []}, "none")]
)
def test_a_refusal_lists_no_dataset_that_the_coordinator_may_not_name(rights, expected):
    """What it may not ask for is also not to be learned from an error."""
    coordinators = [{"name": DRIVER, "ca": "x.pem", **rights}]
    for section in ({}, {"inference_datasets": ["train", "test"]}):
        owner = policy(coordinators=coordinators, **section)
        text = refusal("inference_datasets", owner.check_inference, EVALUATE, "other", DRIVER)
        assert f"expected {expected}; received other" in text
    owner = policy(coordinators=coordinators, training_datasets=["train"])
    text = refusal("training_datasets", owner.check_training_dataset, "test", DRIVER)
    assert f"expected {'train' if not rights else 'none'}; received test" in text


def test_predictions():
    closed = policy(allow_predict=False)
    closed.check_inference(EVALUATE, "test", DRIVER)
    refusal("allow_predict", closed.check_inference, PREDICT, "test", DRIVER)


def test_rows_behind_an_evaluation():
    policy(minimum_metric_rows=32).check_metric_rows(32, "rows of dataset test")
    text = refusal("minimum_metric_rows", policy().check_metric_rows, 31, "rows of dataset test")
    assert "rows of dataset test; expected at least 32; received 31" in text


def test_aggregations():
    specs = [HiddenSpec("deep", 4, Aggregation.CONCAT), HiddenSpec("linear", 1, Aggregation.SUM)]
    policy().check_outputs(specs, "shop")
    text = refusal("allowed_aggregations", policy(allowed_aggregations=["concat"]).check_outputs, specs, "shop")
    assert "aggregation of linear from shop; expected concat; received sum" in text
    refusal("allowed_aggregations", policy(allowed_aggregations=["sum"]).check_outputs, specs, "shop")

import pytest
import yaml
from hypothesis import given, settings

from coordinator.configuration import CoordinatorConfiguration, load_coordinator_configuration
from party.configuration.run import RunConfiguration
from party.configuration.strict import validate
from tests.support.configuration_cases import change, coordinator, mistyped, refusal, run


def written(folder, content):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def check(content):
    return validate(CoordinatorConfiguration, content, "run.yaml")


def test_file_with_every_key_is_read(tmp_path):
    configuration = load_coordinator_configuration(written(tmp_path, coordinator()))
    assert [party.address for party in configuration.parties] == ["shop.example:5000", "[::1]:5001"]
    assert configuration.timeout_seconds == 5.0
    assert configuration.path("runs") == tmp_path.resolve() / "runs"


def test_run_holds_what_is_shared_and_nothing_else():
    configuration = check(coordinator())
    assert configuration.run == validate(RunConfiguration, run(), "x")
    sent = configuration.run.to_bytes().decode()
    for local in ("driver", ".pem", "example", "5000", "runs"):
        assert local not in sent


@pytest.mark.parametrize("path", ["coordinator", "parties", "label_party", "parties.0.name", "parties.1.address"])
def test_required_key_is_missed(path):
    assert f"key {path} is missing" in refusal(check, change(coordinator(), path, None))


WRONG = {
    "coordinator": ["Driver", ""],
    "tls.key": [3],
    "parties": [[], "shop"],
    "parties.0.address": ["shop.example", "shop.example:", ":", "a b:1", 5000],
    "parties.0.spki_sha256": ["0" * 63],
    "parties.0.ca": [3],
    "output": [3],
    "timeout_seconds": [0, -1, "soon"],
    "connect_timeout_seconds": [0, -1],
    "alignment.chunk_rows": [1],
    "training.batch_size": [0],
    "training.optimizer.name": ["newton's"],
    "evaluate_dataset": [3],
    "insecure": ["yes", 1],
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in WRONG.items() for value in values])
def test_wrong_value_is_refused_at_its_key(path, value):
    assert f"key {path}" in refusal(check, change(coordinator(), path, value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coordinator": "shop"}, "names used twice among coordinator and parties: shop"),
        ({"parties.0.name": "bank"}, "names used twice among coordinator and parties: bank"),
        ({"label_party": "driver"}, "label_party must be one of parties"),
        ({"training.party_dropout": {"bank": 0.1}}, "training.party_dropout names bank: it takes names of feature"),
        ({"tls": None}, "tls is missing: it names the coordinator's certificate and key"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    content = coordinator()
    for path, value in changes.items():
        change(content, path, value)
    assert message in refusal(check, content)


def test_certificate_is_optional_only_where_insecure():
    assert check(change(coordinator(), "tls", None) | {"insecure": True}).tls is None


@settings(max_examples=100)
@given(mistyped(coordinator))
def test_mistyped_key_is_refused_with_its_path_and_the_right_key(case):
    content, path, key, slip = case
    where = f"{path}.{slip}" if path else slip
    assert f"unknown key {where}, did you mean {key}?" in refusal(check, content)


def test_folder_is_no_key(tmp_path):
    path = written(tmp_path, coordinator() | {"folder": "/"})
    assert "unknown key folder" in refusal(load_coordinator_configuration, path)


def test_numbers_may_be_written_with_an_exponent(tmp_path):
    content = yaml.safe_dump(coordinator()).replace("timeout_seconds: 5.5", "timeout_seconds: 1e-3")
    path = tmp_path / "run.yaml"
    path.write_text(content)
    assert load_coordinator_configuration(path).connect_timeout_seconds == 0.001


@pytest.mark.parametrize("written_as", ["'5.5'", "true", "1e3x"])
def test_a_number_is_never_made_of_something_else(tmp_path, written_as):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(coordinator()).replace("timeout_seconds: 5.5", f"timeout_seconds: {written_as}"))
    assert "timeout_seconds: must be a number above 0, such as 120.0, not " in refusal(
        load_coordinator_configuration, path
    )


def test_a_masked_sum_of_one_feature_party_is_refused_before_any_party_is_asked():
    content = change(coordinator(), "training.secure_aggregation", True)
    content = change(content, "training.codecs", {})
    assert "training.secure_aggregation needs at least two feature parties" in refusal(check, content)


def test_a_planner_chooses_no_codecs_for_a_masked_sum():
    content = change(change(coordinator(), "training.codecs", None), "training.schedule", {"kind": "auto"})
    assert check(content).given_codecs is None
    third = {"name": "third", "address": "third.example:1", "ca": "third.pem"}
    content = change(change(content, "training.secure_aggregation", True), "parties", [*content["parties"], third])
    assert check(content).given_codecs.hidden.kind == "float32"

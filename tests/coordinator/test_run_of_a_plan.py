"""What a coordinator's file says once the planner has decided: parties never see a schedule that is not."""

import json

import pytest

from coordinator.configuration import CoordinatorConfiguration
from coordinator.planning.planner import run_size
from party.configuration.run import ScheduleSection, TrainingSection, run_configuration_from_bytes
from party.configuration.strict import validate
from party.errors import ConfigurationError
from tests.support.planning_cases import FLOAT32, INT8, pipelined

AUTO = {"schedule": {"kind": "auto"}}


def configuration(training):
    parties = [{"name": name, "address": "127.0.0.1:1", "ca": "ca.pem"} for name in ("alice", "bob")]
    content = {"coordinator": "c", "label_party": "bob", "parties": parties, "insecure": True, "training": training}
    return validate(CoordinatorConfiguration, content, "run.yaml")


def test_a_party_refuses_a_schedule_that_is_not_decided():
    content = json.loads(configuration({}).run.to_bytes())
    content["training"]["schedule"]["kind"] = "auto"
    with pytest.raises(ConfigurationError, match=r"run configuration: training.schedule.kind auto belongs to a coord"):
        run_configuration_from_bytes(json.dumps(content).encode())


def test_depth_is_the_planner_s():
    with pytest.raises(ConfigurationError, match="with kind auto the planner chooses it"):
        configuration({"schedule": {"kind": "auto", "depth": 4}})
    with pytest.raises(RuntimeError):
        _ = ScheduleSection(kind="auto").batches_under_way


def test_a_file_is_like_a_run_whose_schedule_was_planned():
    planned, decided = configuration({**AUTO, "epochs": 3}), configuration({"epochs": 3})
    former = decided.run_with(pipelined(8), INT8)
    assert planned.run_like(former) == former
    assert configuration({**AUTO, "epochs": 4}).run_like(former) != former
    assert decided.run_like(former) == decided.run != former


def test_codecs_of_the_file_are_kept():
    given = configuration({**AUTO, "codecs": {"hidden": {"kind": "int8"}, "gradient": {"kind": "int8"}}})
    assert given.given_codecs == INT8
    assert configuration(AUTO).given_codecs is None
    former = given.run_with(pipelined(8), FLOAT32)
    assert given.run_like(former).training.codecs == INT8
    assert given.run.training.schedule == ScheduleSection()


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"batch_size": 10, "epochs": 2}, (10, 20, 2)),
        ({"batch_size": 30}, (4, 4, 1)),
        ({"batch_size": 30, "remainder": "drop"}, (3, 3, 1)),
        ({"batch_size": 10, "epochs": 4, "maximum_steps": 15}, (10, 15, 2)),
        ({"batch_size": 10, "validation_fraction": 0.05}, (10, 10, 1)),
        ({"batch_size": 10, "validation_fraction": 0.5}, (5, 5, 1)),
    ],
)
def test_the_size_of_a_run_is_that_of_its_schedule(training, expected):
    size = run_size(TrainingSection(**training), 100)
    assert (size.epoch_steps, size.steps, size.epochs) == expected
    assert size.training_rows + size.held_out_rows == 100

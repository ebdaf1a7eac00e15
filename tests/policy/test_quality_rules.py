"""What an owner's policy lets a coordinator learn of the quality of a dataset."""

import dataclasses

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.data.statistics.feature_warnings import WarningKind
from party.data.statistics.quality import DatasetQuality
from party.policy.quality_rules import QualityRules, ReleasedQuality
from party.policy.rules import Policy
from tests.support.configuration_cases import feature_party

QUALITY = DatasetQuality(
    dataset="test",
    rows=100,
    compared="train",
    compared_rows=1000,
    warnings={WarningKind.UNKNOWN: 2},
    cells=200,
    missing=3,
    unknown=101,
)
NAMED = frozenset({"train", "test"})


@pytest.mark.parametrize(
    ("level", "released"),
    [
        ("none", None),
        ("warnings", ReleasedQuality("test", {WarningKind.UNKNOWN: 2}, None, None)),
        ("shares", ReleasedQuality("test", {WarningKind.UNKNOWN: 2}, 2, 50)),
    ],
)
def test_a_level_says_what_is_released(level, released):
    assert QualityRules(level, 32, NAMED).released(QUALITY) == released


@pytest.mark.parametrize("level", ["warnings", "shares"])
@pytest.mark.parametrize(
    ("change", "minimum", "named"),
    [
        ({"rows": 31}, 32, NAMED),
        ({"compared_rows": 31}, 32, NAMED),
        ({"cells": 0}, 32, NAMED),
        ({}, 101, NAMED),
        ({}, 32, frozenset({"test"})),
        ({}, 32, frozenset()),
    ],
    ids=["few rows", "few to compare with", "no feature", "below the minimum", "another dataset", "none named"],
)
def test_nothing_is_released_of_few_rows_or_by_a_dataset_that_the_coordinator_may_not_learn_of(
    level, change, minimum, named
):
    assert QualityRules(level, minimum, named).released(dataclasses.replace(QUALITY, **change)) is None


def test_a_dataset_that_is_not_compared_needs_no_other():
    alone = dataclasses.replace(QUALITY, compared=None, compared_rows=0)
    assert QualityRules("warnings", 32, frozenset()).released(alone) is not None


def rules(coordinator="driver", budgets=None, privacy=None, **changes):
    content = feature_party() | changes
    content["policy"] = {**content["policy"], "budgets": budgets or {}}
    content |= {"privacy": privacy} if privacy else {}
    return Policy(validate(PartyConfiguration, content, "party.yaml")).quality(coordinator)


def test_a_party_that_counts_what_its_columns_reveal_releases_none():
    assert rules().releases
    assert not rules(budgets={"columns": {"epsilon": 1.0, "exact_releases": "any"}}).releases
    data = {**feature_party()["data"], "features": [{"column": "x", "kind": "vocabulary"}]}
    private = {"columns": {"epsilon": 1.0, "columns": {"x": {"values": ["a", "b"]}}}}
    assert rules(data=data).releases
    assert not rules(data=data, privacy=private).releases


def test_a_coordinator_learns_by_comparison_only_with_datasets_that_it_may_name():
    assert rules().named == set(feature_party()["data"]["datasets"])
    limited = [{**feature_party()["coordinators"][0], "datasets": ["test"]}]
    assert rules(coordinators=limited).named == {"test"}
    assert rules(coordinator="stranger").named == set()

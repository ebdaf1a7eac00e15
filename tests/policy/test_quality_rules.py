"""What an owner's policy lets a coordinator learn of the quality of a dataset."""

import dataclasses

import pytest

from party.data.statistics.feature_warnings import WarningKind
from party.data.statistics.quality import DatasetQuality
from party.policy.quality_rules import QualityRules, ReleasedQuality

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

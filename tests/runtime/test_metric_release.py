"""Which bounds a session's figures of sampled negatives are released with."""

from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter

from party.configuration.labels import Labels
from party.configuration.negatives import NegativesSection
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.policy.metric_rules import MetricRules
from party.runtime.metric_release import metric_release

PER_POSITIVE, GROUPS = 2, 60
SECTION = NegativesSection(per_positive=PER_POSITIVE, user=("user",), item=("film",), columns=("shelf",))
COLUMNS = ("user", "film", "shelf")
LABELS = TypeAdapter(Labels).validate_python(
    {name: {"rule": "rating > 3", "metrics": [{"name": "hit_rate", "by": name, "k": 1}]} for name in COLUMNS}
)


def released(negatives):
    """The figures of a pass over so many groups of every column, each with a positive row."""
    party = SimpleNamespace(
        context=SimpleNamespace(
            configuration=SimpleNamespace(data=SimpleNamespace(labels=LABELS, negatives=negatives))
        ),
        grant=SimpleNamespace(metrics=MetricRules(minimum_rows=32, running=False, exact=False)),
        run=SimpleNamespace(training=SimpleNamespace(seed=1)),
        run_id=bytes(16),
    )
    most = 0 if negatives is None else negatives.per_positive
    setup = SimpleNamespace(
        opening=party,
        rows=SimpleNamespace(negatives=SimpleNamespace(most=most)),
        record=SimpleNamespace(secret=bytes(32).hex()),
        training=None,
    )
    scores, losses = Scores(LABELS, "bob"), TaskLosses(LABELS, uncertainty=False, party="bob")
    rows = GROUPS * (1 + PER_POSITIVE)
    labels = np.zeros((rows, len(COLUMNS)), np.float32)
    labels[:: 1 + PER_POSITIVE] = 1
    outputs = np.random.default_rng(1).uniform(0.1, 0.9, (rows, len(COLUMNS))).astype(np.float32)
    groups = np.repeat(np.arange(rows, dtype=np.int32) // (1 + PER_POSITIVE), len(COLUMNS)).reshape(rows, -1)
    release = metric_release(setup, losses, scores, {}, transcript=bytes(32))
    return release("pass", outputs, labels, scores(outputs, labels, groups=groups), groups=groups)


def test_a_figure_by_what_an_item_is_has_the_bound_of_all_groups_that_one_row_and_its_negatives_are_in():
    """With the bound of one group of fifty all three would be released, in steps of a fifth."""
    figures = released(SECTION)
    assert figures["user_hit_rate_1"] == pytest.approx(round(figures["user_hit_rate_1"] / 0.2) * 0.2)
    assert figures["film_hit_rate_1"] is None
    assert figures["shelf_hit_rate_1"] is None


def test_without_negatives_a_row_is_in_one_group():
    assert all(released(None)[f"{name}_hit_rate_1"] is not None for name in COLUMNS)

"""Refusals by the meters' limits name the limit, and nothing that depends on the data."""

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import PolicyError
from party.policy.rules import Policy
from tests.support.configuration_cases import feature_party, label_party


def rules_of(content, meters, **policy):
    changed = content | {"meters": meters, "policy": policy}
    return Policy(validate(PartyConfiguration, changed, "x")).meters


def test_without_a_limit_nothing_is_above_it():
    rules = rules_of(label_party(), {"labels": True})
    assert not (rules.limits_labels or rules.limits_columns)
    assert not (rules.label_above(1.0) or rules.column_above(1.0))


@pytest.mark.parametrize(
    ("content", "meters", "rule", "what"),
    [
        (label_party(), {"labels": True}, "maximum_label_reading", "labels"),
        (feature_party(), {"columns": ["gender"]}, "maximum_column_reading", "columns"),
    ],
)
def test_a_refusal_says_only_which_limit_was_passed(content, meters, rule, what):
    rules = rules_of(content, meters, **{rule: 0.9})
    above = rules.label_above if what == "labels" else rules.column_above
    assert [above(reading) for reading in (0.5, 0.9, 0.91, 1.0)] == [False, False, True, True]
    with pytest.raises(PolicyError) as refused:
        (rules.refuse_labels if what == "labels" else rules.refuse_columns)()
    assert refused.value.public_message == (
        f"{content['party']}: refused by policy.{rule}: the meters of its {what}; expected readings of at most 0.9;"
        " ask its owner, whose log says more"
    )

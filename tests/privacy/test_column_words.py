"""What an owner is told of a chosen epsilon."""

import math

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.privacy.column_words import column_words, privacy_lines
from tests.support.configuration_cases import feature_party, label_party


def configured(epsilon=None, columns=None, party=feature_party, **privacy):
    if epsilon is not None:
        columns = columns or {"b": {"values": ["x", "y"]}}
        public = [name for name in "abcdef" if name not in columns]
        privacy["columns"] = {"epsilon": epsilon, "public": public, "columns": columns}
    return validate(PartyConfiguration, {**party(), "privacy": privacy}, "test")


def told(*arguments, **options):
    return "\n".join(privacy_lines(configured(*arguments, **options)))


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_a_guess_is_right_as_often_as_bayes_says(epsilon):
    """Joint probabilities of true and drawn symbols, summed over the best guess for each drawn one."""
    columns = {"a": {"values": ["p", "q", "r"]}, "d": {"minimum": 0, "maximum": 1, "missing": [""]}}
    for words in column_words(configured(epsilon, columns).privacy.columns):
        share, symbols = epsilon / 2, words.symbols
        joint = [
            [
                (math.exp(share) if true == drawn else 1.0) / (math.exp(share) + symbols - 1) / symbols
                for true in range(symbols)
            ]
            for drawn in range(symbols)
        ]
        assert sum(map(sum, joint)) == pytest.approx(1.0)
        assert words.stays == pytest.approx(sum(max(row) for row in joint))
        assert words.blind == pytest.approx(1 / symbols)


def test_readable_is_said_from_two_on():
    assert "readable" not in told(1.99)
    assert "readable" in told(2.0)
    assert "88 %" in told(2.0)


def test_what_no_mode_protects_is_always_said():
    for text in (told(), told(1.0), told(decorrelate={"columns": ["c"]})):
        assert "disclosed in every mode: the ids in common" in text
    assert "no epsilon bounds what others can infer" in told()
    assert "public columns: a, c, d, e, f" in told(1.0)
    assert list(privacy_lines(configured(party=label_party))) == []


def test_the_penalty_is_called_a_hindrance_without_epsilon():
    text = told(decorrelate={"columns": ["c", "gender"]})
    assert "privacy.decorrelate c, gender: a hindrance, not a protection: it has no epsilon" in text
    assert "does not stop a label party" in text


def test_a_share_that_nobody_uses_is_said():
    assert "no feature reads unused" in told(1.0, {"b": {"values": ["x", "y"]}, "unused": {"values": ["x", "y"]}})

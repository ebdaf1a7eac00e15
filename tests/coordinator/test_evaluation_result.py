"""Which columns a text names, and the table of an evaluation with each of them shuffled."""

import math

import pytest

from coordinator.command_line import print_latest
from coordinator.evaluation import Evaluation
from coordinator.evaluation_result import evaluated
from coordinator.shuffled_columns import shuffled_columns
from party.errors import ConfigurationError, PolicyError
from party.protocol.shuffled_column import ShuffledColumn


def evaluation(metrics, withheld=None):
    return Evaluation(
        run_id="ab",
        dataset="test",
        without=(),
        rows=9,
        metrics=metrics,
        withheld=withheld or {},
        negatives_per_positive=0,
        message_bytes=8,
        quality={},
    )


def test_a_text_names_a_column_or_several():
    columns = shuffled_columns(["alice:3", "bob:1-2"])
    assert columns == [ShuffledColumn("alice", 3), ShuffledColumn("bob", 1), ShuffledColumn("bob", 2)]
    assert shuffled_columns([]) == []


@pytest.mark.parametrize(
    "text", ["", "alice", "alice:", "alice:0", "alice:2-1", "alice:1-", ":1", "alice:12345", "a:1,2"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ConfigurationError, match=r"^--shuffle: cannot be read; expected PARTY:NUMBER"):
        shuffled_columns([text])


def test_a_table_says_by_how_much_each_metric_differs():
    metrics = {None: {"loss": 0.5, "auc": 0.75}, ShuffledColumn("alice", 1): {"loss": 0.625, "auc": 0.5}}
    *_, result = evaluated(lambda column: evaluation(metrics[column]), list(metrics)[1:])
    header, before, shuffled = (line.split() for line in result.lines(None))
    assert header == ["shuffled", "loss", "auc"]
    assert before == ["nothing", "0.5", "0.75"]
    assert shuffled == ["column", "1", "of", "alice", "0.625", "(+0.1250)", "0.5", "(-0.2500)"]
    (alone,) = evaluated(lambda column: evaluation(metrics[column]), [])
    assert [line.split() for line in alone.lines(None)] == [["loss", "0.5"], ["auc", "0.75"]]


def test_what_is_missing_is_said_with_the_reason():
    told = evaluation({"loss": 0.5, "auc": math.nan}, withheld={"recall": "too coarse over 9 rows"})
    (result,) = evaluated(lambda column: told, [])
    text = "\n".join(result.lines(None))
    assert "withheld: recall: too coarse over 9 rows" in text
    assert [warning.split(":")[:2] for warning in result.warnings] == [["undefined", " auc"]]
    assert result.warnings[0] in text


def test_evaluations_before_a_failure_are_told():
    def evaluate(column):
        if column is not None and column.number > 1:
            raise PolicyError("refused by policy.maximum_evaluations")
        return evaluation({"loss": 0.5})

    shown = []
    with pytest.raises(PolicyError):
        print_latest(evaluated(evaluate, shuffled_columns(["alice:1-3"])), shown.append)
    (result,) = shown
    assert [one.column.number for one in result.shuffled] == [1]

"""Which columns a text names, and the table of an evaluation with each of them shuffled."""

import pytest

from coordinator.shuffled_figures import evaluation_lines, shuffled_columns
from party.errors import ConfigurationError
from party.protocol.shuffled_column import ShuffledColumn


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
    header, before, shuffled = (line.split() for line in evaluation_lines(metrics.get, list(metrics)[1:]))
    assert header == ["shuffled", "loss", "auc"]
    assert before == ["nothing", "0.5", "0.75"]
    assert shuffled == ["column", "1", "of", "alice", "0.625", "(+0.1250)", "0.5", "(-0.2500)"]
    assert [line.split() for line in evaluation_lines(metrics.get, [])] == [["loss", "0.5"], ["auc", "0.75"]]

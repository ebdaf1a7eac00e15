import math

import pytest

from coordinator.figures import figure_text, metric_texts, metrics_text, withheld_text
from coordinator.history import coarse_reason
from party.pb import party_pb2 as pb


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.785, "0.785"),
        (0.5, "0.5"),
        (1.0, "1"),
        (0.0, "0"),
        (-0.25, "-0.25"),
        (0.5543217, "0.5543"),
        (12300.0, "12300"),
        (123456.0, "123500"),
        (0.0000123, "0.0000123"),
        (math.nan, "undefined"),
        (math.inf, "inf"),
    ],
)
def test_a_figure_has_the_digits_that_were_told_and_no_exponent(value, text):
    assert figure_text(value) == text


def test_more_digits_where_they_are_asked_for():
    assert figure_text(0.55432172, 6) == "0.554322"


def test_metrics_of_a_line():
    values = [pb.NamedValue(name=name, value=value) for name, value in (("loss", 0.555), ("auc\x1b[2J\n", 0.8))]
    metrics = pb.Metrics(rows=9, values=values)
    assert metrics_text("val_", metrics) == "val_loss 0.555  val_auc?[2J? 0.8"
    assert metric_texts("", metrics) == ["loss 0.555", "auc?[2J? 0.8"]


def test_a_withheld_metric_is_named_and_explained():
    metrics = pb.Metrics(rows=150, values=[pb.NamedValue(name="loss", value=0.6)], withheld=["auc\x1b[2J"])
    assert metrics_text("val_", metrics) == "val_loss 0.6  val_auc?[2J withheld"
    assert coarse_reason(150) == "too coarse over 150 rows"
    text = withheld_text(["auc\n"], coarse_reason(150, 900))
    assert text == "withheld: auc?: too coarse after 900 releases over 150 rows; the label party's own record has them"

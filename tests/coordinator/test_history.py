import json
import math

import pytest

from coordinator.history import History, metrics_as_dictionary
from party.pb import party_pb2 as pb

METRIC_NAMES = ("loss", "auc", "precision", "recall")


def metrics(value, rows=10):
    values = [pb.NamedValue(name=name, value=value + place) for place, name in enumerate(METRIC_NAMES)]
    return pb.Metrics(rows=rows, values=values)


def report(steps=(), epochs=()):
    reply = pb.ReportReply(steps=[pb.StepReport(step=step, rows=rows, loss=loss) for step, rows, loss in steps])
    for number, (train, validation) in enumerate(epochs):
        one = reply.epochs.add(epoch=number)
        one.train.CopyFrom(metrics(train))
        if validation is not None:
            one.validation.CopyFrom(metrics(validation, rows=4))
    return reply


def test_epochs_stand_in_lists_as_keras_holds_them():
    history = History("ab")
    history.take(report(epochs=[(1.0, 5.0), (2.0, 6.0)]))
    assert history.epoch == [0, 1]
    assert history.history == {
        "loss": [1.0, 2.0],
        "auc": [2.0, 3.0],
        "precision": [3.0, 4.0],
        "recall": [4.0, 5.0],
        "val_loss": [5.0, 6.0],
        "val_auc": [6.0, 7.0],
        "val_precision": [7.0, 8.0],
        "val_recall": [8.0, 9.0],
    }
    assert history.samples == 20, "held-out rows are not trained on"


def test_run_without_held_out_rows_has_no_validation():
    history = History("ab")
    history.take(report(epochs=[(1.0, None)]))
    assert set(history.history) == set(METRIC_NAMES)


def test_reports_repeat_epochs_and_never_steps():
    """A report holds every epoch again, its validation perhaps only later, but each step only once."""
    history = History("ab")
    history.take(report(steps=[(0, 4, 0.7)]))
    history.take(report(steps=[(1, 4, 0.6), (3, 8, 0.5)], epochs=[(1.0, None)]))
    history.take(report(epochs=[(1.0, 5.0)]))
    assert history.step_loss == [(0, 4, pytest.approx(0.7)), (1, 4, 0.6), (3, 8, 0.5)]
    assert history.history["loss"] == [1.0]
    assert history.history["val_loss"] == [5.0]
    assert history.samples == 10


def test_rates():
    history = History("ab", seconds=4.0, samples=200, message_bytes=3000)
    assert history.samples_per_second == 50.0
    assert history.bytes_per_sample == 15.0
    nothing = History("ab")
    assert (nothing.samples_per_second, nothing.bytes_per_sample) == (0.0, 0.0)


def test_saved_files_hold_the_run(tmp_path):
    history = History("ab" * 16, params={"epochs": 1, "steps": 2}, seconds=2.0, message_bytes=60)
    history.timings = {"bank": {"fuse": 1.5}}
    reply = report(steps=[(0, 4, 0.75), (1, 4, 0.5)], epochs=[(1.0, 5.0)])
    reply.best_epoch = 0
    history.take(reply)
    assert history.best_epoch == 0
    history.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["history.json"], "losses by step are the label party's"
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    content = json.loads((tmp_path / "history.json").read_text())
    for name in (
        "run_id",
        "history",
        "epoch",
        "params",
        "seconds",
        "samples",
        "message_bytes",
        "timings",
        "best_epoch",
    ):
        assert content[name] == getattr(history, name)
    assert content["samples_per_second"] == 5.0
    assert content["bytes_per_sample"] == 6.0


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_no_party_keeps_a_history_from_being_written_by_what_it_states_of_its_work(tmp_path, seconds):
    """It would end a run that all parties finished without a history, and no evaluation could name it."""
    history = History("ab" * 16)
    timings = [pb.Timing(activity="base", seconds=seconds), pb.Timing(activity="seal", seconds=1.5)]
    history.take_timings("alice", pb.ReportReply(timings=timings))
    history.save(tmp_path)
    assert json.loads((tmp_path / "history.json").read_text())["timings"] == {"alice": {"seal": 1.5}}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_metric_without_a_value_is_null_in_the_file(tmp_path, value):
    reply = report(epochs=[(1.0, None)])
    reply.epochs[0].train.values[METRIC_NAMES.index("auc")].value = value
    history = History("ab")
    history.take(reply)
    history.save(tmp_path)
    text = (tmp_path / "history.json").read_text()
    assert json.loads(text)["history"]["auc"] == [None]
    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_withheld_metric_is_in_no_series_and_is_named_with_the_reason(tmp_path):
    reply = report(epochs=[(1.0, 5.0), (2.0, 6.0)])
    for epoch in reply.epochs:
        del epoch.validation.values[1]
        epoch.validation.withheld.append("auc")
    history = History("ab", params={"epochs": 900})
    history.take(reply)
    assert "val_auc" not in history.history
    assert history.withheld == {"val_auc": "too coarse after 900 releases over 4 rows"}
    history.save(tmp_path)
    content = json.loads((tmp_path / "history.json").read_text())
    assert (content["withheld"], content["undefined"]) == (history.withheld, [])
    history.take(report(epochs=[(1.0, 5.0)]))
    assert history.withheld == {}


def test_metrics_by_name():
    assert metrics_as_dictionary(metrics(1.0)) == {"loss": 1.0, "auc": 2.0, "precision": 3.0, "recall": 4.0}

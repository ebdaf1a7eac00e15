"""A log of JSON lines."""

import json
import logging
from datetime import datetime

import pytest

from party.monitoring.logs import JsonFormatter, LogPlace, RunPlace, report

RUN = "0123456789abcdef" * 2


def record(message, *arguments, error=None):
    info = None if error is None else (type(error), error, None)
    return logging.LogRecord("party.x", logging.WARNING, "x.py", 1, message, arguments, info)


@pytest.fixture
def place():
    return LogPlace()


def line(place, *arguments, **given):
    text = JsonFormatter({"party": "alice"}, place).format(record(*arguments, **given))
    assert "\n" not in text
    return json.loads(text)


def test_a_line_has_what_a_collector_needs(place):
    found = line(place, "%d rows\nand \u2028 more", 7)
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "warning", "logger": "party.x", "message": "7 rows\nand \u2028 more", "party": "alice"}


def test_its_time_is_the_records(place):
    made = record("x")
    written = json.loads(JsonFormatter({}, place).format(made))["time"]
    assert datetime.fromisoformat(written).timestamp() == pytest.approx(made.created, abs=1e-3)


def test_a_line_names_the_run_and_the_step_of_the_moment(place):
    place.source = lambda: RunPlace(RUN, 12)
    assert (line(place, "x")["run"], line(place, "x")["step"]) == (RUN[:8], 12)
    place.source = RunPlace
    assert not {"run", "step"} & set(line(place, "x"))


def test_the_text_of_another_librarys_error_stays_out(place):
    found = line(place, "failed", error=ValueError("could not convert canary-7351"))
    assert found["error"] == "ValueError"
    assert "canary" not in json.dumps(found)


def test_the_error_of_a_command_is_a_line_of_the_log_only_where_that_is_json(place, caplog):
    written = []
    report("error: x", written.append)
    assert (written, caplog.messages) == (["error: x"], [])
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter({}, place))
    logging.getLogger().addHandler(handler)
    try:
        report("error: y", written.append)
    finally:
        logging.getLogger().removeHandler(handler)
    assert (written, caplog.messages) == (["error: x"], ["error: y"])

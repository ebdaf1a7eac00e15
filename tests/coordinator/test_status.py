"""The status of many parties and runs, as lines of any width and as a document: both have the same facts."""

import json
from pathlib import Path

import pytest

from coordinator.status import HeldDataset, PartyState, RunState, Status
from party.output.json_document import json_document
from party.output.terminal import text_columns, wrapped

NAMES = [f"northern-retail-cooperative-{number:02}" for number in range(9)]
PROBLEM = "party south at 10.0.0.9:7000: cannot be reached: the connection is refused; start it"
PARTIES = (
    *(
        PartyState(
            party=name,
            address="10.0.0.1:7000",
            role="feature_party",
            version="0.6.0",
            state="ready",
            run_id="ab" * 16,
            step=1234567,
            datasets=(HeldDataset("train", 12345678), HeldDataset("prüfung", 9)),
        )
        for name in NAMES
    ),
    PartyState(party="south", address="10.0.0.9:7000", problem=PROBLEM, exit_code=5),
)


def run(number, **changes):
    state = {"state": "trained", "began": True, "step": 2000, "steps": 2000, "continues": None, "is_resumable": False}
    started, commit = "2026-01-31T23:58:00+00:00", "2026-02-01T00:07:09.123456+00:00"
    return RunState(run_id=f"{number:032x}", **{"started": started, "last_commit": commit, **state, **changes})


RUNS = (
    run(1),
    run(2, state="stopped", step=1000, continues=f"{1:032x}", is_resumable=True),
    run(3, state="failed", began=False, step=0, steps=0, last_commit=None),
)
STATUS = Status(coordinator="hub", parties=PARTIES, folder=Path("/srv/runs"), runs=RUNS)


@pytest.mark.parametrize("columns", [40, 80, 200, None])
def test_every_fact_is_on_a_screen_of_any_width(columns):
    lines = list(STATUS.lines(columns))
    if columns is not None:
        lines = [part for line in lines for part in wrapped(line, columns)]
        assert max(map(text_columns, lines)) <= columns
    words = [word for line in lines for word in line.split()]
    text = " ".join(words)
    names = [name.removeprefix("northern-retail-") for name in NAMES]  # what a narrow column may break
    for word in (*names, "south", "0.6.0", "connection", "/srv/runs"):
        assert word in text
    for one in RUNS:
        assert one.run_id in text
    assert words.count("1,234,567") == words.count("12,345,678,") == words.count("abababab") == len(NAMES)
    assert words.count("23:58,") == words.count("2026-02-01") == words.count("00:07") == 2
    assert words.count("23:58") == 1


def test_a_pipe_gets_a_line_for_each_party_and_run():
    lines = list(STATUS.lines(None))
    for one in PARTIES:
        (line,) = [line for line in lines if line.startswith(f"{one.party} ")]
        assert ("feature party" in line) == (one.problem is None)
    assert PROBLEM in lines
    rows = {one.run_id: line for one in RUNS for line in lines if line.startswith(one.run_id)}
    assert "step 1,000 of 2,000, continues 00000000" in rows[RUNS[1].run_id]
    assert rows[RUNS[2].run_id].split()[1:] == ["failed", "not", "started", "2026-01-31", "23:58"]


def test_the_document_has_numbers_and_null_for_what_is_not_known():
    document = json.loads(json_document("coordinator status", STATUS))
    assert [one["party"] for one in document["parties"]] == [*NAMES, "south"]
    assert document["parties"][0]["datasets"][1] == {"dataset": "prüfung", "rows": 9}
    south = document["parties"][-1]
    assert (south["problem"], south["exit_code"], south["role"], south["step"]) == (PROBLEM, 5, None, None)
    assert [one["last_commit"] for one in document["runs"]] == [RUNS[0].last_commit, RUNS[1].last_commit, None]

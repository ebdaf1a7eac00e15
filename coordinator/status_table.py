"""The status of parties and runs as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from coordinator.journal import TRAINED
from coordinator.status import PartyState, RunState, Status
from party.errors import one_line
from party.output.quantities import count_text, counted, day_text
from party.output.tables import TextTable, worded

SHORT_RUN_ID = 8
NOTHING = "-"
FAILED = "does not answer as it should"
_PARTY_COLUMNS = worded("party", "role", "version", "state", "rows")
_RUN_COLUMNS = worded("run", "state", "progress", "started, last commit (UTC)")


def status_lines(status: Status, columns: int | None = None) -> Iterator[str]:
    """Makes the lines that `coordinator status` prints.

    Args:
        status: of parties and runs.
        columns: of the terminal; None for a pipe.
    """
    yield from TextTable(columns=_PARTY_COLUMNS, rows=tuple(map(_party_row, status.parties))).lines(columns)
    for one in status.parties:
        if one.problem is not None:
            yield one.problem if one.party in one.problem else f"{one.party}: {one.problem}"
    yield ""
    yield f"{counted(len(status.runs), 'run')} in {one_line(str(status.folder))}"
    if status.runs:
        yield from TextTable(columns=_RUN_COLUMNS, rows=tuple(map(_run_row, status.runs))).lines(columns)


def _party_row(one: PartyState) -> tuple[str, ...]:
    if one.problem is not None:
        return (one.party, NOTHING, NOTHING, FAILED, NOTHING)
    state = str(one.state)
    if one.run_id is not None:
        state = f"run {one.run_id[:SHORT_RUN_ID]} {state}, step {count_text(one.step or 0)}"
    rows = ", ".join(f"{held.dataset} {count_text(held.rows)}" for held in one.datasets)
    return (one.party, str(one.role), str(one.version), state, rows)


def _run_row(run: RunState) -> tuple[str, ...]:
    return (run.run_id, run.state, _progress(run), _times(run))


def _progress(run: RunState) -> str:
    if not run.began:
        progress = "not started"
    elif run.state == TRAINED:
        progress = counted(run.steps, "step")
    else:
        progress = f"step {count_text(run.step)} of {count_text(run.steps)}"
    return f"{progress}, continues {run.continues[:SHORT_RUN_ID]}" if run.continues else progress


def _times(run: RunState) -> str:
    """Start and latest checkpoint; the day stands once if it is the same."""
    started = datetime.fromisoformat(run.started).astimezone(UTC)
    text = f"{day_text(started)} {started:%H:%M}"
    if run.last_commit is None:
        return text
    committed = datetime.fromisoformat(run.last_commit).astimezone(UTC)
    day = "" if day_text(committed) == day_text(started) else f"{day_text(committed)} "
    return f"{text}, {day}{committed:%H:%M}"

"""What a page says of a run that has not finished, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.journal import FAILED
from coordinator.report.stored_run import StoredRun
from party.output.quantities import count_text
from party.page.markup import Markup, element, prose

FIGURES = "Figures and curves are those of the epochs that had ended."
NEVER_AGREED = (
    "This run never began: not every party agreed to it, so nothing was trained and it cannot be resumed. Mend what the"
    " coordinator printed, then start another run with `coordinator train`."
)
UNDER_WAY = "This run has not finished: it is under way. Figures and curves are those of the epochs that have ended."
MEND = "Mend what the coordinator printed when it failed. Then"


def unfinished_note(stored: StoredRun) -> Iterator[Markup]:
    """Says that a run has not finished, and what to do.

    Args:
        stored: the run.

    Yields:
        One paragraph; nothing of a finished run.
    """
    if not stored.is_finished:
        yield element("p", prose(_text(stored)), class_="warning")


def _text(stored: StoredRun) -> str:
    entry = stored.entry
    if stored.is_under_way:
        return UNDER_WAY
    if not stored.has_begun:
        return NEVER_AGREED
    resume = f"`coordinator train --resume {stored.short_id}`"
    first = MEND if entry.state == FAILED else "To go on,"
    place = (
        f"the checkpoint after step {count_text(entry.step)}"
        if entry.commits
        else "the beginning: no checkpoint was made"
    )
    return f"This run has not finished: {stored.state}. {FIGURES} {first} {resume} resumes it from {place}."

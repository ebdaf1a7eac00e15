"""What the parties released of the quality of their data."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.report.stored_run import StoredRun
from coordinator.stored_quality import StoredQuality
from party.output.quantities import time_text
from party.page.document import Section
from party.page.markup import element, prose
from party.page.quality_words import all_warned_features
from party.page.tables import table

NOT_RELEASED = "not released"
MOST_ROWS = 20  # of one party
READING = (
    "Counts over all rows of each party's file, in common or not, as each was last released: at the end of an alignment"
    " or an evaluation, as far as the owner's `policy.data_quality` allows. Names of columns stay with their owners,"
    " who see more with `party check`."
)
NOTHING = "No party released anything of the quality of its data to this coordinator."


def data_quality_section(stored: StoredRun) -> Section:
    """Counts of faults, and shares of cells where an owner releases them.

    Args:
        stored: the run.
    """
    title = "Data quality"
    if not stored.quality:
        return Section("data", title, (element("p", NOTHING), element("p", prose(READING), class_="muted")))
    head = ("party", "dataset or table", "what a model cannot learn from", "missing cells", "unknown cells", "released")
    made = table("What each party released of its data", head, _rows(stored), numbers=(3, 4))
    return Section("data", title, (element("p", prose(READING)), made))


def _rows(stored: StoredRun) -> Iterator[tuple[str, ...]]:
    for party in stored.run.parties:
        found = [one for one in stored.quality if one.party == party][-MOST_ROWS:]
        yield from (_row(one) for one in found)
        if not found:
            yield party, "–", NOT_RELEASED, NOT_RELEASED, NOT_RELEASED, "never"


def _row(one: StoredQuality) -> tuple[str, ...]:
    shares = (one.missing_percent, one.unknown_percent)
    told = (NOT_RELEASED if share is None else f"{share} %" for share in shares)
    return one.party, one.dataset, all_warned_features(one.warnings), *told, time_text(one.at)

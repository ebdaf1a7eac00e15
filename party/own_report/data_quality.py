"""The quality of the party's own data: exact counts, and what of them a coordinator learned."""

from __future__ import annotations

from collections.abc import Iterator

from party.output.quantities import count_text, time_text
from party.own_report.own_run import OwnRun
from party.page.document import Section
from party.page.markup import element, prose
from party.page.quality_words import all_warned_features
from party.page.tables import table
from party.runtime.quality_file import CountedQuality

READING = (
    "Exact counts over all rows of each file, as the latest alignment or evaluation made them; this run may have read"
    " others. `party check` shows every feature."
)
NO_FEATURES = "This party has no features."
NOT_COUNTED = (
    "No session has counted anything. An alignment or an evaluation does, unless `policy.data_quality` is none or an"
    " account of epsilon is kept of columns. `party check` shows every feature."
)
RELEASED = {
    "nothing": "nothing",
    "warnings": "how many features have which fault",
    "shares": "the same, and both shares in whole percent",
}


def data_quality_section(run: OwnRun) -> Section:
    """Missing and unknown cells and faults of features, by dataset.

    Args:
        run: the run.
    """
    title = "Data quality"
    if not run.configuration.data.features:
        return Section("data", title, (element("p", NO_FEATURES),))
    if not run.counted:
        return Section("data", title, (element("p", prose(NOT_COUNTED)),))
    head = ("dataset or table", "rows", "missing cells", "unknown cells", "what a model cannot learn from", "released")
    made = table("Exact quality of the party's data", head, _rows(run), numbers=(1, 2, 3))
    return Section("data", title, (element("p", prose(READING)), made))


def _rows(run: OwnRun) -> Iterator[tuple[str, ...]]:
    for name, one in run.counted.items():
        told = f"{RELEASED.get(one.released, one.released)}, to {one.coordinator} at {time_text(one.at)}"
        faults = all_warned_features(one.warnings)
        yield name, count_text(one.rows), _share(one.missing, one), _share(one.unknown, one), faults, told


def _share(cells: int, one: CountedQuality) -> str:
    if not one.cells:
        return count_text(cells)
    return f"{count_text(cells)} of {count_text(one.cells)} ({cells / one.cells:.2%})"

"""What was released to whom, as far as a coordinator can know."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.report.released_figures import is_rounded
from coordinator.report.stored_run import StoredRun
from party.output.quantities import bytes_text, count_text
from party.page.document import Section
from party.page.markup import element, prose
from party.page.tables import bullets, table

NEVER_RECEIVED = (
    "ids, cells and columns",
    "labels and predictions",
    "hiddens and gradients: they passed through, sealed for the party that they were for",
    "weights, keys, and the order of rows",
)
LEDGERS = (
    "Each party's own ledger counts what it released, to whom and how often: its owner sees it with `party report` and"
    " `party ledger`."
)


def released_section(stored: StoredRun) -> Section:
    """What the coordinator received, and what parties sent each other.

    Args:
        stored: the run.
    """
    head = ("from", "to", "what", "how much")
    return Section(
        "released",
        "What was released to whom",
        (
            table("What left its owner in this run", head, list(_rows(stored))),
            element("p", prose(LEDGERS)),
            element("h3", "What the coordinator never received"),
            bullets(NEVER_RECEIVED),
        ),
    )


def _rows(stored: StoredRun) -> Iterator[tuple[str, str, str, str]]:
    run, history = stored.run, stored.history
    label, masked = run.label_party, bool(run.masked_parties)
    epochs = "0" if history is None else count_text(len(history.epoch))
    how_often = f"training rows, in each of {epochs} epochs" if history is not None else "training rows, in every epoch"
    for name in run.feature_parties:
        what = "hiddens, in a masked sum" if masked else "hiddens, row by row"
        yield name, label, what, f"all {how_often}; those held out or evaluated, once each time"
    for name in run.feature_parties:
        yield label, name, "gradients of its hiddens, row by row", f"all {how_often}"
    count = sum(len(one.values) for one in stored.metrics)
    yield label, stored.coordinator, "metrics of whole passes", f"{count_text(count)} figures of training"
    told = sum(len(one.metrics) for one in stored.evaluations)
    yield (
        label,
        stored.coordinator,
        "metrics of evaluations",
        f"{count_text(told)} figures of {count_text(len(stored.evaluations))} evaluations",
    )
    everybody = ", ".join(run.parties)
    yield (
        everybody,
        stored.coordinator,
        "rows in common by dataset, names and widths of hiddens",
        "once in each session",
    )
    yield (
        everybody,
        stored.coordinator,
        "how many features have faults and, where an owner allows it, shares of missing and unknown cells",
        f"at the end of each of {count_text(len(stored.evaluations))} evaluations and of the alignment before,"
        " as far as the owner's policy.data_quality allows",
    )
    yield everybody, stored.coordinator, "sizes and times of sealed messages", bytes_text(stored.message_bytes)


def metrics_are_rounded(stored: StoredRun) -> bool | None:
    """Whether all released figures have the digits of rounded ones; None without any figure.

    Args:
        stored: the run.
    """
    values = [value for one in stored.metrics for value in one.values]
    values += [value for one in stored.evaluations for value in one.metrics.values() if value is not None]
    return is_rounded(values) if values else None

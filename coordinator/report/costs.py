"""Bytes and time of a run, and where they went."""

from __future__ import annotations

from coordinator.history import History
from coordinator.report.stored_run import StoredRun
from party.output.quantities import bytes_text, count_text, seconds_text, time_text
from party.page.document import Section
from party.page.markup import Markup, element
from party.page.plots import Bar, bar_plot
from party.page.tables import facts
from party.security.printable import printable

ACTIVITIES = {
    "base": "base model, forward and backward",
    "fuse": "fuse model, loss and gradients",
    "own base": "own base model",
    "own update": "own update, after the reply",
    "open": "opening and decoding messages",
    "seal": "encoding and sealing messages",
}
MOST_BARS = 40
READING = (
    "Seconds of work at each party, as it states them. Parties work at the same time, and wait for one another and for"
    " the network in between: so the sum is not the duration. A run that was resumed shows its last session."
)


def costs_section(stored: StoredRun) -> Section:
    """Bytes, seconds, checkpoints.

    Args:
        stored: the run.
    """
    history, entry = stored.history, stored.entry
    known = [("Duration of training", seconds_text(stored.seconds)), ("Messages", bytes_text(stored.message_bytes))]
    if history is not None and history.samples:
        known += [
            ("Rows trained on, counted in every epoch", count_text(history.samples)),
            ("Rows per second", f"{history.samples_per_second:,.0f}"),
            ("Messages per row", bytes_text(history.bytes_per_sample)),
        ]
    known.append(("Checkpoints", _checkpoints(stored)))
    if not entry.commits and history is None:
        known = [("Training", "no checkpoint was made, so neither time nor bytes are stored")]
    return Section("costs", "Time and bytes", (facts(known), *_work(history)))


def _checkpoints(stored: StoredRun) -> str:
    commits = stored.entry.commits
    if not commits:
        return "none"
    return f"the last one after step {count_text(commits[-1].mark.step)}, {time_text(commits[-1].at)}"


def _work(history: History | None) -> list[Markup]:
    timed = {} if history is None else history.timings
    spent = [
        (printable(party), ACTIVITIES.get(activity, printable(activity)), seconds)
        for party, activities in timed.items()
        for activity, seconds in activities.items()
        if seconds >= 0.0
    ][:MOST_BARS]
    if not spent:
        return []
    total = sum(seconds for _, _, seconds in spent) or 1.0
    bars = [
        Bar(f"{party}: {activity}", seconds, f"{seconds_text(seconds)}, {seconds / total:.0%}")
        for party, activity, seconds in spent
    ]
    return [
        element("p", READING),
        bar_plot("work", "Work by party", bars, head=("party and work", "time and share")),
    ]

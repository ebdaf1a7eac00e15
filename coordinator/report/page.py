"""The page about a run, for a manager, a data scientist and a security officer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from coordinator.report.about import about_section
from coordinator.report.brought import brought_section
from coordinator.report.costs import costs_section
from coordinator.report.protections import protection_sections
from coordinator.report.quality import evaluation_section, quality_section
from coordinator.report.released import released_section
from coordinator.report.released_figures import optional_text
from coordinator.report.stored_run import StoredRun
from party import __version__
from party.output.quantities import bytes_text, count_text, seconds_text, time_text
from party.page.document import Section, document
from party.page.markup import Markup, element
from party.page.metric_figures import main_metric
from party.page.metric_words import GLOSSARY
from party.page.tables import terms, tiles


def run_page(stored: StoredRun, now: datetime) -> str:
    """The page.

    Args:
        stored: the run.
        now: the current time, with a time zone.

    Returns:
        HTML.
    """
    sections = (
        about_section(stored),
        quality_section(stored),
        evaluation_section(stored),
        brought_section(stored),
        costs_section(stored),
        released_section(stored),
        *protection_sections(stored),
        Section("words", "Words on this page", (terms(GLOSSARY),)),
    )
    return document(f"Report of run {stored.short_id}", _head(stored, now), sections)


def _head(stored: StoredRun, now: datetime) -> tuple[Markup, ...]:
    run = stored.run
    parties = ", ".join(run.parties[:-1]) + f" and {run.parties[-1]}"
    text = (
        f"{parties} trained one model together on dataset {run.training.dataset}. The labels are at {run.label_party}."
        " Each party's rows, columns and model stayed at home; numbers computed from them crossed the network, sealed."
    )
    made = f"Made at {time_text(now.isoformat())} by the coordinator, {stored.coordinator}, with version {__version__}."
    return (
        element("p", text, class_="lead"),
        tiles(_tiles(stored)),
        element("p", f"{made} Figures are those that the label party released.", class_="muted"),
    )


def _tiles(stored: StoredRun) -> Iterator[tuple[str, str]]:
    yield "State", stored.state
    if stored.rows is not None:
        yield "Rows in common", count_text(stored.rows)
    history = stored.history
    if history is not None:
        yield "Epochs", f"{count_text(len(history.epoch))} of {count_text(stored.run.training.epochs)}"
        main = main_metric(stored.metrics)
        if main is not None:
            held_out = any(value is not None for value in main.held_out)
            values = main.held_out if held_out else main.train
            yield f"{main.name} on {'held-out' if held_out else 'training'} rows", optional_text(values[-1])
    if stored.seconds:
        yield "Duration of training", seconds_text(stored.seconds)
        yield "Messages between parties", bytes_text(stored.message_bytes)

"""The organisation's own page about a run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from party import __version__
from party.output.quantities import bytes_text, count_text, time_text
from party.own_report.data_quality import data_quality_section
from party.own_report.figures import exact_text, figures_section, model_section
from party.own_report.left import ledger_section, left_section
from party.own_report.own_run import OwnRun, read_own_run
from party.own_report.protections import own_protections
from party.own_report.spent import spent_section
from party.page.document import Section, document
from party.page.markup import Markup, element, prose
from party.page.metric_figures import main_metric
from party.page.metric_words import GLOSSARY
from party.page.tables import facts, terms, tiles

STATES = {"trained": "finished", "started": "begun, not finished"}
FOR_WHOM = (
    "This page is for this organisation alone: it has exact figures and names of columns. It holds no id, no cell, no"
    " label and no key."
)
NOT_FINISHED = (
    "This run has not finished, and no model of it is saved. It may be under way; one that stopped or failed goes on"
    " when the coordinator runs `coordinator train --resume {short_id}`. At the label party, figures are those of the"
    " epochs that had ended at the last checkpoint."
)


def own_page(path: Path, run_id: str | None, now: datetime, curves: str | None = None) -> str:
    """The page.

    Args:
        path: the party's YAML file.
        run_id: of the run, in hexadecimal, possibly shortened; None for the one that changed last.
        now: the current time, with a time zone.
        curves: a dataset whose predictions to draw curves of, at the label party; None for none.

    Returns:
        HTML.

    Raises:
        SessionError: no run, or more than one, has this run_id.
        SplitError: a file is not valid, damaged or was altered.
    """
    run = read_own_run(path, run_id)
    sections = (
        _about(run),
        data_quality_section(run),
        figures_section(run),
        *_curves(run, path, curves),
        left_section(run),
        model_section(run),
        *own_protections(run),
        spent_section(run, path, now),
        ledger_section(run),
        Section("words", "Words on this page", (terms(GLOSSARY),)),
    )
    made = f"Made at {time_text(now.isoformat())} by party {run.configuration.party} with version {__version__}."
    head = (
        element("p", FOR_WHOM, class_="warning"),
        *_unfinished(run),
        tiles(_tiles(run)),
        element("p", made, class_="muted"),
    )
    return document(f"Run {run.short_id} at {run.configuration.party}", head, sections)


def _unfinished(run: OwnRun) -> Iterator[Markup]:
    if run.record.state != "trained":
        yield element("p", prose(NOT_FINISHED.format(short_id=run.short_id)), class_="warning")


def _tiles(run: OwnRun) -> Iterator[tuple[str, str]]:
    yield "State", STATES[run.record.state]
    yield "Role", "label party" if run.configuration.holds_labels else "feature party"
    if run.rows:
        yield "Rows in common", count_text(run.rows)
    main = main_metric(run.metrics)
    if main is not None:
        held_out = any(value is not None for value in main.held_out)
        value = (main.held_out if held_out else main.train)[-1]
        name = f"{main.name} on {'held-out' if held_out else 'training'} rows"
        yield name, "undefined" if value is None else exact_text(value)
    if run.sent:
        yield "Sent to others", bytes_text(sum(one.bytes for session in run.sent for one in session.sent))


def _curves(run: OwnRun, path: Path, dataset: str | None) -> Iterator[Section]:
    if dataset is not None:
        from party.own_report.curves import curves_section  # noqa: PLC0415 - reads data, which takes libraries

        yield curves_section(path, run.folder, dataset)


def _about(run: OwnRun) -> Section:
    record = run.record
    known = [
        ("Run", record.run_id),
        ("Coordinator", record.coordinator),
        ("Parties", f"{', '.join(record.parties)}; labels at {run.configuration.label_party}"),
        ("Trained on", f"{run.dataset or 'not known'}, {count_text(run.rows)} rows in common"),
        ("Steps that led to the saved weights", count_text(record.steps)),
        ("SHA-256 of the configuration that all parties signed", record.configuration_sha256),
    ]
    if record.continues:
        known.append(("Continues", f"run {record.continues}"))
    return Section("about", "The run", (facts(known),))

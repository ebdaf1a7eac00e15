"""A report as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from party.audit.report.audit_report import AuditReport, RunReport
from party.audit.report.audit_row import UNKNOWN
from party.audit.report.figure_texts import NONE, every_epoch_text, figure_text, spent_text, test_metric_texts
from party.audit.report.wording import NEVER_PROMISED, NOT_MEASURED, READING, VERDICTS
from party.output.quantities import count_text, counted, time_text
from party.output.tables import PrintedTable, numbered, worded
from party.security.printable import printable

SHOWN_CHARACTERS = 400
COMPARED = "With and without protections: all epochs, verdict"


def report_lines(report: AuditReport, columns: int | None) -> Iterator[str]:
    """Yields the lines of a report.

    Args:
        report: the report.
        columns: of the terminal; None for a pipe.
    """
    if report.comparison:
        yield from _comparison(report).lines(columns)
    for number, run in enumerate(report.runs):
        if number or report.comparison:
            yield ""
        yield from map(_text, _run_lines(run))
        yield ""
        yield from _rows(run).lines(columns)
        yield from (_text(f"  {place}: {note}") for note, place in run.notes.items())
    yield ""
    yield f"How to read it. {READING}"
    yield from (f"  {verdict}: {meaning}" for verdict, meaning in VERDICTS.items())
    for title, texts in (("Never promised:", NEVER_PROMISED), ("Not measured:", NOT_MEASURED)):
        yield ""
        yield title
        yield from (f"  - {text}" for text in texts)


def _run_lines(run: RunReport) -> Iterator[str]:
    about = run.run
    yield f"run {about.run_id} of {about.coordinator}: {', '.join(about.parties)}; labels at {about.label_party}"
    yield (
        f"dataset {about.dataset}, {counted(about.rows, 'row')} in common, {counted(about.epochs, 'epoch')},"
        f" batches of {count_text(about.batch_size)}"
    )
    yield f"configuration {about.configuration_sha256}"
    yield from (f"protection at {party}: {one.title} ({one.detail})" for party, one in run.protections)
    if not run.protections:
        yield "no protection was configured"
    yield from (f"no part of {name}: its secrets are not in this table" for name in run.missing)
    for one in run.parts:
        part = one.part
        yield (
            f"part of {part.party}, made at {time_text(part.made_at)} with version {part.made_with}, seed {part.seed}"
        )
        if one.signed_by.words:
            yield f"  {one.signed_by.words}"
        yield from (f"  ledger of {part.party}, this run: {spent_text(spent)}" for spent in part.spent.run)
        yield from (f"  ledger of {part.party}, all runs: {spent_text(spent)}" for spent in part.spent.all_runs)
        if part.evaluation is not None:
            yield f"  evaluation of {part.evaluation.dataset}: {', '.join(test_metric_texts(part))}"


def _rows(run: RunReport) -> PrintedTable:
    return PrintedTable(
        columns=(
            *worded("secret of", "secret", "attack", "attacker has", "attacker"),
            *numbered("one step", "all epochs", "without run", "ceiling"),
            *worded("verdict"),
            *numbered("note"),
        ),
        rows=tuple(
            (
                *map(_text, (one.owner, one.row.secret, one.row.attack, one.row.attacker_has, one.row.attacker)),
                figure_text(one.row.one_step),
                every_epoch_text(one.row),
                figure_text(one.row.without_run),
                figure_text(one.row.ceiling),
                one.row.verdict,
                run.note_number(one.row),
            )
            for one in run.rows
        ),
    )


def _comparison(report: AuditReport) -> PrintedTable:
    titles = [_text(f"{run.title}, run {run.run.run_id[:8]}") for run in report.runs]
    metrics = [", ".join(f"{name} {value:.4f}" for name, value in run.test_metrics.items()) for run in report.runs]
    ceilings = [", ".join(f"{name} {ceiling:.3f}" for name, _, ceiling in run.ceilings) for run in report.runs]
    rows = [("test", "", "", "", *(_text(text or UNKNOWN) for text in metrics))]
    rows.append(("ceiling", "", "", "", *(_text(text or NONE) for text in ceilings)))
    for one in report.comparison:
        cells = [NONE if row is None else f"{every_epoch_text(row)}  {row.verdict}" for row in one.rows]
        rows.append((*map(_text, (one.owner, one.secret, one.attack, one.attacker_has)), *cells))
    columns = worded("secret of", "secret", "attack", "attacker has", *titles)
    return PrintedTable(title=COMPARED, columns=columns, rows=tuple(rows))


def _text(cell: str) -> str:
    """A text for one line of a terminal: names and notes come from the files of others."""
    return printable(cell, SHOWN_CHARACTERS)

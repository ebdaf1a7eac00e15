"""A report as text for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from party.audit.report.audit_report import AuditReport, RunReport
from party.audit.report.audit_row import UNKNOWN
from party.audit.report.figure_texts import NONE, every_epoch_text, figure_text, spent_text, test_metric_texts
from party.audit.report.wording import NEVER_PROMISED, NOT_MEASURED, READING, VERDICTS
from party.security.printable import printable

SHOWN_CHARACTERS = 400
STYLES = {"open": "bold red", "readable": "red", "in part": "yellow", "within": "green", "above": "bold magenta"}


def print_report(report: AuditReport, console: Console) -> None:
    """Prints a report.

    Args:
        report: the report.
        console: where to print.
    """
    if report.comparison:
        console.print(_comparison(report))
    for run in report.runs:
        _print_run(run, console)
    console.print(Text(f"\nHow to read it. {READING}"))
    for verdict, meaning in VERDICTS.items():
        console.print(Text(f"  {verdict}: {meaning}"))
    for title, texts in (("Never promised:", NEVER_PROMISED), ("Not measured:", NOT_MEASURED)):
        console.print(Text(f"\n{title}"))
        for text in texts:
            console.print(Text(f"  - {text}"))


def _print_run(run: RunReport, console: Console) -> None:
    about = run.run
    lines = [
        f"run {about.run_id} of {about.coordinator}: {', '.join(about.parties)}; labels at {about.label_party}",
        f"dataset {about.dataset}, {about.rows:,} rows in common, {about.epochs} epochs, batches of {about.batch_size}",
        f"configuration {about.configuration_sha256}",
    ]
    lines += [f"protection at {party}: {one.title} ({one.detail})" for party, one in run.protections]
    lines += [] if run.protections else ["no protection was configured"]
    lines += [f"no part of {name}: its secrets are not in this table" for name in run.missing]
    for one in run.parts:
        part = one.part
        lines.append(f"part of {part.party}, made at {part.made_at} with version {part.made_with}, seed {part.seed}")
        lines += [f"  {one.signed_by.words}"] if one.signed_by.words else []
        lines += [f"  ledger of {part.party}, this run: {spent_text(spent)}" for spent in part.spent.run]
        lines += [f"  ledger of {part.party}, all runs: {spent_text(spent)}" for spent in part.spent.all_runs]
        if part.evaluation is not None:
            lines.append(f"  evaluation of {part.evaluation.dataset}: {', '.join(test_metric_texts(part))}")
    console.print()
    for line in lines:
        console.print(_text(line))
    console.print(_rows(run))
    for note, number in run.notes.items():
        console.print(_text(f"  {number}: {note}"))


def _rows(run: RunReport) -> Table:
    table = Table()
    for column in ("secret of", "secret", "attack", "attacker has", "attacker"):
        table.add_column(column)
    for column in ("one step", "all epochs", "without run", "ceiling"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    table.add_column("note", justify="right")
    for one in run.rows:
        row = one.row
        table.add_row(
            *(_text(cell) for cell in (one.owner, row.secret, row.attack, row.attacker_has, row.attacker)),
            figure_text(row.one_step),
            every_epoch_text(row),
            figure_text(row.without_run),
            figure_text(row.ceiling),
            Text(row.verdict, style=STYLES.get(row.verdict, "")),
            run.note_number(row),
        )
    return table


def _comparison(report: AuditReport) -> Table:
    table = Table(title="With and without protections: all epochs, verdict", title_justify="left")
    for column in ("secret of", "secret", "attack", "attacker has"):
        table.add_column(column)
    for run in report.runs:
        table.add_column(_text(f"{run.title}\nrun {run.run.run_id[:8]}"))
    metrics = [", ".join(f"{name} {value:.4f}" for name, value in run.test_metrics.items()) for run in report.runs]
    table.add_row("test", "", "", "", *(_text(text or UNKNOWN) for text in metrics))
    ceilings = [", ".join(f"{name} {ceiling:.3f}" for name, _, ceiling in run.ceilings) for run in report.runs]
    table.add_row("ceiling", "", "", "", *(_text(text or NONE) for text in ceilings), end_section=True)
    for one in report.comparison:
        cells = [NONE if row is None else f"{every_epoch_text(row)}  {row.verdict}" for row in one.rows]
        table.add_row(*(_text(cell) for cell in (one.owner, one.secret, one.attack, one.attacker_has, *cells)))
    return table


def _text(cell: str) -> Text:
    """A text as it is, for a terminal: names and notes come from the files of others."""
    return Text("\n".join(printable(line, SHOWN_CHARACTERS) for line in cell.split("\n")))

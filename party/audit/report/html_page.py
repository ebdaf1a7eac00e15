"""A report as one HTML page: no scripts, no external resources, made to be printed and signed."""

from __future__ import annotations

from party.audit.report.audit_report import AuditReport, ReportedPart, RunReport
from party.audit.report.audit_row import UNKNOWN, AuditRow, Figure
from party.audit.report.figure_texts import NONE, every_epoch_text, figure_text, spent_text, test_metric_texts
from party.audit.report.style import STYLE
from party.audit.report.wording import NEVER_PROMISED, NOT_MEASURED, READING, TITLE, UPPER_BOUND, VERDICTS
from party.page.document import Section, document
from party.page.markup import Markup, element, joined
from party.page.tables import bullets, facts, table, terms

SIGNATURE_LINES = ("Name and office", "Place and date", "Signature")


def html_page(report: AuditReport) -> str:
    """The page.

    Args:
        report: the report.
    """
    sections = [
        *_comparison(report),
        *(_run(run, f"run-{number}") for number, run in enumerate(report.runs, start=1)),
        Section("reading", "How to read the figures", (element("p", READING), terms(VERDICTS.items()))),
        Section("promises", "Never promised", (bullets(NEVER_PROMISED),)),
        Section("unmeasured", "What was not measured", (bullets(NOT_MEASURED),)),
        _signatures(report),
    ]
    return document(TITLE, [element("p", UPPER_BOUND, class_="lead")], sections, style=STYLE)


def _run(run: RunReport, anchor: str) -> Section:
    about = run.run
    known = [
        ("Run", about.run_id),
        ("Configuration (SHA-256)", about.configuration_sha256),
        ("Coordinator", about.coordinator),
        ("Parties", f"{', '.join(about.parties)}; labels at {about.label_party}"),
        (
            "Training",
            f"dataset {about.dataset}, {about.rows:,} rows in common, {about.epochs} epochs at most,"
            f" batches of {about.batch_size}",
        ),
    ]
    known += [(f"Protection at {party}", f"{one.title}: {one.detail}") for party, one in run.protections]
    known += [] if run.protections else [("Protection", "none was configured")]
    known += [(f"Epsilon of {name}", f"{epsilon:g}; ceiling {ceiling:.3f}") for name, epsilon, ceiling in run.ceilings]
    known += [(f"Part of {name}", "missing: its secrets are not in this table") for name in run.missing]
    for one in run.parts:
        known += _part_facts(one)
    return Section(anchor, f"Run {about.run_id[:8]}: {run.title}", (facts(known), _rows(run)))


def _part_facts(one: ReportedPart) -> list[tuple[str, str]]:
    part = one.part
    name, conditions = part.party, part.conditions
    models = ", ".join(kind for kind in (conditions.base_model, conditions.fuse_model) if kind)
    versions = ", ".join(f"{library} {version}" for library, version in sorted(conditions.versions.items()))
    codecs = ", ".join(f"{direction} {codec}" for direction, codec in sorted(conditions.codecs.items()))
    released = ", ".join(f"{count:,} {kind}" for kind, count in sorted(part.spent.releases.items())) or "nothing"
    known = [
        (f"Part of {name}", f"made at {part.made_at} with version {part.made_with}, seed {part.seed}"),
        (f"Trained at {name}", f"{models}; {versions}; codecs: {codecs}"),
        (f"Released by {name} in this run", f"{released}, as its ledger counts rows and passes"),
    ]
    known += [(f"Spent by {name} in this run", spent_text(spent)) for spent in part.spent.run]
    known += [(f"Spent by {name} in all runs", spent_text(spent)) for spent in part.spent.all_runs]
    known.append((f"Ledger of {name}", f"{part.spent.lines:,} lines, the last one {part.spent.last_digest or NONE}"))
    if part.evaluation is not None:
        metrics = ", ".join(test_metric_texts(part))
        known.append(
            (f"Evaluation by {name}", f"dataset {part.evaluation.dataset}, {part.evaluation.rows:,} rows: {metrics}")
        )
    return known


def _rows(run: RunReport) -> Markup:
    head = ("secret", "attack", "attacker has", "one step", "all epochs", "without run", "ceiling", "verdict")
    body = []
    for one in run.rows:
        row = one.row
        note = element("sup", f" {run.note_number(row)}") if row.note else Markup()
        body.append(
            [
                joined([row.secret, element("small", f"of {one.owner}")]),
                element("td", element("b", row.attack), element("small", row.reference)),
                element("td", row.attacker_has, note, element("small", f"at {row.attacker}")),
                _number(figure_text(row.one_step)),
                _bar(row),
                _number(figure_text(row.without_run)),
                _number(figure_text(row.ceiling)),
                element("td", _chip(row)),
            ]
        )
    caption = f"Attacks on run {run.run.run_id[:8]}, and areas under the ROC curve that they reach"
    notes = [element("ol", *(element("li", note) for note in run.notes), class_="notes")] if run.notes else []
    return joined([table(caption, head, body), *notes])


def _comparison(report: AuditReport) -> list[Section]:
    if not report.comparison:
        return []
    titles = [f"{run.title} ({run.run.run_id[:8]})" for run in report.runs]
    head = ("secret of", "secret", "attack", "attacker has", *titles)
    metrics = [", ".join(f"{name} {value:.4f}" for name, value in run.test_metrics.items()) for run in report.runs]
    ceilings = [
        ", ".join(f"{name}: epsilon {epsilon:g}, ceiling {ceiling:.3f}" for name, epsilon, ceiling in run.ceilings)
        for run in report.runs
    ]
    body = [
        [title, "", "", "", *(text or absent for text in texts)]
        for title, absent, texts in (
            ("test figures of the label party", UNKNOWN, metrics),
            ("epsilon and ceiling", NONE, ceilings),
        )
    ]
    for one in report.comparison:
        body.append([one.owner, one.secret, one.attack, one.attacker_has, *(_compared(row) for row in one.rows)])
    caption = "AUC with everything that left in training."
    return [Section("comparison", "With and without each protection", (table(caption, head, body),))]


def _compared(row: AuditRow | None) -> Markup:
    if row is None:
        return _number(NONE)
    return element("td", every_epoch_text(row), element("div", _chip(row)), class_="number")


def _chip(row: AuditRow) -> Markup:
    return element("span", row.verdict, class_=f"chip {row.verdict.replace(' ', '-')}")


def _bar(row: AuditRow) -> Markup:
    """The figure, with a bar from 0.5 to 1 and a mark at the ceiling."""
    text = every_epoch_text(row)
    if not isinstance(row.all_epochs, float):
        return _number(text)
    marks = [element("i", style=f"width:{_percent(row.all_epochs)}%")]
    if row.ceiling is not None:
        marks.append(element("u", style=f"left:{_percent(row.ceiling)}%"))
    return element("td", text, element("span", *marks, class_="gauge"), class_="number")


def _percent(figure: Figure) -> str:
    distance = abs(figure - 0.5) if isinstance(figure, float) else 0.0
    return f"{200 * distance:.0f}"


def _signatures(report: AuditReport) -> Section:
    signed = []
    for run in report.runs:
        for one in run.parts:
            if one.signed_by.words:
                signed.append(f"{one.part.party}, run {run.run.run_id[:8]}: {one.signed_by.words}")
    lines = [element("div", element("span", text), class_="signature") for text in SIGNATURE_LINES]
    parts = [element("p", "Parts are signed by:"), bullets(signed)] if signed else []
    statement = "I have read this report, what is never promised and what was not measured included."
    block = element("div", *parts, element("p", statement), element("div", *lines, class_="lines"), class_="signed")
    return Section("signed", "Signed by", (block,))


def _number(text: str) -> Markup:
    return element("td", text, class_="number")

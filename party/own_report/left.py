"""What left the building in a run: kinds, counts, bytes and receivers."""

from __future__ import annotations

from collections.abc import Iterator

from party.ledger.audience import Audience
from party.ledger.entry import Kind, LedgerEntry
from party.ledger.tally import Tally
from party.output.quantities import bytes_text, count_text, time_text
from party.own_report.own_run import OwnRun
from party.page.document import Section
from party.page.markup import Markup, element, prose
from party.page.tables import table

KINDS: dict[Kind, str] = {
    "hiddens": "hiddens: numbers that the base model computes from columns, a row each",
    "gradients": "gradients: numbers that follow from labels, a row each",
    "metrics": "metrics of whole passes",
    "predictions": "predictions, which stay in this party's own folder",
    "intersections": "ids in common",
    "row_maps": "which rows refer to which entity of a table",
    "data_quality": "what was said of the quality of a dataset, without names of columns",
}
MESSAGES = {
    "confirm": "confirmation of the handshake",
    "hidden": "hiddens",
    "gradient": "gradients",
    "decision": "whether to stop early",
    "prepared": "vouchers of checkpoints",
}
NOTHING = "Nothing left this party in this run."
NO_SIZES = "No sizes are stored: no session of the run has ended since this version is in use."
OTHER_RUNS = (
    "Alignments, and other runs, are not in these tables: `party ledger` has every line. Nothing else leaves a party:"
    " ids outside of an alignment, cells, labels and weights never do."
)
MOST_LINES = 200


def left_section(run: OwnRun) -> Section:
    """What left, as the ledger and the sessions counted it.

    Args:
        run: the run.
    """
    rows = list(_released(run))
    head = ("what", "how often", "to")
    counted = [table("Releases of this run, as the ledger counts them", head, rows, numbers=(1,))] if rows else []
    return Section(
        "left",
        "What left the building",
        (*(counted or [element("p", NOTHING)]), _sizes(run), element("p", prose(OTHER_RUNS), class_="muted")),
    )


def ledger_section(run: OwnRun) -> Section:
    """The ledger's lines about the run.

    Args:
        run: the run.
    """
    lines = run.lines
    shown = lines[-MOST_LINES:]
    less = "" if len(shown) == len(lines) else f", the last {len(shown)} of {len(lines)}"
    head = ("line", "time", "event", "purpose", "coordinator", "peers", "datasets", "released", "spent", "result")
    last = run.entries[-1].digest if run.entries else "none"
    return Section(
        "ledger",
        "Ledger of the run",
        (
            table(f"Lines about this run{less}", head, [_line(one) for one in shown]),
            element("p", f"The whole ledger has {len(run.entries):,} lines; the digest of the last one is {last}."),
        ),
    )


def _released(run: OwnRun) -> Iterator[tuple[str, str, str]]:
    receivers: dict[Kind, set[str]] = {}
    for entry in Tally(run.lines).agreed():
        audience = Audience(coordinator=entry.coordinator, peers=entry.peers, label_party=run.configuration.label_party)
        for kind in KINDS:
            receivers.setdefault(kind, set()).update(audience.of(kind))
    for kind, count in run.released.items():
        if count:
            yield KINDS[kind], count_text(count), ", ".join(sorted(receivers[kind])) or "nobody"


def _sizes(run: OwnRun) -> Markup:
    totals: dict[tuple[str, str, str], tuple[int, int]] = {}
    for session in run.sent:
        for one in session.sent:
            key = (session.purpose, one.kind, one.receiver)
            messages, size = totals.get(key, (0, 0))
            totals[key] = (messages + one.messages, size + one.bytes)
    if not totals:
        return element("p", NO_SIZES)
    body = [
        (MESSAGES.get(kind, kind), purpose, receiver, count_text(messages), bytes_text(size))
        for (purpose, kind, receiver), (messages, size) in sorted(totals.items())
    ]
    head = ("sealed messages", "in sessions that", "to", "number", "size")
    return table(f"Sealed messages of {len(run.sent):,} sessions that ended", head, body, numbers=(3, 4))


def _line(entry: LedgerEntry) -> tuple[str, ...]:
    spent = ", ".join(
        f"{charge.secret} {'exactly' if charge.epsilon is None else f'epsilon {charge.epsilon:g}'}"
        for charge in entry.charges or ()
    )
    return (
        count_text(entry.sequence),
        time_text(entry.time),
        f"{entry.event} (resumed)" if entry.resume else entry.event,
        entry.purpose,
        entry.coordinator,
        ", ".join(entry.peers) + (f" (without {', '.join(entry.without)})" if entry.without else ""),
        ", ".join(entry.datasets),
        ", ".join(f"{count_text(count)} {kind}" for kind, count in entry.releases.items()),
        spent,
        entry.result,
    )

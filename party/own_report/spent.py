"""What was spent of the party's secret, and how much of each limit is used, over all runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from party.budget_lines import budget_lines, read_budget
from party.output.quantities import count_text
from party.own_report.own_run import OwnRun
from party.page.document import Section
from party.page.markup import element
from party.page.tables import bullets, table
from party.policy.limit_uses import limit_uses


def spent_section(run: OwnRun, path: Path, now: datetime) -> Section:
    """Budget and limits.

    Args:
        run: the run.
        path: the party's YAML file.
        now: the current time, with a time zone.
    """
    head = ("what is counted", "used", "most allowed")
    return Section(
        "spent",
        "What was spent, over all runs",
        (
            bullets(line.strip() for line in budget_lines(read_budget(path))),
            element("h3", "Limits of the policy"),
            table("Use of each limit", head, list(_limits(run, now)), numbers=(1, 2)),
        ),
    )


def _limits(run: OwnRun, now: datetime) -> Iterator[tuple[str, str, str]]:
    for use in limit_uses(run.configuration, run.entries, now):
        used = count_text(use.used) if isinstance(use.used, int) else f"{use.used:,.1f}"
        yield use.what, used, count_text(use.allowed)

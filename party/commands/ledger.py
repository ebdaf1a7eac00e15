"""`party ledger`."""

from __future__ import annotations

from pathlib import Path

import click

from party.command_line import configuration_option, debug_option, run_command
from party.output.json_document import json_document
from party.output.results import json_option, print_result
from party.output.terminal import print_lines

COMMAND = "party ledger"


@click.command("ledger")
@configuration_option
@click.option("--verify", is_flag=True, help="Only say whether the chain is whole.")
@click.option("--known", "known_digest", default=None, help="With --verify: a line's digest that you noted earlier.")
@click.option("--limits", is_flag=True, help="Only say how much of each limit is used.")
@click.option("--budget", is_flag=True, help="Only say what was spent of the labels or columns, and what is left.")
@click.option("--pooled", multiple=True, help="With --budget: a receiver; several pool what they hold.")
@json_option
@debug_option
def ledger_command(
    path: Path,
    *,
    verify: bool,
    known_digest: str | None,
    limits: bool,
    budget: bool,
    pooled: tuple[str, ...],
    as_json: bool,
    debug: bool,
) -> None:
    """Prints what this party granted and released."""
    if verify + limits + budget > 1:
        raise click.UsageError("--verify, --limits and --budget exclude each other")
    if known_digest is not None and not verify:
        raise click.UsageError("--known needs --verify")
    if pooled and not budget:
        raise click.UsageError("--pooled needs --budget")

    def run() -> None:
        from party.ledger_lines import listed_ledger, used_limits, verified_ledger  # noqa: PLC0415

        if budget:
            _print_budget(path, pooled, as_json=as_json)
        elif verify:
            print_result(COMMAND, verified_ledger(path, known_digest), as_json=as_json)
        elif limits:
            print_result(COMMAND, used_limits(path), as_json=as_json)
        else:
            print_result(COMMAND, listed_ledger(path), as_json=as_json)

    run_command(run, debug)


def _print_budget(path: Path, pooled: tuple[str, ...], *, as_json: bool) -> None:
    from party.budget_lines import budget_lines, read_budget  # noqa: PLC0415

    use = read_budget(path, pooled)
    if as_json:
        click.echo(json_document(COMMAND, use))
    else:
        print_lines(budget_lines(use))

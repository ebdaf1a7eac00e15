"""Contributions of parties, for people and programs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from coordinator.contributions import Contribution, Contributions, left_out_sets
from coordinator.figures import figure_text
from party.configuration.run import RunConfiguration
from party.security.printable import printable

SHOWN_DIGITS = 6  # significant digits of exact metrics; rounded ones have fewer


def announcement(run: RunConfiguration, dataset: str) -> str:
    """Returns a line that says how many evaluations every party will count.

    Args:
        run: configuration of the run.
        dataset: name of the dataset.
    """
    count = len(left_out_sets(run))
    return (
        f"{count} evaluations of dataset {dataset}, which use {count} of policy.maximum_evaluations at"
        f" {run.label_party} and {count // 2} at each feature party"
    )


def print_contributions(
    evaluate: Callable[[Callable[[Contribution], None]], Contributions], write: Callable[[str], object]
) -> Contributions:
    """Evaluates, and prints a table.

    Args:
        evaluate: calls its argument with each contribution, and returns all of them.
        write: called with each line.

    Returns:
        All contributions.

    Raises:
        SplitError: an evaluation failed; the table has those before it, which the parties have counted.
    """
    taken: list[Contribution] = []
    try:
        return evaluate(taken.append)
    finally:
        for line in contribution_lines(taken) if taken else ():
            write(line)


def contribution_lines(contributions: Sequence[Contribution]) -> list[str]:
    """Formats a table: parties, metrics, rows and bytes per sample.

    Args:
        contributions: in the order of the lines.
    """
    names = list(dict.fromkeys(name for one in contributions for name in one.metrics))
    table = [["parties", *map(printable, names), "rows", "bytes/sample"]]
    for one in contributions:
        figures = [figure_text(one.metrics[name], SHOWN_DIGITS) if name in one.metrics else "-" for name in names]
        table.append([", ".join(one.parties), *figures, f"{one.rows:,}", f"{one.bytes_per_sample:,.1f}"])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    ]


def contributions_to_bytes(found: Contributions) -> bytes:
    """Returns a JSON document for programs; a metric that is undefined is null.

    Args:
        found: all contributions.
    """
    content = {
        "run_id": found.run_id,
        "dataset": found.dataset,
        "evaluations": [
            {
                "parties": one.parties,
                "without": one.without,
                "metrics": {name: value if math.isfinite(value) else None for name, value in one.metrics.items()},
                "rows": one.rows,
                "message_bytes": one.message_bytes,
                "bytes_per_sample": one.bytes_per_sample,
            }
            for one in found.evaluations
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False).encode() + b"\n"

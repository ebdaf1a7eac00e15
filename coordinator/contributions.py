"""What each feature party contributes: the metrics of a run with every subset of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from coordinator.evaluation import evaluation_of
from coordinator.figures import WITHHELD, figure_text, withheld_text
from coordinator.left_out import refuse_masked_sums
from coordinator.trained_run import Inference
from party.configuration.run import RunConfiguration
from party.errors import ConfigurationError
from party.metrics.sampled_negatives import negatives_words
from party.output.quantities import count_text
from party.output.tables import PrintedTable, numbered, worded
from party.security.printable import printable

SHOWN_DIGITS = 6  # significant digits of exact metrics; rounded ones have fewer
NOTHING = "-"
MAXIMUM_FEATURE_PARTIES = 6  # every further one doubles the number of evaluations


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """An evaluation with some of a run's parties.

    Attributes:
        parties: names of the parties that took part, ascending; the label party always does.
        without: names of the feature parties that did not, ascending.
        metrics: those that the label party released, by name.
        withheld: why the label party withholds a metric, by name.
        negatives_per_positive: number of negatives that were sampled for each positive row; 0 if none were.
        rows: number of rows behind the metrics.
        message_bytes: size of all messages between parties in both directions, each counted once.
        bytes_per_sample: the same per row of the dataset.
    """

    parties: tuple[str, ...]
    without: tuple[str, ...]
    metrics: dict[str, float]
    rows: int
    message_bytes: int
    bytes_per_sample: float
    withheld: Mapping[str, str] = field(default_factory=dict)
    negatives_per_positive: int = 0


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """The evaluations of a run with every subset of its feature parties.

    Attributes:
        run_id: of the run, in hexadecimal.
        dataset: name of the evaluated dataset.
        evaluations: from the label party alone to all parties.
    """

    run_id: str
    dataset: str
    evaluations: tuple[Contribution, ...] = ()

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a table, and what is missing from it.

        Args:
            columns: of the terminal; None for a pipe.
        """
        yield from contribution_lines(self.evaluations, columns)
        withheld: dict[str, dict[str, None]] = {}
        for one in self.evaluations:
            for name, reason in one.withheld.items():
                withheld.setdefault(reason, {})[name] = None
        yield from (withheld_text(names, reason) for reason, names in withheld.items())
        negatives = max((one.negatives_per_positive for one in self.evaluations), default=0)
        if negatives:
            yield f"metrics{negatives_words(negatives)}"


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


def left_out_sets(run: RunConfiguration) -> list[tuple[str, ...]]:
    """Returns what to leave out for every subset of the feature parties, from the label party alone to all parties.

    Args:
        run: configuration of the run.

    Returns:
        Names of the feature parties that do not take part, ascending, for each evaluation.

    Raises:
        ConfigurationError: there are too many feature parties, or their hiddens are only known as a sum.
    """
    names = run.feature_parties
    refuse_masked_sums(run)
    if len(names) > MAXIMUM_FEATURE_PARTIES:
        raise ConfigurationError(
            f"{len(names)} feature parties have {count_text(2 ** len(names))} subsets, each an evaluation",
            where="contributions",
            expected=f"at most {MAXIMUM_FEATURE_PARTIES} feature parties",
            fix="evaluate the sets that matter with --without",
        )
    return [
        tuple(name for name in names if name not in present)
        for size in range(len(names) + 1)
        for present in combinations(names, size)
    ]


def contribution(run: RunConfiguration, inference: Inference) -> Contribution:
    """Makes the contribution of an evaluation.

    Args:
        run: configuration of the run.
        inference: what the evaluation returned.
    """
    read, released = inference.finished[run.label_party].rows, evaluation_of(inference)
    return Contribution(
        parties=tuple(name for name in run.parties if name not in released.without),
        without=released.without,
        metrics=dict(released.metrics),
        rows=released.rows,
        message_bytes=released.message_bytes,
        bytes_per_sample=released.message_bytes / read if read else 0.0,
        withheld=released.withheld,
        negatives_per_positive=released.negatives_per_positive,
    )


def contribution_lines(contributions: Sequence[Contribution], columns: int | None = None) -> list[str]:
    """Formats a table: parties, metrics, rows and bytes per sample.

    Args:
        contributions: in the order of the lines.
        columns: of the terminal; None for a pipe.
    """
    names = list(dict.fromkeys(name for one in contributions for name in (*one.metrics, *one.withheld)))
    table = PrintedTable(
        columns=(*worded("parties"), *numbered(*map(printable, names), "rows", "bytes/sample")),
        rows=tuple(
            (
                ", ".join(one.parties),
                *(_figure(one, name) for name in names),
                count_text(one.rows),
                f"{one.bytes_per_sample:,.1f}",
            )
            for one in contributions
        ),
    )
    return list(table.lines(columns))


def _figure(one: Contribution, name: str) -> str:
    if name in one.metrics:
        return figure_text(one.metrics[name], SHOWN_DIGITS)
    return WITHHELD if name in one.withheld else NOTHING

"""What an evaluation of a run released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordinator.data_quality import DataQuality, received_quality
from coordinator.history import coarse_reason, metrics_as_dictionary
from coordinator.trained_run import Inference


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation released.

    Attributes:
        run_id: of the run, in hexadecimal.
        dataset: name of the dataset.
        without: names of the feature parties that were left out, ascending.
        rows: number of rows behind the metrics.
        metrics: those that the label party released, by name; NaN where one is undefined.
        withheld: why the label party withholds a metric, by name.
        negatives_per_positive: number of negatives that were sampled for each positive row; 0 if none were.
        message_bytes: size of all messages between parties in both directions, each counted once.
        quality: what each party released of the quality of its dataset or table, by party; None for nothing.
    """

    run_id: str
    dataset: str
    without: tuple[str, ...]
    rows: int
    metrics: Mapping[str, float]
    withheld: Mapping[str, str]
    negatives_per_positive: int
    message_bytes: int
    quality: Mapping[str, DataQuality | None]


def evaluation_of(inference: Inference) -> Evaluation:
    """Returns what the session of an evaluation released.

    Args:
        inference: what the session returned.
    """
    released, proposal = inference.report.evaluation, inference.proposal
    reason = coarse_reason(released.rows)
    return Evaluation(
        run_id=proposal.run_id.hex(),
        dataset=proposal.dataset,
        without=proposal.without,
        rows=released.rows,
        metrics=metrics_as_dictionary(released),
        withheld=dict.fromkeys(released.withheld, reason),
        negatives_per_positive=released.negatives_per_positive,
        message_bytes=inference.traffic.message_bytes,
        quality={name: next(iter(received_quality(reply)), None) for name, reply in sorted(inference.finished.items())},
    )

"""What a finished run makes of a dataset: an evaluation or predictions, in one session."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.data_quality import quality_lines, received_quality
from coordinator.exchanges import run_exchanges
from coordinator.figures import withheld_text
from coordinator.history import coarse_reason, metrics_as_dictionary
from coordinator.party_client import PartyClient
from coordinator.progress import Display
from coordinator.session import CoordinatedSession, ProposedSession
from coordinator.stored_evaluations import StoredEvaluation, add_evaluation
from coordinator.traffic import Traffic
from party.configuration.run import RunConfiguration
from party.metrics.sampled_negatives import negatives_words
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now


@dataclass(frozen=True)
class Inference:
    """What a session of an evaluation or a prediction returned.

    Attributes:
        report: of the label party.
        finished: replies to Finish, by party name.
        traffic: of the session.
    """

    report: pb.ReportReply
    finished: Mapping[str, pb.FinishReply]
    traffic: Traffic


def infer(
    clients: Mapping[str, PartyClient],
    run: RunConfiguration,
    proposal: ProposedSession,
    display: Display,
    *,
    folder: Path,
) -> Inference:
    """Sends a dataset through the models of a finished run, and writes down what an evaluation released.

    Args:
        clients: by party name, of the session's parties.
        run: configuration of the run.
        proposal: an evaluation or a prediction.
        display: shows the progress.
        folder: of the run, at the coordinator.

    Returns:
        What the parties replied.

    Raises:
        SplitError: a party refuses, or cannot be reached.
        StorageError: the file of evaluations cannot be written.
    """
    with CoordinatedSession(clients, run, proposal) as session:
        traffic = run_exchanges(
            session, lambda now: display.update(f"{proposal.dataset} batches", now.exchanges, session.exchanges)
        )
        report = session.label.report(session.reference)
        if report.evaluation.withheld and proposal.shuffled is None:  # what is compared with this one comes after it
            display.print_line(withheld_text(report.evaluation.withheld, coarse_reason(report.evaluation.rows)))
        if negatives := negatives_words(report.evaluation.negatives_per_positive):
            display.print_line(f"{proposal.dataset}: metrics{negatives}")
        finished = session.finish()
        tells = proposal.purpose == Purpose.PURPOSE_EVALUATE and not proposal.without and proposal.shuffled is None
        quality = {name: one for name, reply in finished.items() for one in received_quality(reply)[:1]}
        for line in quality_lines(quality, finished) if tells else ():
            display.print_line(line)
        inference = Inference(report, finished, traffic)
    if proposal.purpose == Purpose.PURPOSE_EVALUATE:
        add_evaluation(folder, _evaluation(proposal, inference))
    return inference


def _evaluation(proposal: ProposedSession, inference: Inference) -> StoredEvaluation:
    released = inference.report.evaluation
    return StoredEvaluation(
        at=utc_now().isoformat(timespec="seconds"),
        dataset=proposal.dataset,
        without=proposal.without,
        shuffled="" if proposal.shuffled is None else str(proposal.shuffled),
        rows=released.rows,
        negatives_per_positive=released.negatives_per_positive,
        metrics={
            name: value if math.isfinite(value) else None for name, value in metrics_as_dictionary(released).items()
        },
        withheld=tuple(released.withheld),
        message_bytes=inference.traffic.message_bytes,
    )

"""What a finished run makes of a dataset: an evaluation or predictions, in one session."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.exchanges import run_exchanges
from coordinator.history import metrics_as_dictionary
from coordinator.party_client import PartyClient
from coordinator.progress import Display, Pace
from coordinator.session import CoordinatedSession, ProposedSession
from coordinator.stored_evaluations import StoredEvaluation, add_evaluation
from coordinator.traffic import Traffic
from party.configuration.run import RunConfiguration
from party.output.quantities import count_text
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now
from party.security.printable import printable


@dataclass(frozen=True)
class Inference:
    """What a session of an evaluation or a prediction returned.

    Attributes:
        proposal: the session.
        report: of the label party.
        finished: replies to Finish, by party name.
        traffic: of the session.
    """

    proposal: ProposedSession
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
        traffic = run_exchanges(session, _shown_progress(session, proposal, display))
        report = session.label.report(session.reference)
        inference = Inference(proposal, report, session.finish(), traffic)
    if proposal.purpose == Purpose.PURPOSE_EVALUATE:
        add_evaluation(folder, _evaluation(proposal, inference))
    return inference


def _shown_progress(
    session: CoordinatedSession, proposal: ProposedSession, display: Display
) -> Callable[[Traffic], None]:
    """Makes what shows the progress of a session after each batch."""
    text = printable(proposal.dataset)
    if proposal.without:
        text += f" without {', '.join(proposal.without)}"
    if proposal.shuffled is not None:
        text += f", {proposal.shuffled} shuffled"
    pace = Pace()

    def show(traffic: Traffic) -> None:
        done, total = traffic.exchanges, session.exchanges
        batches = f"batch {count_text(done)}/{count_text(total)}"
        display.update(text, done, total, [pace.left_text(done, total), batches])

    return show


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

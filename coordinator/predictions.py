"""Where predictions are, which only the label party has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from coordinator.trained_run import Inference
from party.output.quantities import counted
from party.security.printable import printable


@dataclass(frozen=True)
class Predictions:
    """Where the label party wrote predictions.

    Attributes:
        party: name of the label party, the only one that has them.
        files: names in the run's folder, in the state folder of the label party.
        rows: number of predictions.
        run_id: of the run, in hexadecimal.
        dataset: name of the dataset.
        without: names of the feature parties that were left out, ascending.
    """

    party: str
    files: tuple[str, ...]
    rows: int
    _: KW_ONLY
    run_id: str
    dataset: str
    without: tuple[str, ...] = ()

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields the line that `coordinator predict` prints.

        Args:
            columns: of the terminal; None for a pipe.
        """
        files = ", ".join(map(printable, self.files))
        yield f"{counted(self.rows, 'prediction')} in {files} at party {self.party}"


def predictions_of(inference: Inference, party: str) -> Predictions:
    """Says where the predictions of a session are.

    Args:
        inference: what the session returned.
        party: name of the label party.
    """
    reply, proposal = inference.finished[party], inference.proposal
    return Predictions(
        party,
        tuple(reply.files),
        reply.rows,
        run_id=proposal.run_id.hex(),
        dataset=proposal.dataset,
        without=proposal.without,
    )

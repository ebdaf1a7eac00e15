"""Evaluations with one column shuffled among the rows: whether one may be opened, and the shuffled rows."""

from __future__ import annotations

import logging

import numpy as np

from party.configuration.run import RunConfiguration
from party.errors import SessionError
from party.models.packing import PackedFeatures
from party.pb.handshake_pb2 import Purpose
from party.runtime.proposal import Opening, SessionProposal
from party.security.printable import printable

SEED_BYTES = 16

logger = logging.getLogger(__name__)


def check_shuffled(party: str, proposal: SessionProposal, run: RunConfiguration) -> None:
    """Refuses to shuffle a column where that makes no sense.

    Args:
        party: name of this party.
        proposal: the proposal as received.
        run: the run configuration of the proposal.

    Raises:
        SessionError: the session is no evaluation, or no party of it has the column.
    """
    column = proposal.shuffled
    if column is None:
        return
    if proposal.purpose != Purpose.PURPOSE_EVALUATE:
        raise SessionError("only an evaluation shuffles a column", where=party)
    if column.party not in run.parties or column.party in proposal.without:
        expected = " or ".join(name for name in run.parties if name not in proposal.without)
        received = printable(column.party)
        raise SessionError(
            "the column to shuffle is of no party of the session", where=party, expected=expected, received=received
        )


def with_shuffled(opening: Opening, packed: PackedFeatures | None) -> PackedFeatures | None:
    """Shuffles the cells of the column that the session asks for, if it is one of this party's.

    Every row gets the cell of another one, in all features of the column, so that the column still has its values and
    goes with nothing any more. The order is drawn anew in each session, and leaves this party in no other way.

    Args:
        opening: the granted proposal.
        packed: encoded features of all rows; None without features.

    Returns:
        The features to evaluate.

    Raises:
        SessionError: this party has no such column.

    Reference:
        Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    """
    column, configuration = opening.proposal.shuffled, opening.context.configuration
    if column is None or column.party != configuration.party:
        return packed
    names = configuration.data.feature_columns
    if packed is None or not 1 <= column.number <= len(names):
        expected = f"a number from 1 to {len(names)}" if names else "another party: this one has no columns"
        raise SessionError(
            "there is no such column to shuffle",
            where=configuration.party,
            expected=expected,
            received=str(column.number),
        )
    name = names[column.number - 1]
    logger.info("run %s: evaluates with column %s shuffled", opening.run_id.hex()[:8], printable(name))
    read_by = [feature for feature in configuration.data.features if name in feature.source_columns]
    keys = {encoded for feature in read_by for encoded in feature.encoded_names}
    seed = int.from_bytes(opening.context.random_bytes(SEED_BYTES))
    order = np.random.default_rng(seed).permutation(packed.rows)
    return packed.shuffled(keys, order)

"""What one kind of alignment does at one party: with the same datasets everywhere, or with joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from party.alignment.aligned_elements import ALIGNMENT_ID_BYTES
from party.alignment.feature_side import FeatureSide
from party.alignment.joined_rows import JoinedRows
from party.alignment.label_side import LabelSide
from party.alignment.pool import WorkerPool
from party.alignment.terms import AlignmentTerms
from party.ledger.entry import Kind
from party.pb.handshake_pb2 import Hello
from party.runtime.context import PartyContext
from party.runtime.plan import PairSecrets, PlanFacts, SessionResult
from party.security.row_secret import RowSecret, fresh_row_secret, pinned_row_secret

Side = LabelSide | FeatureSide


@dataclass(frozen=True)
class AlignmentOutcome:
    """What an alignment ended with.

    Attributes:
        result: the results that were written.
        releases: number of releases of rows, by kind.
    """

    result: SessionResult
    releases: Mapping[Kind, int]


class AlignmentWork(Protocol):
    """One party's part, in the order of the calls."""

    @property
    def facts(self) -> PlanFacts:
        """The facts that are known before the parties agree."""

    @property
    def read(self) -> tuple[str, ...]:
        """Names of the datasets, or of the table, whose rows are aligned; known once agreed."""

    def agreed(self, hellos: Mapping[str, Hello]) -> tuple[str, ...]:
        """Checks and records the statements of every party.

        Args:
            hellos: hellos by party.

        Returns:
            The datasets that must be aligned because some party has no valid alignment.
        """

    def side(self, secrets: PairSecrets, pool: WorkerPool) -> Side:
        """Makes this party's side of the protocol.

        Args:
            secrets: what this party shares with each peer.
            pool: the pool of workers.
        """

    def finish(self, side: Side | None) -> AlignmentOutcome:
        """Stores the alignments.

        Args:
            side: this party's side; None if no dataset had to be aligned.
        """


def datasets_to_align(hellos: Mapping[str, Hello]) -> tuple[str, ...]:
    """The datasets without one alignment that is valid at all parties, in the order of the statements.

    Args:
        hellos: hellos by party, which state the same datasets.
    """
    ids: dict[str, set[bytes]] = {}
    for hello in hellos.values():
        for one in hello.datasets:
            ids.setdefault(one.dataset, set()).add(one.alignment_id)
    return tuple(name for name, found in ids.items() if len(found) > 1 or found == {b""})


def new_label_side(
    context: PartyContext,
    terms: AlignmentTerms,
    *,
    secrets: PairSecrets,
    pool: WorkerPool,
    joined: JoinedRows | None = None,
) -> LabelSide:
    """Makes the label party's side of the protocol.

    Args:
        context: the label party's context.
        terms: its alignment terms.
        secrets: what it shares with each peer.
        pool: the pool of workers.
        joined: the rows and the joins of their keys; None without joins.
    """
    return LabelSide(
        terms,
        pair_key=secrets.pair_key,
        new_alignment_id=lambda: context.random_bytes(ALIGNMENT_ID_BYTES),
        new_row_secret=lambda dataset: _new_row_secret(context, dataset),
        pool=pool,
        joined=joined,
    )


def _new_row_secret(context: PartyContext, dataset: str) -> RowSecret:
    """Draws the row secret of a dataset, or derives it where the owner pinned one."""
    pinned = context.configuration.pinned_secret
    if pinned is not None:
        return pinned_row_secret(bytes.fromhex(pinned), dataset)
    return fresh_row_secret(context.random_bytes)

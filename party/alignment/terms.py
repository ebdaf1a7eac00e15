"""The terms of an alignment at one party: its ids, the declared rows of its peers, and its owner's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from party.errors import AlignmentError, SessionError
from party.security.row_secret import RowSecret


class RowRules(Protocol):
    """The owner's rules; each refusal is a `PolicyError` that names the rule."""

    def check_peer_rows(self, dataset: str, peer: str, rows: int) -> None:
        """Refuses a peer with too many rows."""

    def check_intersection(self, dataset: str, rows: int) -> None:
        """Refuses an alignment with too few rows in common."""


@dataclass(frozen=True, kw_only=True)
class AlignmentTerms:
    """The terms of one party for one session of alignment.

    Attributes:
        party: name of this party.
        peers: the parties to align with, each with its declared rows by dataset: every feature party at
            the label party, the label party alone at a feature party.
        ids: own ids by dataset and row; unique and not empty.
        chunk_rows: number of ids in one message.
        rules: rules of the owner, for the rows of peers and those in common.

    Raises:
        AlignmentError: a dataset that a party does not have, or that has no rows.
        PolicyError: a peer declares more rows than the policy allows.
    """

    party: str
    peers: Mapping[str, Mapping[str, int]]
    ids: Mapping[str, Sequence[str]]
    chunk_rows: int
    rules: RowRules

    def __post_init__(self) -> None:
        rows = {self.party: {dataset: len(ids) for dataset, ids in self.ids.items()}, **self.peers}
        for party, datasets in rows.items():
            if set(datasets) != set(self.ids):
                raise AlignmentError(
                    "the parties do not have the same datasets to align",
                    where=f"party {party}",
                    expected=", ".join(sorted(self.ids)),
                    received=", ".join(sorted(datasets)) or "none",
                )
            for dataset, count in datasets.items():
                if count < 1:
                    raise AlignmentError("there are no rows to align", where=f"dataset {dataset} at party {party}")
        for peer, datasets in self.peers.items():
            for dataset, count in datasets.items():
                self.rules.check_peer_rows(dataset, peer, count)

    def check_pair(self, dataset: str, peer: str) -> None:
        """Refuses a dataset or a peer that is not part of the alignment.

        Args:
            dataset: name of the dataset.
            peer: name of the other party.

        Raises:
            SessionError: one of them is not part of the alignment.
        """
        if dataset not in self.ids or peer not in self.peers:
            raise SessionError("no such dataset and peer in this alignment", where=f"dataset {dataset}, peer {peer}")

    def check_rows_in_common(self, dataset: str, count: int) -> None:
        """Checks the number of rows in common against the policy.

        Args:
            dataset: name of the dataset.
            count: number of rows that all parties have in common.

        Raises:
            AlignmentError: there are none.
            PolicyError: there are fewer than the policy requires.
        """
        if count == 0:
            raise AlignmentError(
                "no id is in common to all parties",
                where=f"dataset {dataset}",
                fix="check that data.id names the same identifier in the same format at every party",
            )
        self.rules.check_intersection(dataset, count)


@dataclass(frozen=True)
class AlignedRows:
    """The result at one party for one dataset.

    Attributes:
        alignment_id: id of the alignment, 16 bytes, the same at every party.
        rows: own row numbers in the common order, which is ascending by the UTF-8 bytes of the ids;
            shape (rows in common,), int64.
        row_secret: secret from which the order of rows of a run derives; the same at every party.
    """

    alignment_id: bytes
    rows: NDArray[np.int64]
    row_secret: RowSecret

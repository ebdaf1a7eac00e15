"""What one party brings to an alignment, what its peers declared, and what its owner allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from party.errors import AlignmentError, PolicyError, SessionError


@dataclass(frozen=True)
class AlignmentTerms:
    """The terms of one party for one session of alignment.

    Attributes:
        party: own name.
        peers: the parties to align with, each with its declared rows by dataset: every feature party at
            the label party, the label party alone at a feature party.
        ids: own ids by dataset and row; unique and not empty.
        chunk_rows: ids of one message.
        minimum_intersection: policy: fewest rows in common.
        maximum_peer_rows: policy: most rows that a peer may bring.

    Raises:
        AlignmentError: a dataset that a party does not have, or that has no rows.
        PolicyError: a peer declares more rows than the policy allows.
    """

    party: str
    peers: Mapping[str, Mapping[str, int]]
    ids: Mapping[str, Sequence[str]]
    chunk_rows: int
    minimum_intersection: int
    maximum_peer_rows: int

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
                if count > self.maximum_peer_rows:
                    raise PolicyError(
                        f"policy.maximum_peer_rows of party {self.party} refuses the peer's rows",
                        where=f"dataset {dataset}, peer {peer}",
                        expected=f"at most {self.maximum_peer_rows} rows",
                        received=f"{count} rows",
                    )

    def check_pair(self, dataset: str, peer: str) -> None:
        """Refuses a dataset or a peer that is not part of the alignment.

        Args:
            dataset: name of the dataset.
            peer: name of the other party.

        Raises:
            SessionError: one of them takes no part.
        """
        if dataset not in self.ids or peer not in self.peers:
            raise SessionError("no such dataset and peer in this alignment", where=f"dataset {dataset}, peer {peer}")

    def check_rows_in_common(self, dataset: str, count: int) -> None:
        """Holds the number of rows in common against the policy.

        Args:
            dataset: name of the dataset.
            count: rows in common of all parties.

        Raises:
            AlignmentError: there are none.
            PolicyError: there are fewer than the policy asks for.
        """
        if count == 0:
            raise AlignmentError(
                "no id is in common to all parties",
                where=f"dataset {dataset}",
                fix="check that data.id names the same identifier in the same format at every party",
            )
        if count < self.minimum_intersection:
            raise PolicyError(
                f"policy.minimum_intersection of party {self.party} refuses so few rows in common",
                where=f"dataset {dataset}",
                expected=f"at least {self.minimum_intersection} rows",
                received=f"{count} rows",
            )


@dataclass(frozen=True)
class AlignedRows:
    """The result at one party for one dataset.

    Attributes:
        alignment_id: 16 bytes, the same at every party.
        rows: own row numbers in the common order, which is ascending by the UTF-8 bytes of the ids;
            shape (rows in common,), int64.
    """

    alignment_id: bytes
    rows: NDArray[np.int64]

"""The owner's rules for an alignment: the most rows of a peer, and the fewest rows in common."""

from __future__ import annotations

from dataclasses import dataclass

from party.errors import PolicyError


@dataclass(frozen=True)
class AlignmentRules:
    """The rules of one party for the rows of an alignment.

    Attributes:
        party: name of this party, for errors.
        minimum_intersection: fewest rows in common that an alignment may end with.
        maximum_peer_rows: most rows that a peer may have.
    """

    party: str
    minimum_intersection: int
    maximum_peer_rows: int

    def check_peer_rows(self, dataset: str, peer: str, rows: int) -> None:
        """Refuses a peer with too many rows.

        Args:
            dataset: name of the aligned dataset.
            peer: name of the peer that declared the rows.
            rows: the declared number of rows.

        Raises:
            PolicyError: there are more rows than the owner allows.
        """
        if rows > self.maximum_peer_rows:
            raise PolicyError(
                f"policy.maximum_peer_rows of party {self.party} refuses the peer's rows",
                where=f"dataset {dataset}, peer {peer}",
                expected=f"at most {self.maximum_peer_rows} rows",
                received=f"{rows} rows",
            )

    def check_intersection(self, dataset: str, rows: int) -> None:
        """Refuses an alignment with too few rows in common.

        Args:
            dataset: name of the aligned dataset.
            rows: number of rows that all parties have in common.

        Raises:
            PolicyError: there are fewer rows than the owner requires.
        """
        if rows < self.minimum_intersection:
            raise PolicyError(
                f"policy.minimum_intersection of party {self.party} refuses so few rows in common",
                where=f"dataset {dataset}",
                expected=f"at least {self.minimum_intersection} rows",
                received=f"{rows} rows",
            )

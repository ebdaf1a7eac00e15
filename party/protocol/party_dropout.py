"""Party dropout: the label party trains some rows as if a feature party had no entity for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from party.security.randomness import secret_stream


class PartyDropout:
    """Draws the rows to drop, for each party and training step anew.

    Args:
        shares: probability that a row is dropped, by party.
        secret: the label party's secret of the run, 32 bytes; nobody else can tell which rows are dropped.
        seed: the run's seed.
    """

    def __init__(self, shares: Mapping[str, float] | None = None, secret: bytes = b"", seed: int = 0) -> None:
        self._shares = {party: share for party, share in (shares or {}).items() if share}
        self._secret = secret
        self._seed = seed

    def drops(self, party: str) -> bool:
        """Whether rows of a party are dropped at all."""
        return party in self._shares

    def dropped(self, party: str, step: int, rows: int) -> npt.NDArray[np.bool_]:
        """The rows of a training batch that are dropped: the same for each call, whatever was drawn before.

        Args:
            party: a party whose rows are dropped.
            step: the training step, counted from 0 through the whole run.
            rows: number of rows in the batch.

        Returns:
            True where a row is dropped, bool (rows,).
        """
        stream = secret_stream(self._secret, self._seed, f"party dropout {party} {step}")
        return np.asarray(stream.random(rows) < self._shares[party])

"""What attacks on columns work on, at the label party."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from party.audit.own_columns import Ints, OwnColumns
from party.audit.received import Received


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnMaterial:
    """The hiddens that a label party received of one feature party, what it has besides, and the truth to judge by.

    Attributes:
        hiddens: hiddens of every batch.
        secrets: the truth by name, 0 or 1 by row of the common order, int64 (rows,); one value for each entity.
        entities: entity of each row of the common order, numbered from 0, int64 (rows,).
        own: the attacker's own columns in the common order; None if they are not given.
    """

    hiddens: Received
    secrets: Mapping[str, Ints] = field(repr=False)
    entities: Ints = field(repr=False)
    own: OwnColumns | None = field(default=None, repr=False)

    @cached_property
    def entity_count(self) -> int:
        """Number of entities."""
        return int(self.entities.max()) + 1

    def by_entity(self, secret: str) -> Ints:
        """The truth by entity, int64 (entities,).

        Args:
            secret: name of the secret.
        """
        truth = np.zeros(self.entity_count, np.int64)
        truth[self.entities] = self.secrets[secret]
        return truth

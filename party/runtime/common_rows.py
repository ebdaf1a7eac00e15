"""The rows of a dataset that all parties of a run have in common."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from party.alignment.store import StoredAlignment
from party.data.entities import RowMap
from party.data.table import Table
from party.pb.handshake_pb2 import Confirmation, DatasetRows
from party.runtime.context import PartyContext
from party.security.framing import length_prefixed

ROW_COLUMN = "row"  # of predictions for rows without ids
IDS_LABEL = b"vsl/1 ids\0"


@dataclass(frozen=True, eq=False)
class CommonRows:
    """A dataset's rows in the common order of all parties.

    Attributes:
        table: the table of the party's file.
        alignment: selects and orders its rows.
        own_map: the entity of this party's table that each row refers to; None where rows and entities are the same.
        peer_maps: at the label party, the entity of each row by feature party; empty where rows and entities are the
            same.
    """

    table: Table
    alignment: StoredAlignment
    own_map: RowMap | None = None
    peer_maps: Mapping[str, RowMap] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.alignment.rows)

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.table.dataset

    @property
    def source(self) -> str:
        """Name of the file, for errors."""
        return self.table.path.name

    @property
    def statement(self) -> DatasetRows:
        """The statement in Hello: the number of rows in common and their alignment."""
        return DatasetRows(dataset=self.dataset, rows=len(self), alignment_id=self.alignment.alignment_id)

    def ids(self) -> pd.Index[str]:
        """Sample ids in the common order."""
        return self.table.known_ids.take(self.alignment.rows)

    def row_names(self) -> pd.Index[Any]:
        """What names each row for people: its id; without one `row`, its number among the file's rows, from 0."""
        if self.table.ids is None:
            return pd.Index(self.table.numbers_in_file(self.alignment.rows), name=ROW_COLUMN)
        return self.ids()

    def frame(self) -> pd.DataFrame:
        """The columns in the common order."""
        return self.table.aligned(self.alignment.rows)

    def frame_of(self, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
        """The columns of some rows, for encoders to be fitted on; an entity counts once for each of its rows.

        Args:
            rows: row numbers of the dataset, shape (chosen rows,).
        """
        return self.frame().iloc[rows]

    def confirmation(self, pair_key: bytes, row_key: bytes) -> Confirmation:
        """A keyed digest of the ordered ids that this party loaded, and of the key of the run's order of rows.

        Args:
            pair_key: the pair key that only this party and a peer know.
            row_key: key of the run's order of rows; empty where rows are read in the common order.
        """
        mac = hmac.new(pair_key, IDS_LABEL + length_prefixed([self.dataset.encode(), row_key]), hashlib.sha256)
        mac.update(length_prefixed(one.encode() for one in self.ids()))
        return Confirmation(datasets=[Confirmation.DatasetDigest(dataset=self.dataset, ids_hmac=mac.digest())])


def common_rows(context: PartyContext, parties: tuple[str, ...], dataset: str) -> CommonRows:
    """Loads the rows that the parties of a run have in common.

    Args:
        context: the party's context.
        parties: parties of the run.
        dataset: name of the dataset.

    Raises:
        AlignmentError: the present file is not aligned with these parties.
        DataError: the dataset is not configured, or its file cannot be used.
    """
    table = context.tables.table(dataset)
    return CommonRows(table, context.alignment(table, parties))

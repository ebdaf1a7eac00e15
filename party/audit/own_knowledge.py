"""What the attacker has besides what it received: its own columns and its own trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from party.audit.own_columns import Floats, OwnColumns, own_columns
from party.audit.truth import AUDITOR, read_named_table, rows_of
from party.configuration.features import AnyFeature
from party.data.encoders import fit_encoders


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnKnowledge:
    """What an attacker has in the common order of the recording.

    Attributes:
        columns: its own columns; None leaves out what needs them.
        hiddens: hiddens of its own trained base model, float (rows, columns); None leaves out completion.
        flip_probabilities: by label the probability that training uses another one than the true one, as the label
            party makes public; labels that are not named are not protected.
    """

    columns: OwnColumns | None = None
    hiddens: Floats | None = field(default=None, repr=False)
    flip_probabilities: Mapping[str, float] = field(default_factory=dict)


def read_own_columns(
    path: Path, ids: Sequence[str], features: Sequence[AnyFeature], *, id_column: str = "ID"
) -> OwnColumns:
    """Reads and encodes the attacker's own columns.

    Args:
        path: the attacker's CSV or Parquet file.
        ids: sample ids in the common order.
        features: features, as its configuration lists them; at least one.
        id_column: column with the sample ids.

    Raises:
        DataError: the file cannot be used, or lacks a row.
    """
    columns = dict.fromkeys(column for feature in features for column in feature.source_columns)
    table = read_named_table(path, id_column, list(columns))
    frame = table.aligned(rows_of(table, ids))
    return own_columns(fit_encoders(AUDITOR, features, frame, path.name).encode(frame, path.name))

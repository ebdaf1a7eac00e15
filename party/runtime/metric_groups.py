"""The groups of a session's rows that metrics are computed by."""

from __future__ import annotations

from party.configuration.labels import group_columns
from party.data.groups import equal_cells
from party.data.text_columns import TextColumns
from party.metrics.groups import Groups
from party.pb.handshake_pb2 import Purpose
from party.runtime.proposal import Opening


def metric_groups(opening: Opening, table: TextColumns) -> Groups | None:
    """Puts the rows of a session into the groups that the metrics of labels need.

    Args:
        opening: the granted proposal.
        table: columns of all rows.

    Returns:
        Number of each row's group by column, int32 (rows, columns); None if no metric has groups, and in a prediction.
    """
    columns = group_columns(opening.context.configuration.data.labels)
    if not columns or opening.proposal.purpose == Purpose.PURPOSE_PREDICT:
        return None
    return equal_cells(table, columns)

"""The large tables of a base model of which an update changes the rows of its batch alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from party.configuration.large_tables import LARGE_TABLE_ROWS
from party.cut.state import State
from party.cut.touched_rows import RowNumbers, TouchedRows
from party.data.rows import RowArray
from party.engine.table_lookups import TableLookups
from party.engine.variable_table import VariableTable
from party.engine.weight_update import WeightUpdate

NamedRows = Mapping[int, Sequence[RowArray]]
NO_ROWS: RowNumbers = np.zeros(0, np.int64)
FLOATS = frozenset({"float16", "float32", "float64"})


class RowTables:
    """Keeps which rows of large tables were touched, so that checkpoints need not hold all of them.

    Such a table is looked up in its variable, so that its gradient names rows of the batch alone. Its optimizer moves
    no others, and no constraint follows that does.

    Args:
        lookups: the base model.
        update: updates its weights.
    """

    def __init__(self, lookups: TableLookups, update: WeightUpdate) -> None:
        self._inputs: dict[int, Sequence[int]] = {}
        self._touched: dict[int, TouchedRows] = {}
        self.tables: list[VariableTable] = []
        for place, inputs in lookups.inputs_by_table.items():
            weight = lookups.trainable[place]
            slots = update.slots_by_row(weight)
            if slots is None or not _is_large(weight):
                continue
            self._inputs[place] = inputs
            self._touched[place] = TouchedRows(weight.shape[0])
            self.tables += [VariableTable(one, self._touched[place]) for one in (weight, *slots)]

    def named(self, inputs: Sequence[RowArray]) -> NamedRows:
        """The rows that a batch looks up, by table.

        Args:
            inputs: inputs of the batch, in the order of the model's inputs.
        """
        return {place: [inputs[one] for one in taken] for place, taken in self._inputs.items()}

    def touch(self, named: NamedRows) -> None:
        """Notes the rows of a batch; to be called with its update, after which a snapshot may follow.

        Args:
            named: the batch's rows by table.
        """
        for place, arrays in named.items():
            for rows in arrays:
                self._touched[place].touch(rows)

    def touch_all(self) -> None:
        """Notes every row of every table."""
        for touched in self._touched.values():
            touched.touch_all()

    def restart(self, weights: State) -> None:
        """Goes on from a checkpoint: with the rows in which it differs from its base.

        Args:
            weights: the state that the trainable variables were assigned from.
        """
        for place, touched in self._touched.items():
            table = weights.tables.get(str(place))
            touched.restart(NO_ROWS if table is None else table.touched.since_base())


def _is_large(weight: keras.Variable) -> bool:
    return weight.shape[0] >= LARGE_TABLE_ROWS and weight.constraint is None and weight.dtype in FLOATS

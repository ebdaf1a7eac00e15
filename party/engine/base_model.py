"""A base model outside of training."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from party.cut.hidden import FloatArray, Rows
from party.cut.layout import CutLayout
from party.data.rows import RowArray, RowSource
from party.engine.compiled_call import CompiledCall, any_rows
from party.engine.cut_tensors import join
from party.engine.forward_pass import input_names
from party.engine.table_lookups import TableLookups


class BaseModel:
    """The half of the joined model below the cut at one party, outside of training.

    Args:
        model: functional model from named arrays to the named hiddens.
        source: source of the model's inputs by name, arrays of shape (batch, ...).
        layout: column layout of the hiddens.
        varying: whether batches may have any number of rows, none included; otherwise calls are compiled for each size.
    """

    def __init__(self, model: keras.Model, source: RowSource, layout: CutLayout, *, varying: bool = False) -> None:
        self.layout = layout
        self._lookups = TableLookups(model)
        self._source = source
        self._input_names = input_names(model)
        self._infer_call = CompiledCall(self._infer, any_rows if varying else None)

    def infer(self, rows: Rows) -> FloatArray:
        """Computes hiddens outside of training.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Hiddens, float32 (batch, columns).
        """
        if not len(rows):
            return self._no_hiddens()
        hiddens: FloatArray = self._infer_call((len(rows),), self.gather(rows)).numpy()
        return hiddens

    def gather(self, rows: Rows) -> list[RowArray]:
        """Gathers the model's inputs of some rows.

        Args:
            rows: row numbers of the dataset, int32 (batch,).

        Returns:
            Arrays of shape (batch, ...), in the order of the model's inputs.
        """
        gathered = self._source.gather(rows)
        return [gathered[name] for name in self._input_names]

    def _no_hiddens(self) -> FloatArray:
        """The hiddens of a batch without rows."""
        return np.zeros((0, self.layout.columns), np.float32)

    def _infer(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        return join(self.layout, self._lookups.infer(inputs))

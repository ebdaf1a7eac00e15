"""Replaces hiddens of rows that are absent at a party, for use inside a compiled call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.cut.hidden import Present


class AbsentVectors:
    """Puts learned vectors in place of a party's hiddens in rows that it has no entity for, or that are dropped.

    Args:
        model: as `build_absent` makes it; None where every row is present at every party.
        matrices: by party of the model, the name of the matrix that its hiddens are in: its own, or the one sum of all
            feature parties.
    """

    def __init__(self, model: keras.Model | None = None, matrices: Mapping[str, str] | None = None) -> None:
        self._model = model
        self._matrices = {party: (matrices or {})[party] for party in sorted(matrices or {})}
        self.variables: Sequence[keras.Variable] = [] if model is None else list(model.trainable_variables)

    def arguments(self, present: Mapping[str, Present]) -> list[npt.NDArray[np.bool_]]:
        """The arguments of a compiled call.

        Args:
            present: by party, which rows of the batch have its hiddens, bool (batch,).
        """
        return [present[party] for party in self._matrices]

    def fill(
        self, names: Sequence[str], matrices: Sequence[tf.Tensor], present: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Fills the absent rows.

        Args:
            names: names of the matrices.
            matrices: hiddens as received, zeros where an entity is missing, float32 (batch, columns).
            present: the tensors of `arguments`.

        Returns:
            The matrices. In one of a single party the gradients of absent rows reach the vectors alone; in a sum, also
            the parties whose rows are present.
        """
        if self._model is None:
            return list(matrices)
        by_name = dict(zip(names, matrices, strict=True))
        present_by_party = dict(zip(self._matrices, present, strict=True))
        absent = {party: tf.cast(~one, tf.float32)[:, None] for party, one in present_by_party.items()}
        vectors = self._model(absent)
        for party, name in self._matrices.items():
            if party == name:
                by_name[name] = tf.where(present_by_party[party][:, None], by_name[name], vectors[party])
            else:
                by_name[name] = by_name[name] + vectors[party]
        return [by_name[name] for name in names]

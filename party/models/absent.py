"""The model that replaces the hiddens of rows that have none: a learned vector per hidden and party."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from party.cut.hidden import HiddenSpec


def build_absent(hiddens: Mapping[str, Sequence[HiddenSpec]]) -> keras.Model:
    """Builds the model of the learned vectors, zeros at first.

    It consists of standard layers, so that Keras can save and export it: a vector is the kernel of a layer without bias
    on a column that is 1 where a row is absent.

    Args:
        hiddens: specs of the hiddens by party.

    Returns:
        A model from a column by party, float32 (batch, 1), 1 where a row is absent and 0 elsewhere, to matrices by
        party, float32 (batch, columns): all vectors of the party side by side where a row is absent, zeros elsewhere.
    """
    columns = {party: keras.Input((1,), name=party) for party in sorted(hiddens)}
    matrices = {party: _matrix(party, column, hiddens[party]) for party, column in columns.items()}
    return keras.Model(columns, matrices, name="absent")


def _matrix(party: str, column: keras.KerasTensor, specs: Sequence[HiddenSpec]) -> keras.KerasTensor:
    parts = [
        keras.layers.Dense(spec.units, use_bias=False, kernel_initializer="zeros", name=f"{party}.{spec.name}")(column)
        for spec in specs
    ]
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(name=f"{party}.")(parts)

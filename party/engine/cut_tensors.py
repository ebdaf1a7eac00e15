"""Joins the named hiddens of a compiled call into the matrix of a party, and splits it again."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from party.cut.layout import CutLayout


def join(layout: CutLayout, hiddens: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Joins a party's hiddens into its matrix.

    Args:
        layout: column layout of the party's matrix.
        hiddens: hiddens by name, float32 (batch, units).

    Returns:
        float32 (batch, columns).
    """
    return tf.concat([hiddens[spec.name] for spec in layout.specs], axis=1)


def split(layout: CutLayout, matrix: tf.Tensor) -> dict[str, tf.Tensor]:
    """Splits a party's matrix into its hiddens.

    Args:
        layout: column layout of the party's matrix.
        matrix: float32 (batch, columns).

    Returns:
        Hiddens by name, float32 (batch, units).
    """
    parts = tf.split(matrix, layout.units, axis=1)
    return {spec.name: part for spec, part in zip(layout.specs, parts, strict=True)}

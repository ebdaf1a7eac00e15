"""Non-trainable variables as a local step uses them: it draws masks of its own and leaves nothing changed."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.initial_weights import SEED_STATE

LOCAL_STREAM = 0x6C6F6361  # sets the masks of local steps apart from those of exchanged batches
MASKS_PER_STEP = 4096  # more than a seed generator draws in one pass


def number_array(number: int) -> npt.NDArray[np.int64]:
    """The number of a local step as an array, int64 (): TensorFlow keeps a copy of every Python number it is given."""
    return np.array(number, np.int64)


def local_states(states: Sequence[keras.Variable], number: tf.Tensor) -> list[tf.Tensor]:
    """Values to call a model with, inside a compiled call.

    Args:
        states: non-trainable variables of the model.
        number: of the local step in its run, int64.

    Returns:
        A tensor for each variable: its value, but for seed generators, which start where only this step does.
    """
    return [_seeded(state.value, number) if state.name == SEED_STATE else tf.identity(state.value) for state in states]


def _seeded(state: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    stream = tf.bitwise.bitwise_xor(tf.cast(state[0], tf.int64), tf.constant(LOCAL_STREAM, tf.int64))
    return tf.cast(tf.stack([stream, (number * MASKS_PER_STEP) % 2**32]), tf.uint32)

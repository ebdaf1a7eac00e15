"""Non-trainable variables for a local step, which draws its own dropout masks and changes no variable."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from party.models.initial_weights import SEED_STATE

LOCAL_STREAM = 0x6C6F6361  # separates the masks of local steps from those of exchanged batches
MASKS_PER_STEP = 4096  # more than a seed generator draws in one pass


def number_array(number: int) -> npt.NDArray[np.int64]:
    """The number of a local step as an array, int64 (): TensorFlow caches every Python number that it is given."""
    return np.array(number, np.int64)


def local_states(states: Sequence[keras.Variable], number: tf.Tensor) -> list[tf.Tensor]:
    """Values of the non-trainable variables for a model call; for use inside a compiled call.

    Args:
        states: non-trainable variables of the model.
        number: number of the local step in its run, int64.

    Returns:
        A tensor per variable: its value, except that a seed generator starts at a state of this local step alone.
    """
    return [_seeded(state.value, number) if state.name == SEED_STATE else tf.identity(state.value) for state in states]


def _seeded(state: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    stream = tf.bitwise.bitwise_xor(tf.cast(state[0], tf.int64), tf.constant(LOCAL_STREAM, tf.int64))
    return tf.cast(tf.stack([stream, (number * MASKS_PER_STEP) % 2**32]), tf.uint32)

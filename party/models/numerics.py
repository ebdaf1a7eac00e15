"""Settings of TensorFlow that decide speed and equality of bits."""

from __future__ import annotations

import tensorflow as tf

from party.configuration.party import ThreadsSection


def configure_tensorflow(threads: ThreadsSection) -> None:
    """Sets threads and determinism; must come before anything is computed.

    Args:
        threads: of the party's configuration.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads.intra_operation)
    tf.config.threading.set_inter_op_parallelism_threads(threads.inter_operation)
    tf.config.experimental.enable_op_determinism()
    # Looks for devices now: what the native libraries say of those they miss would else stand before a later error.
    tf.config.list_physical_devices()

"""Settings of TensorFlow that decide speed and equality of bits."""

from __future__ import annotations

import os

import keras
import numpy as np
import tensorflow as tf

from party.configuration.party import ThreadsSection

ONEDNN_SWITCH = "TF_ENABLE_ONEDNN_OPTS"


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


def numeric_settings() -> dict[str, str]:
    """What decides equality of bits in this process: versions, threads, switches."""
    threading = tf.config.threading
    return {
        "tensorflow": str(tf.__version__),
        "keras": str(keras.__version__),
        "numpy": np.__version__,
        "intra_operation threads": str(threading.get_intra_op_parallelism_threads()),
        "inter_operation threads": str(threading.get_inter_op_parallelism_threads()),
        "oneDNN": os.environ.get(ONEDNN_SWITCH, "default"),
    }

"""TensorFlow settings that determine speed and bitwise reproducibility."""

from __future__ import annotations

import os

import keras
import numpy as np
import tensorflow as tf

from party.configuration.threads import ThreadsSection
from party.engine.cores import usable_cores

ONEDNN_SWITCH = "TF_ENABLE_ONEDNN_OPTS"
MAXIMUM_AUTOMATIC_THREADS = 4  # cautious: a batch makes small matrices, and more than two cores were not measured


def configure_tensorflow(threads: ThreadsSection) -> None:
    """Sets threads and determinism; must be called before anything is computed.

    Args:
        threads: threads of the party's configuration.
    """
    tf.config.threading.set_intra_op_parallelism_threads(intra_operation_threads(threads, usable_cores()))
    tf.config.threading.set_inter_op_parallelism_threads(threads.inter_operation)
    tf.config.experimental.enable_op_determinism()
    # Looks for devices now: otherwise messages about missing native libraries would precede a later error.
    tf.config.list_physical_devices()


def intra_operation_threads(threads: ThreadsSection, cores: int) -> int:
    """Number of threads inside one operation.

    Args:
        threads: threads of the party's configuration.
        cores: the cores that this process may use.

    Returns:
        The number of threads; 0 leaves it to TensorFlow.
    """
    if threads.intra_operation == "auto":
        return min(cores, MAXIMUM_AUTOMATIC_THREADS)
    return threads.intra_operation


def numeric_settings() -> dict[str, str]:
    """What determines the bits of results in this process: versions, threads and settings."""
    threading = tf.config.threading
    counts = threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()
    return {
        "tensorflow": str(tf.__version__),
        "keras": str(keras.__version__),
        "numpy": np.__version__,
        "intra_operation threads": str(counts[0]),
        "inter_operation threads": str(counts[1]),
        "cores": str(usable_cores()) if 0 in counts else "",
        "oneDNN": os.environ.get(ONEDNN_SWITCH, "default"),
    }

"""Settings of TensorFlow that decide speed and equality of bits."""

from __future__ import annotations

import keras
import tensorflow as tf

from party.configuration.party import ThreadsSection
from party.configuration.run import OptimizerSection


def configure_tensorflow(threads: ThreadsSection) -> None:
    """Sets threads and determinism; must come before anything is computed.

    Args:
        threads: of the party's configuration.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads.intra_operation)
    tf.config.threading.set_inter_op_parallelism_threads(threads.inter_operation)
    tf.config.experimental.enable_op_determinism()


def build_optimizer(section: OptimizerSection) -> keras.Optimizer:
    """The optimizer of a run, with Keras's own defaults for all that the section leaves open."""
    return keras.optimizers.get({"class_name": section.name, "config": {"learning_rate": section.learning_rate}})

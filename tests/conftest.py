"""Settings of the whole test process: TensorFlow as `party serve` sets it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from party.configuration.party import ThreadsSection
from party.models.numerics import configure_tensorflow

configure_tensorflow(ThreadsSection(intra_operation=1))

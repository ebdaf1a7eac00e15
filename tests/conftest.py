"""Settings of the whole test process: TensorFlow and the garbage collector as `party serve` sets them."""

import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from party.configuration.party import ThreadsSection
from party.models.numerics import configure_tensorflow
from party.runtime.garbage import leave_out_what_stays

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and every process that is interrupted in a test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
configure_tensorflow(ThreadsSection(intra_operation=1))


def pytest_collection_finish():
    """Every module of the tests is loaded by now."""
    leave_out_what_stays()

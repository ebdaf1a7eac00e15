"""Settings of the whole test process: TensorFlow and the garbage collector as `party serve` sets them."""

import os
import signal
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from hypothesis import settings

from party.alignment.pool import WorkerPool
from party.configuration.threads import ThreadsSection
from party.engine.numerics import configure_tensorflow
from party.runtime import alignment_plan
from party.runtime.garbage import freeze_loaded_objects

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and every process that is interrupted in a test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("no deadline", deadline=None)  # a machine that others use is slow at times
settings.load_profile("no deadline")
configure_tensorflow(ThreadsSection(intra_operation=1))


def pytest_collection_finish():
    """Every module of the tests is loaded by now."""
    freeze_loaded_objects()


@pytest.fixture(autouse=True, scope="module")
def freeze_what_a_module_leaves() -> Iterator[None]:
    """Keras and TensorFlow keep much of every traced model; each later collection would look through all of it."""
    yield
    freeze_loaded_objects()


class SharedPool(WorkerPool):
    """A pool that outlives the alignments that use it."""

    def close(self) -> None:
        """Leaves the worker processes to the next alignment."""


@pytest.fixture(autouse=True, scope="session")
def one_pool_for_all_alignments() -> Iterator[None]:
    """Parties of this process share workers: else each alignment starts two at each party, which import all anew."""
    pool = SharedPool(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_plan, "WorkerPool", lambda: pool)
        yield
    WorkerPool.close(pool)

import pytest

from party.alignment.pool import WorkerPool


@pytest.fixture(scope="session")
def pool():
    with WorkerPool(2) as workers:
        yield workers

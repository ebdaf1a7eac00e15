"""A pool of spawned worker processes: elliptic-curve work holds Python's global lock, so threads gain nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ParamSpec, TypeVar

from party.errors import InternalError, SessionError

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool(AbstractContextManager["WorkerPool"]):
    """Worker processes that start with the first call, and end with this object or with the process that owns it.

    A worker imports the main module of its owner once more under another name: whatever that module imports at its top
    costs every worker time and memory.

    Args:
        workers: number of processes; None means one per core of the machine.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._executor = self._new_executor()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queues a call of a module's function; a pool whose worker died is replaced first.

        Args:
            function: importable by its module and name.
            args: positional arguments of the function; they are copied to the worker.
            kwargs: keyword arguments of the function, likewise.

        Returns:
            The future of the call's result.
        """
        try:
            return self._executor.submit(function, *args, **kwargs)
        except BrokenProcessPool:
            self._executor.shutdown(wait=True)
            self._executor = self._new_executor()
            return self._executor.submit(function, *args, **kwargs)

    def close(self) -> None:
        """Drops queued calls, waits for running ones and ends the worker processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the pool."""
        self.close()

    def _new_executor(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, mp_context=context, initializer=_start_worker)


def outcome(future: Future[T]) -> T:
    """Waits for a call's result.

    Args:
        future: a future that `WorkerPool.submit` returned.

    Returns:
        The result of the function.

    Raises:
        SplitError: the function raised it.
        SessionError: the call was dropped because its alignment was closed.
        InternalError: the worker process died.
    """
    try:
        return future.result()
    except CancelledError:
        raise SessionError("the alignment was closed") from None
    except BrokenProcessPool:
        raise InternalError(
            "a worker process of the alignment died", fix="check the machine's free memory and align again"
        ) from None


def _start_worker() -> None:
    """Leaves interrupts to the owner, and ends the worker when the owner dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_owner, daemon=True).start()


def _end_with_owner() -> None:
    owner = multiprocessing.parent_process()
    if owner is not None:
        owner.join()
        os._exit(1)

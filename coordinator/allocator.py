"""Settings of the C library's memory allocator."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
TRIM_THRESHOLD_BYTES = 256 << 20  # more than all messages under way
MMAP_THRESHOLD_BYTES = 32 << 20  # the largest value that mallopt accepts


def retain_freed_memory() -> None:
    """Makes glibc retain freed memory; does nothing with another C library.

    By default glibc returns the memory of a message of a few hundred kilobytes to the kernel as soon as it is freed.
    The next message then needs new pages, which takes far longer than copying it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)

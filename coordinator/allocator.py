"""What the C library's memory allocator does with memory that was freed."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT_BYTES = 256 << 20  # more than the messages that are under way
LARGEST_ON_HEAP_BYTES = 32 << 20  # the most that mallopt takes


def keep_freed_memory() -> None:
    """Has glibc keep what was freed; nothing with another C library.

    By default it gives messages of a few hundred kilobytes back to the kernel as soon as they are freed, and the next
    one has to ask for pages again, which takes far longer than to copy it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(MMAP_THRESHOLD, LARGEST_ON_HEAP_BYTES)

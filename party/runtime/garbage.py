"""Limits the work of Python's garbage collector.

TensorFlow and other libraries consist of hundreds of thousands of Python objects that are never freed.
"""

from __future__ import annotations

import gc


def freeze_loaded_objects() -> None:
    """Excludes everything that is loaded from later collections; call it before the first call is answered."""
    gc.collect()
    gc.freeze()


def collect_ended_session() -> None:
    """Frees the models of a session that has ended, whose objects form reference cycles."""
    gc.collect()

"""Python's garbage collector, told what will stay.

TensorFlow and the other libraries are hundreds of thousands of Python objects that no collection can free.
"""

from __future__ import annotations

import gc


def leave_out_what_stays() -> None:
    """Leaves whatever the process has loaded out of later collections: before it answers its first call."""
    gc.collect()
    gc.freeze()


def collect_what_ended() -> None:
    """Frees the models of a session that has ended, whose objects refer to each other."""
    gc.collect()

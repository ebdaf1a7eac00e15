"""Python's garbage collector, told what will stay.

The models of a session are hundreds of thousands of Python objects, and the
collector looks at all of them again and again: about a tenth of a small step.
"""

from __future__ import annotations

import gc


def leave_out_what_stays() -> None:
    """Collects once, then leaves whatever lives out of later collections: when a session is ready."""
    gc.collect()
    gc.freeze()


def take_everything_in_again() -> None:
    """Collects everything: when a session ends, so that its models do not stay for ever."""
    gc.unfreeze()
    gc.collect()

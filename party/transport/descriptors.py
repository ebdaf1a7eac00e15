"""File descriptors: every connection and open file takes one; running out of them is temporary."""

from __future__ import annotations

import errno
import resource

USED_UP = (errno.EMFILE, errno.ENFILE)


def raise_limit() -> int:
    """Raises this process's limit of open descriptors to its hard limit.

    Returns:
        The number that it may have open now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # the system allows fewer than its hard limit says
        return soft
    return hard


def are_used_up(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that no descriptor is left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in USED_UP:
            return True
        error = error.__cause__ or error.__context__
    return False

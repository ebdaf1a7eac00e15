"""The command `party`, also as `python -m party`."""

from __future__ import annotations

import sys

from party.errors import INTERRUPTED_EXIT_CODE


def start() -> None:
    """Runs the command; Ctrl-C while it is being loaded ends it as Ctrl-C later does."""
    try:
        from party.cli import main  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED_EXIT_CODE)
    main()


if __name__ == "__main__":
    start()

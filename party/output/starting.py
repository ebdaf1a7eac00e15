"""The start of a program, before its own modules are loaded."""

from __future__ import annotations

import importlib
import sys

from party.errors import INTERRUPTED_EXIT_CODE


def start_program(module: str) -> None:
    """Loads and runs a program; Ctrl-C while it is being loaded ends it as Ctrl-C does later.

    Args:
        module: whose function `main` is the program.
    """
    try:
        main = importlib.import_module(module).main
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED_EXIT_CODE)
    main()

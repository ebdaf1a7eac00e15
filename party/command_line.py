"""What all commands of `party` share: their options, and errors as one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from party.errors import INTERRUPTED_EXIT_CODE, InstallationError, InternalError, SplitError
from party.monitoring.logs import report
from party.output.terminal import show

STANDARD_ERROR = 2
# Only the coordinator may be installed, which needs fewer libraries.
INSTALLATION = "install splitrain[party] instead: in a checkout, pip install -c constraints.txt '.[party]'"

configuration_option = click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), help="The party's YAML file."
)
debug_option = click.option("--debug", is_flag=True, help="Show tracebacks.")


@contextmanager
def quiet_native_log() -> Iterator[None]:
    """Drops what TensorFlow's libraries write while they load, so that an error stays one line; exceptions pass."""
    sys.stderr.flush()
    saved = os.dup(STANDARD_ERROR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), STANDARD_ERROR)
    try:
        yield
    finally:
        os.dup2(saved, STANDARD_ERROR)
        os.close(saved)


def run_command(command: Callable[[], None], debug: bool) -> None:
    """Runs a command and turns its errors into one line and an exit code.

    Args:
        command: to run.
        debug: whether to show tracebacks instead.
    """
    try:
        command()
    except (KeyboardInterrupt, click.Abort):  # click raises Abort for Ctrl-C and Ctrl-D at a question
        report("interrupted", partial(show, to_errors=True), logging.WARNING)
        sys.exit(INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:
        raise  # whoever read the output has ended, as `head` does: click then ends without a word
    except SplitError as error:
        _fail(error, debug)
    except ModuleNotFoundError as error:
        if debug:
            raise
        _fail(InstallationError(f"the library {error.name} is not installed", fix=INSTALLATION), debug)
    except Exception as error:
        if debug:
            raise
        _fail(InternalError(f"failed ({type(error).__name__})", fix="run again with --debug"), debug)


def _fail(error: SplitError, debug: bool) -> NoReturn:
    if debug:
        raise error
    report(f"error: {error}", partial(show, to_errors=True))
    sys.exit(error.exit_code)

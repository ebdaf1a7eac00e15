"""What all commands of `coordinator` share: options, their federation, errors as one line and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from coordinator.allocator import retain_freed_memory
from party.errors import INTERRUPTED_EXIT_CODE, InternalError, SplitError
from party.monitoring.logs import report

if TYPE_CHECKING:
    from coordinator.federation import Federation
    from coordinator.progress import Display

configuration_option = click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), help="The run's YAML file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
debug_option = click.option("--debug", is_flag=True, help="Show tracebacks.")
run_id_argument = click.argument("run_id")
run_option = click.option("--run", "run_id", default=None, help="run_id or its beginning; default: the latest run.")
without_option = click.option(
    "--without",
    "without",
    multiple=True,
    metavar="PARTY",
    help="Leave a feature party out, which may be down; repeatable. The model must have learned to do without it.",
)
dataset_option = click.option("--dataset", default=None, help="Default: evaluate_dataset of the configuration.")


def inference_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of the commands that apply a trained run to a dataset, in the order of `--help`."""
    return configuration_option(run_option(dataset_option(without_option(debug_option(command)))))


def connect(path: Path, without: tuple[str, ...] = ()) -> Federation:
    """The parties of a run's configuration, with connections to them.

    Args:
        path: the run's YAML file.
        without: feature parties to leave out.

    Raises:
        SplitError: the file is not valid, or a party does not answer as it should.
    """
    from coordinator.configuration import load_coordinator_configuration  # noqa: PLC0415
    from coordinator.federation import Federation  # noqa: PLC0415
    from party.monitoring.logs import LogPlace, json_log  # noqa: PLC0415

    configuration = load_coordinator_configuration(path)
    if configuration.log_format == "text":
        return Federation(configuration, display, without=without)
    place = LogPlace()
    json_log({"coordinator": configuration.coordinator}, "info", place)
    federation = Federation(configuration, logged_display, without=without)
    place.source = federation.watch.activity.place
    return federation


def display() -> Display:
    """How progress is shown: live on a terminal, a line at a time elsewhere."""
    from coordinator.progress import LiveDisplay, PlainDisplay  # noqa: PLC0415

    return LiveDisplay() if sys.stdout.isatty() else PlainDisplay(click.echo)


def logged_display() -> Display:
    """Progress in the log, for who collects JSON lines."""
    from coordinator.progress import PlainDisplay  # noqa: PLC0415

    return PlainDisplay(logging.getLogger("coordinator").info)


def run_command(command: Callable[[], None], debug: bool) -> None:
    """Runs a command and turns its errors into one line and an exit code.

    Args:
        command: to run.
        debug: whether to show tracebacks instead.
    """
    retain_freed_memory()
    signal.signal(signal.SIGTERM, interrupt)
    if not debug:
        # The error that follows a failed connection says what gRPC would log, once and readable.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        command()
    except (KeyboardInterrupt, click.Abort) as interrupted:  # click raises Abort for Ctrl-C and Ctrl-D at a question
        notes = getattr(interrupted, "__notes__", ())  # of a session, if one was open
        report(": ".join(["interrupted", *notes]), partial(click.echo, err=True), logging.WARNING)
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit, which would wait for threads with abandoned calls.
        os._exit(INTERRUPTED_EXIT_CODE)
    except SplitError as error:
        _fail(error, debug)
    except Exception as error:
        if debug:
            raise
        _fail(InternalError(f"failed ({type(error).__name__})", fix="run again with --debug"), debug)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Ends the command as Ctrl-C does; a signal handler."""
    raise KeyboardInterrupt


def _fail(error: SplitError, debug: bool) -> NoReturn:
    if debug:
        raise error
    report(f"error: {error}", partial(click.echo, err=True))
    sys.exit(error.exit_code)

"""What all commands of `coordinator` share: options, their federation, errors as one line and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from coordinator.allocator import retain_freed_memory
from party.errors import INTERRUPTED_EXIT_CODE, InternalError, SplitError
from party.monitoring.logs import report
from party.output.results import json_option
from party.output.terminal import show

if TYPE_CHECKING:
    from coordinator.federation import Federation
    from coordinator.progress import Display

Result = TypeVar("Result")
DUMB_TERMINAL = "dumb"  # shows a carriage return as it likes

configuration_option = click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), help="The run's YAML file."
)
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
    return configuration_option(run_option(dataset_option(without_option(json_option(debug_option(command))))))


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of the commands about one run of the output folder, in the order of `--help`."""
    return run_id_argument(configuration_option(json_option(debug_option(command))))


def connect(path: Path, without: tuple[str, ...] = (), *, as_json: bool = False) -> Federation:
    """The parties of a run's configuration, with connections to them.

    Args:
        path: the run's YAML file.
        without: feature parties to leave out.
        as_json: whether standard output is for one JSON document, so that progress goes to standard error.

    Raises:
        SplitError: the file is not valid, or a party does not answer as it should.
    """
    from coordinator.configuration import load_coordinator_configuration  # noqa: PLC0415
    from coordinator.federation import Federation  # noqa: PLC0415
    from party.monitoring.logs import LogPlace, json_log  # noqa: PLC0415

    configuration = load_coordinator_configuration(path)
    if configuration.log_format == "text":
        return Federation(configuration, partial(display, to_errors=as_json), without=without)
    place = LogPlace()
    json_log({"coordinator": configuration.coordinator}, "info", place)
    federation = Federation(configuration, logged_display, without=without)
    place.source = federation.watch.activity.place
    return federation


def display(*, to_errors: bool = False) -> Display:
    """How progress is shown: live on a terminal, a line at a time elsewhere.

    Args:
        to_errors: whether on standard error instead of standard output.
    """
    from coordinator.live_display import LiveDisplay  # noqa: PLC0415
    from coordinator.progress import PlainDisplay  # noqa: PLC0415

    stream = sys.stderr if to_errors else sys.stdout
    if stream.isatty() and os.environ.get("TERM") != DUMB_TERMINAL:
        return LiveDisplay(stream)
    return PlainDisplay(partial(show, to_errors=to_errors))


def print_latest(results: Iterable[Result], print_one: Callable[[Result], None]) -> None:
    """Prints the last one of several results, each of which holds those before it.

    Args:
        results: as they are made; if that fails, those before have cost the parties something, and are printed.
        print_one: prints one.
    """
    latest: list[Result] = []
    try:
        for one in results:
            latest[:] = [one]
    finally:
        for one in latest:
            print_one(one)


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
        report(": ".join(["interrupted", *notes]), partial(show, to_errors=True), logging.WARNING)
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit, which would wait for threads with abandoned calls.
        os._exit(INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:
        raise  # whoever read the output has ended, as `head` does: click then ends without a word
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
    report(f"error: {error}", partial(show, to_errors=True))
    sys.exit(error.exit_code)

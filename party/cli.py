"""The command `party`: what an organisation runs beside its data."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from party import __version__
from party.errors import InternalError, SplitError

STANDARD_ERROR = 2
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

configuration_option = click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), help="The party's YAML file."
)
debug_option = click.option("--debug", is_flag=True, help="Show tracebacks.")


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Takes part in split training with an organisation's own data and models."""


@main.command()
@configuration_option
@debug_option
def serve(path: Path, debug: bool) -> None:
    """Answers coordinators until stopped."""

    def run() -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from party.configuration.party import load_party_configuration  # noqa: PLC0415

        configuration = load_party_configuration(path)
        logging.basicConfig(level=configuration.log_level.upper(), format=LOG_FORMAT, stream=sys.stderr)
        with _quiet_native_log():
            from party.models.numerics import configure_tensorflow  # noqa: PLC0415
            from party.transport.server import serve as serve_forever  # noqa: PLC0415

            configure_tensorflow(configuration.threads)
        serve_forever(configuration, click.echo)

    run_command(run, debug)


@main.command()
@configuration_option
@debug_option
def check(path: Path, debug: bool) -> None:
    """Reads configuration, certificate and data without serving, and prints what was found."""

    def run() -> None:
        from party.check import print_check  # noqa: PLC0415

        configuration, tables = print_check(path)
        # TensorFlow takes seconds to load: whatever is wrong with the data is told before.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with _quiet_native_log():
            from party.runtime.model_objects import check_objects, check_own_model  # noqa: PLC0415

            check_objects(configuration)
            check_own_model(configuration, tables)

    run_command(run, debug)


@main.command()
@configuration_option
@click.option("--run", "run_id", default=None, help="The run to export; the latest trained one where absent.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to create the SavedModels in.")
@debug_option
def export(path: Path, run_id: str | None, output: Path, debug: bool) -> None:
    """Writes the trained models of this party as TensorFlow SavedModels."""

    def run() -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with _quiet_native_log():
            from party.export import export_models  # noqa: PLC0415

        for folder in export_models(path, run_id, output):
            click.echo(f"wrote {folder}")

    run_command(run, debug)


@main.command()
@configuration_option
@debug_option
def runs(path: Path, debug: bool) -> None:
    """Lists the runs that this party keeps something of."""

    def run() -> None:
        from party.runs import run_lines  # noqa: PLC0415

        for line in run_lines(path):
            click.echo(line)

    run_command(run, debug)


@main.command()
@click.argument("run_id")
@configuration_option
@debug_option
def remove(run_id: str, path: Path, debug: bool) -> None:
    """Removes all that this party keeps of a run: model, secret, checkpoints, predictions."""

    def run() -> None:
        from party.runs import remove_run  # noqa: PLC0415

        click.echo(remove_run(path, run_id))

    run_command(run, debug)


@contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Drops what TensorFlow's libraries write while they load, so that an error stays one line; exceptions pass."""
    sys.stderr.flush()
    kept = os.dup(STANDARD_ERROR)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), STANDARD_ERROR)
    try:
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)


def run_command(command: Callable[[], None], debug: bool) -> None:
    """Runs a command and turns its errors into one line and an exit code.

    Args:
        command: to run.
        debug: whether to show tracebacks instead.
    """
    try:
        command()
    except SplitError as error:
        _fail(error, debug)
    except Exception as error:
        if debug:
            raise
        _fail(InternalError(f"failed ({type(error).__name__})", fix="run again with --debug"), debug)


def _fail(error: SplitError, debug: bool) -> NoReturn:
    if debug:
        raise error
    click.echo(f"error: {error}", err=True)
    sys.exit(error.exit_code)

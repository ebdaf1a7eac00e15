"""The command `coordinator`: drives runs between parties."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from party import __version__
from party.errors import INTERRUPTED_EXIT_CODE, InternalError, SplitError

if TYPE_CHECKING:
    from coordinator.federation import Federation
    from coordinator.progress import Display

configuration_option = click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), help="The run's YAML file."
)
debug_option = click.option("--debug", is_flag=True, help="Show tracebacks.")
run_option = click.option("--run", "run_id", default=None, help="run_id or its beginning; the latest where absent.")
dataset_option = click.option("--dataset", default=None, help="evaluate_dataset of the configuration where absent.")


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Drives split training between parties; sees no data, no labels and no keys of theirs."""


@main.command()
@configuration_option
@click.option("--force", is_flag=True, help="Align also where an alignment still holds.")
@debug_option
def align(path: Path, force: bool, debug: bool) -> None:
    """Puts the rows of all parties in the same order."""

    def run() -> None:
        with _connect(path) as federation:
            for result in federation.align(force=force):
                click.echo(f"dataset {result.dataset}")
                for party, rows in result.rows.items():
                    click.echo(f"  {party:<20} {rows:>12,} rows")
                if result.reused or result.rows_in_common is None:
                    click.echo("  aligned before, and still valid: reused (--force aligns again)")
                else:
                    click.echo(f"  {'in common':<20} {result.rows_in_common:>12,} rows")

    _run_command(run, debug)


@main.command()
@configuration_option
@debug_option
def train(path: Path, debug: bool) -> None:
    """Trains a new run; every party saves its own model."""

    def run() -> None:
        with _connect(path) as federation:
            history = federation.fit()
            folder = federation.configuration.path(federation.configuration.output) / history.run_id
            click.echo(f"run {history.run_id}")
            click.echo(
                f"{history.samples:,} samples in {history.seconds:.1f} s: {history.samples_per_second:,.0f} samples/s,"
                f" {history.bytes_per_sample:,.0f} message bytes per sample"
            )
            click.echo(f"wrote {folder / 'history.json'}")

    _run_command(run, debug)


@main.command()
@configuration_option
@run_option
@dataset_option
@debug_option
def evaluate(path: Path, run_id: str | None, dataset: str | None, debug: bool) -> None:
    """Evaluates a trained run on a dataset."""

    def run() -> None:
        with _connect(path) as federation:
            for name, value in federation.evaluate(dataset, run_id=run_id).items():
                click.echo(f"{name:<10} {value:.6f}")

    _run_command(run, debug)


@main.command()
@configuration_option
@run_option
@dataset_option
@debug_option
def predict(path: Path, run_id: str | None, dataset: str | None, debug: bool) -> None:
    """Has the label party write predictions for a dataset."""

    def run() -> None:
        with _connect(path) as federation:
            written = federation.predict(dataset, run_id=run_id)
            click.echo(f"{written.rows:,} predictions in {', '.join(written.files)} at party {written.party}")

    _run_command(run, debug)


@main.command()
@configuration_option
@debug_option
def status(path: Path, debug: bool) -> None:
    """Shows every party's state and the runs of this coordinator."""

    def run() -> None:
        from coordinator.status import print_status  # noqa: PLC0415

        print_status(path, click.echo)

    _run_command(run, debug)


def _connect(path: Path) -> Federation:
    from coordinator.federation import connect_federation  # noqa: PLC0415

    return connect_federation(path, _display)


def _display() -> Display:
    from coordinator.progress import LiveDisplay, PlainDisplay  # noqa: PLC0415

    return LiveDisplay() if sys.stdout.isatty() else PlainDisplay(click.echo)


def _run_command(command: Callable[[], None], debug: bool) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    if not debug:
        # What gRPC logs of a failed connection is said by the error that follows, once and for a person.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        command()
    except KeyboardInterrupt:
        click.echo("interrupted: the parties were told and are free for the next run", err=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    except SplitError as error:
        _fail(error, debug)
    except Exception as error:
        if debug:
            raise
        _fail(InternalError(f"failed ({type(error).__name__})", fix="run again with --debug"), debug)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(error: SplitError, debug: bool) -> NoReturn:
    if debug:
        raise error
    click.echo(f"error: {error}", err=True)
    sys.exit(error.exit_code)

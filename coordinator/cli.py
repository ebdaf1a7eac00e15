"""The command `coordinator`, which drives runs between parties."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from coordinator.command_line import (
    configuration_option,
    connect,
    dataset_option,
    debug_option,
    inference_options,
    interrupt,
    print_latest,
    run_command,
    run_option,
    run_options,
)
from coordinator.commands.accept import accept_command
from coordinator.commands.audit import audit_command
from coordinator.commands.doctor import coordinator_doctor_command
from coordinator.commands.init import init_command
from coordinator.commands.invite import invite_command
from coordinator.commands.report import report_command
from coordinator.commands.schema import schema_command
from party import __version__
from party.certificate import certificate_command
from party.completion import completion_command
from party.errors import SessionError
from party.monitoring.logs import report
from party.output.program import Program
from party.output.quantities import count_text
from party.output.results import json_option, print_result
from party.output.terminal import show

if TYPE_CHECKING:
    from coordinator.federation import Federation


@click.group(cls=Program)
@click.version_option(__version__)
def main() -> None:
    """Drives split training between parties; sees none of their data, labels or keys."""


@main.command()
@configuration_option
@click.option("--force", is_flag=True, help="Align again even if an alignment is still valid.")
@json_option
@debug_option
def align(*, path: Path, force: bool, as_json: bool, debug: bool) -> None:
    """Puts the rows of all parties in the same order."""

    def run() -> None:
        from coordinator.alignment_table import alignment_result  # noqa: PLC0415

        with connect(path, as_json=as_json) as federation:
            result = alignment_result(federation.align(force=force))
            print_result("coordinator align", result, as_json=as_json)

    run_command(run, debug)


@main.command()
@configuration_option
@click.option(
    "--resume",
    "resume",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[RUN_ID]",
    help="Resume a stopped run: by the beginning of its run_id, or the latest one.",
)
@click.option(
    "--continue",
    "continue_from",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[RUN_ID]",
    help="Begin with the weights and vocabularies of a finished run, or of the latest one; optimizers begin anew.",
)
@click.option("--new", is_flag=True, help="Start a new run even if one with the same configuration can be resumed.")
@click.option("--unattended", is_flag=True, help="Resume the stopped run with this configuration, or start one.")
@json_option
@debug_option
def train(
    *,
    path: Path,
    resume: str | None,
    continue_from: str | None,
    new: bool,
    unattended: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Trains a run, new or resumed; parties save their models."""
    if resume is not None and (new or continue_from is not None):
        raise click.UsageError("--resume excludes --new and --continue: a run is resumed as it began")
    if unattended and (resume is not None or new):
        raise click.UsageError("--unattended excludes --resume and --new: it decides between them")

    def run() -> None:
        from coordinator.finished_training import finished_training  # noqa: PLC0415

        with connect(path, as_json=as_json) as federation, _stopping_in_order(federation):
            stopped = federation.stopped_run() if resume is None and not new else None
            if stopped is not None and not unattended:
                raise SessionError(
                    f"run {stopped.run_id[:8]} with this configuration stopped after step {count_text(stopped.step)} of"
                    f" {count_text(stopped.steps)}",
                    where=str(federation.configuration.path(federation.configuration.output)),
                    fix=f"use --resume {stopped.run_id[:8]} to resume it, or --new to start a new run",
                )
            if stopped is not None:
                history = federation.fit(resume=stopped.run_id)
            else:
                history = federation.fit(resume=resume, continue_from=continue_from)
            result = finished_training(history, federation.configuration.path(federation.configuration.output))
            print_result("coordinator train", result, as_json=as_json)

    run_command(run, debug)


@main.command()
@configuration_option
@json_option
@debug_option
def plan(path: Path, as_json: bool, debug: bool) -> None:
    """Measures, and recommends a schedule and codecs. Saves no trained weights."""

    def run() -> None:
        from coordinator.planning.table import plan_result  # noqa: PLC0415

        with connect(path, as_json=as_json) as federation:
            print_result("coordinator plan", plan_result(federation.plan()), as_json=as_json)

    run_command(run, debug)


@main.command()
@click.option(
    "--shuffle",
    multiple=True,
    metavar="PARTY:NUMBERS",
    help="Also evaluate with each of these columns shuffled among the rows, such as alice:1-4; repeatable.",
)
@inference_options
def evaluate(
    *,
    path: Path,
    run_id: str | None,
    dataset: str | None,
    without: tuple[str, ...],
    shuffle: tuple[str, ...],
    as_json: bool,
    debug: bool,
) -> None:
    """Evaluates a trained run on a dataset."""

    def run() -> None:
        from coordinator.evaluation_result import evaluated  # noqa: PLC0415
        from coordinator.shuffled_columns import shuffled_columns  # noqa: PLC0415

        columns = shuffled_columns(shuffle)
        with connect(path, without, as_json=as_json) as federation:
            print_latest(
                evaluated(partial(federation.evaluation, dataset, run_id, without), columns),
                lambda result: print_result("coordinator evaluate", result, as_json=as_json),
            )

    run_command(run, debug)


@main.command()
@inference_options
def predict(
    *, path: Path, run_id: str | None, dataset: str | None, without: tuple[str, ...], as_json: bool, debug: bool
) -> None:
    """Makes the label party write predictions for a dataset."""

    def run() -> None:
        with connect(path, without, as_json=as_json) as federation:
            written = federation.predict(dataset, run_id=run_id, without=without)
            print_result("coordinator predict", written, as_json=as_json)

    run_command(run, debug)


@main.command()
@configuration_option
@run_option
@dataset_option
@json_option
@debug_option
def contributions(*, path: Path, run_id: str | None, dataset: str | None, as_json: bool, debug: bool) -> None:
    """Evaluates a run with every subset of its feature parties. Shows what each of them contributes."""

    def run() -> None:
        with connect(path, as_json=as_json) as federation:
            print_latest(
                federation.each_contribution(dataset, run_id=run_id),
                lambda found: print_result("coordinator contributions", found, as_json=as_json),
            )

    run_command(run, debug)


@main.command()
@configuration_option
@json_option
@debug_option
def status(path: Path, as_json: bool, debug: bool) -> None:
    """Shows the parties' states, and this coordinator's runs."""

    def run() -> None:
        from coordinator.status import read_status  # noqa: PLC0415

        found, problem = read_status(path)
        print_result("coordinator status", found, as_json=as_json)
        if problem is not None:
            raise problem

    run_command(run, debug)


@main.command()
@run_options
def stop(run_id: str, path: Path, as_json: bool, debug: bool) -> None:
    """Stops a run of another process after a checkpoint. Waits until it has ended."""

    def run() -> None:
        from coordinator.runs import stop_run  # noqa: PLC0415

        print_result("coordinator stop", stop_run(path, run_id), as_json=as_json)

    run_command(run, debug)


@main.command()
@run_options
def remove(run_id: str, path: Path, as_json: bool, debug: bool) -> None:
    """Deletes a run that has ended, with its history. Every party retains its own part."""

    def run() -> None:
        from coordinator.runs import remove_run  # noqa: PLC0415

        print_result("coordinator remove", remove_run(path, run_id), as_json=as_json)

    run_command(run, debug)


@contextmanager
def _stopping_in_order(federation: Federation) -> Iterator[None]:
    """Makes the first interrupt stop a run after a checkpoint, and a second one end the process at once."""

    def first(number: int, frame: FrameType | None) -> None:
        federation.stop()
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, interrupt)
        # Said last: whoever reads it may interrupt at once.
        text = "stopping after a checkpoint; interrupt once more to end at once"
        # On a terminal, progress and ^C stand in the line.
        start = "\n" if sys.stderr.isatty() else ""
        report(text, lambda line: show(f"{start}{line}", to_errors=True), logging.INFO)

    former = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    for which, handler in former.items():
        if handler is not signal.SIG_IGN:
            signal.signal(which, first)
    try:
        yield
    finally:
        for which, handler in former.items():
            signal.signal(which, handler)


main.add_command(audit_command)
main.add_command(coordinator_doctor_command)
main.add_command(init_command)
main.add_command(invite_command)
main.add_command(accept_command)
main.add_command(schema_command)
main.add_command(completion_command("coordinator"))
main.add_command(certificate_command("coordinator", run_command))
main.add_command(report_command)

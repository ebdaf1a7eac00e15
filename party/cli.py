"""The command `party`: what an organisation runs beside its data."""

from __future__ import annotations

import os
from pathlib import Path

import click

from party import __version__
from party.certificate import certificate_command
from party.command_line import configuration_option, debug_option, quiet_native_log, run_command
from party.commands.accept import accept_command
from party.commands.audit import audit_command
from party.commands.data import data_command
from party.commands.doctor import party_doctor_command
from party.commands.init import init_command
from party.commands.invite import invite_command
from party.commands.ledger import ledger_command
from party.commands.report import report_command
from party.commands.schema import schema_command
from party.completion import completion_command
from party.output.program import Program
from party.output.results import json_option, print_result


@click.group(cls=Program)
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
        # NumPy's threads spin while they wait for one another, and take the cores from TensorFlow's.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from party.monitoring.logs import LogPlace, json_log, text_log  # noqa: PLC0415
        from party.runtime.column_ranges import load_with_columns  # noqa: PLC0415

        configuration = load_with_columns(path)
        log_place = LogPlace()
        if configuration.log_format == "json":
            json_log({"party": configuration.party}, configuration.log_level, log_place)
        else:
            text_log(configuration.log_level)
        with quiet_native_log():
            from party.engine.numerics import configure_tensorflow  # noqa: PLC0415
            from party.transport.serving import exit_despite_running_threads  # noqa: PLC0415
            from party.transport.serving import serve as serve_forever  # noqa: PLC0415

            configure_tensorflow(configuration.threads)
        serve_forever(path, configuration, click.echo, log_place)
        exit_despite_running_threads()

    run_command(run, debug)


@main.command()
@configuration_option
@json_option
@debug_option
def check(path: Path, as_json: bool, debug: bool) -> None:
    """Reads configuration, certificate and data without serving, and prints what was found."""

    def run() -> None:
        from party.check import print_check  # noqa: PLC0415

        configuration, tables = print_check(path, as_json=as_json)
        # TensorFlow takes seconds to load: errors in the data are reported before.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with quiet_native_log():
            from party.runtime.model_objects import check_objects, check_own_model  # noqa: PLC0415

            check_objects(configuration)
            check_own_model(configuration, tables)

    run_command(run, debug)


@main.command()
@configuration_option
@json_option
@debug_option
def health(path: Path, as_json: bool, debug: bool) -> None:
    """Asks the party's own port whether this party answers there with TLS; exits with 0 if it does."""

    def run() -> None:
        from party.health import healthy_port  # noqa: PLC0415

        print_result("party health", healthy_port(path), as_json=as_json)

    run_command(run, debug)


@main.command()
@configuration_option
@click.option("--run", "run_id", default=None, help="The run to export; default: the latest trained run.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to create the SavedModels in.")
@json_option
@debug_option
def export(path: Path, run_id: str | None, *, output: Path, as_json: bool, debug: bool) -> None:
    """Writes the trained models of this party as TensorFlow SavedModels."""

    def run() -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with quiet_native_log():
            from party.export import export_models  # noqa: PLC0415

        print_result("party export", export_models(path, run_id, output), as_json=as_json)

    run_command(run, debug)


@main.command()
@configuration_option
@json_option
@debug_option
def runs(path: Path, as_json: bool, debug: bool) -> None:
    """Lists the runs saved at this party."""

    def run() -> None:
        from party.runs import saved_runs  # noqa: PLC0415

        print_result("party runs", saved_runs(path), as_json=as_json)

    run_command(run, debug)


@main.command()
@click.argument("run_id")
@click.option("--recording", is_flag=True, help="Only remove what was recorded for an audit; the model stays.")
@configuration_option
@json_option
@debug_option
def remove(path: Path, run_id: str, *, recording: bool, as_json: bool, debug: bool) -> None:
    """Removes all that this party keeps of a run: model, secret, checkpoints, predictions."""

    def run() -> None:
        from party.runs import remove_recording, remove_run  # noqa: PLC0415

        removed = remove_recording(path, run_id) if recording else remove_run(path, run_id)
        print_result("party remove", removed, as_json=as_json)

    run_command(run, debug)


@main.command()
@configuration_option
@json_option
@debug_option
def reload(path: Path, as_json: bool, debug: bool) -> None:
    """Checks the file, then makes the running party reload coordinators, peers and policy."""

    def run() -> None:
        from party.reload import reload_party  # noqa: PLC0415

        print_result("party reload", reload_party(path), as_json=as_json)

    run_command(run, debug)


main.add_command(audit_command)
main.add_command(ledger_command)
main.add_command(data_command)
main.add_command(party_doctor_command)
main.add_command(init_command)
main.add_command(invite_command)
main.add_command(accept_command)
main.add_command(schema_command)
main.add_command(completion_command("party"))
main.add_command(certificate_command("party", run_command))
main.add_command(report_command)

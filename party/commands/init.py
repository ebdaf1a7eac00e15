"""`party init`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from party.command_line import debug_option, run_command
from party.errors import ConfigurationError
from party.invitation.options import force_option, schema_option
from party.output.results import json_option, print_result
from party.output.terminal import show

MODELS = ("deepfm", "dnn", "bst")
DEFAULT_PORT = 50051
SHOWN = 8
NOBODY = "answer on a terminal, or add --yes to take the guess"


@click.command("init")
@click.option("--name", default=None, help="The party's name, in its certificate and everywhere.")
@click.option("--data", multiple=True, metavar="FILE", help="CSV or Parquet to train on; repeatable.")
@click.option("--dataset", "datasets", multiple=True, metavar="NAME=FILE", help="Further data, as test=test.csv.")
@click.option("--id", "row_id", default=None, metavar="COLUMN", help="The column that joins the parties' rows.")
@click.option("--label", "labels", multiple=True, metavar="RULE", help="A label's column, or 'Rating > 3'; repeatable.")
@click.option("--leave-out", multiple=True, metavar="COLUMN", help="A column that must not be a feature; repeatable.")
@click.option("--address", default=None, metavar="HOST:PORT", help="As the coordinator reaches this party.")
@click.option("--model", type=click.Choice(MODELS), default=None, help="The base model.  [default: deepfm]")
@click.option("--output", "target", type=click.Path(path_type=Path), default=None, help="[default: NAME.yaml]")
@force_option
@click.option("--yes", is_flag=True, help="Ask nothing, and take the guesses.")
@schema_option
@json_option
@debug_option
def init_command(
    *,
    name: str | None,
    data: tuple[str, ...],
    datasets: tuple[str, ...],
    row_id: str | None,
    labels: tuple[str, ...],
    leave_out: tuple[str, ...],
    address: str | None,
    model: str | None,
    target: Path | None,
    force: bool,
    yes: bool,
    writes_schema: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Writes a party's certificate, a configuration guessed from its files, and the invitation for its partners."""

    def run() -> None:
        from party.drafting.draft import TRAIN, DataRequest  # noqa: PLC0415
        from party.drafting.new_party import NewParty, create_party  # noqa: PLC0415
        from party.security.clock import utc_now  # noqa: PLC0415

        answers = Answers(is_asking=sys.stdin.isatty() and not yes, takes_guesses=yes, to_errors=as_json)
        party = name or answers.text("Name of this party", None, "--name")
        files = data or tuple(answers.text("File to train on, CSV or Parquet", None, "--data").split())
        request = DataRequest(
            files={TRAIN: files, **named_files(datasets)}, id=row_id, labels=labels or None, left_out=leave_out
        )
        reached = address or answers.text("HOST:PORT at which others reach this party", default_address(), "--address")
        new = NewParty(name=party, address=reached, model=model, writes_schema=writes_schema, data=request)
        created = create_party(new, target or Path(f"{party}.yaml"), answers, force=force, now=utc_now())
        print_result("party init", created, as_json=as_json)

    run_command(run, debug)


class Answers:
    """What the owner answers on a terminal, or the guesses in place of it.

    Args:
        is_asking: whether somebody can be asked.
        takes_guesses: whether guesses are taken where nobody is asked.
        to_errors: whether questions are put on standard error, where standard output is for a program.
    """

    def __init__(self, *, is_asking: bool, takes_guesses: bool, to_errors: bool = False) -> None:
        self._is_asking, self._takes_guesses, self._to_errors = is_asking, takes_guesses, to_errors

    def text(self, question: str, guess: str | None, option: str) -> str:
        """Asks for a text.

        Args:
            question: to show.
            guess: what is proposed; None where nothing can be.
            option: that gives the same answer, for the error.

        Raises:
            ConfigurationError: nobody can be asked, and no guess may be taken.
        """
        if self._is_asking:
            return str(click.prompt(question, default=guess, err=self._to_errors))
        if self._takes_guesses and guess is not None:
            return guess
        raise ConfigurationError(
            f"{option} is missing", fix=f"add {option}" + ("" if guess is None else f", or {NOBODY}")
        )

    def id_column(self, candidates: Sequence[str]) -> str:
        """See `Questions`."""
        if self._is_asking and candidates:
            show(f"columns with another value in every row: {_listed(candidates)}", to_errors=self._to_errors)
        return self.text("Column by which the parties' rows are joined", next(iter(candidates), None), "--id")

    def labels(self, candidates: Sequence[str]) -> tuple[str, ...]:
        """See `Questions`; without an answer this is a feature party."""
        if not self._is_asking:
            return ()
        if candidates:
            show(f"columns that might be labels: {_listed(candidates)}", to_errors=self._to_errors)
        question = "Label, if this party holds it: a column or a rule"
        given = str(click.prompt(question, default="", show_default=False, err=self._to_errors))
        return (given,) if given else ()


def named_files(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The files of further datasets by name.

    Args:
        given: each as NAME=FILE.

    Raises:
        ConfigurationError: one is written otherwise, or names the dataset to train on.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in given:
        name, equals, file = one.partition("=")
        if not equals or not file or name == "train":
            raise ConfigurationError(
                "is no dataset", where="--dataset", expected="NAME=FILE, such as test=test.csv; --data is train"
            )
        found[name] = (*found.get(name, ()), file)
    return found


def default_address() -> str:
    """This machine's name with the usual port."""
    import socket  # noqa: PLC0415

    return f"{socket.gethostname()}:{DEFAULT_PORT}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")

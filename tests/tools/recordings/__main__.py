"""`python -m tests.tools.recordings`: records a fixed set of runs, or compares two recordings."""

import signal
import sys
from pathlib import Path

import click

from tests.tools.recordings.cases import all_cases
from tests.tools.recordings.federations import record_federations
from tests.tools.recordings.processes import RecordingError
from tests.tools.recordings.recording import compare as compare_recordings
from tests.tools.recordings.recording import load, save

CHECKOUT = Path(__file__).resolve().parents[3]
only_option = click.option("--only", multiple=True, metavar="CASE", help="This case alone; may be given several times.")


@click.group()
def main():
    """Checks that a restructuring changes no bit of weights, losses and predictions."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background


@main.command()
def cases():
    """Prints the names of all cases."""
    click.echo("\n".join(all_cases()))


@main.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--code",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    default=CHECKOUT,
    help="The checkout whose code runs.  [default: this one]",
)
@only_option
def record(path, code, only):
    """Runs all cases and writes their results to FILE."""
    _check_names(only, all_cases())
    recorded = record_federations(code, only)
    save(path, recorded)
    click.echo(f"wrote {path}: {len(recorded)} cases, {sum(map(len, recorded.values())):,} arrays")


@main.command()
@click.argument("first", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("second", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@only_option
def compare(first, second, only):
    """Prints what is equal bit by bit and what differs in every case; exits with 1 if anything differs."""
    (libraries, one), (others, other) = load(first), load(second)
    _check_names(only, [*one, *other])
    if libraries != others:
        click.echo(f"recorded with other libraries: {', '.join(libraries)}; {', '.join(others)}")
    compared = compare_recordings(one, other)
    compared = {case: found for case, found in compared.items() if not only or case in only}
    for case, (arrays, elements, differences) in compared.items():
        click.echo(f"{'DIFFERS' if differences else 'equal'}  {case}: {arrays} arrays, {elements:,} values are equal")
        for difference in differences:
            click.echo(f"    {difference}")
    differing = sum(bool(differences) for _, _, differences in compared.values())
    click.echo(f"{len(compared) - differing} of {len(compared)} cases are equal bit by bit")
    sys.exit(1 if differing else 0)


def _check_names(only, known):
    unknown = [case for case in only if case not in known]
    if unknown:
        raise RecordingError(f"no case is named {unknown[0]}; `cases` prints the names")


if __name__ == "__main__":
    try:
        main()
    except RecordingError as error:
        sys.exit(f"error: {error}")

"""The options that `invite` and `accept` of both commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from party.output.results import json_option

Command = Callable[..., None]

_files = click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
fingerprint_option = click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    metavar="DIGITS",
    help="A fingerprint as its sender told it, for scripts; one for each file. Without it, somebody is asked.",
)
_replace = click.option("--replace", is_flag=True, help="Let another authority or address replace a known one.")
_output = click.option(
    "--output",
    "target",
    type=click.Path(path_type=Path),
    default=None,
    help="File to write.  [default: NAME.invitation]",
)
schema_option = click.option(
    "--schema", "writes_schema", is_flag=True, help="Also write the JSON Schema, by which editors check and complete."
)
force_option = click.option("--force", is_flag=True, help="Replace files that exist.")


def accept_options(command: Command) -> Command:
    """Adds what `accept` takes besides the configuration."""
    return _files(fingerprint_option(_replace(json_option(command))))


def invite_options(command: Command) -> Command:
    """Adds what `invite` takes besides the configuration."""
    return _output(force_option(json_option(command)))

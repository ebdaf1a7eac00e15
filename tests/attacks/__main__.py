"""`make attacks`: every program that plays an attacker against real parties, and what it got.

An attack is a module of this folder with a function `attack(folder, seed) -> Outcome`; the folder is empty and private.
"""

import importlib
import logging
import os
import pkgutil
import sys
import tempfile
from pathlib import Path

import click

from party.output.tables import PrintedTable, worded
from party.output.terminal import print_lines, terminal_columns

SEEDS = (7, 8, 9)
FOLDER = Path(__file__).parent


def attack_modules():
    """The modules with an attack, by name."""
    names = sorted(one.name for one in pkgutil.iter_modules([str(FOLDER)]) if not one.name.startswith(("_", "test_")))
    modules = {name: importlib.import_module(f"tests.attacks.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "attack")}


@click.command()
@click.argument("names", nargs=-1)
@click.option("--seed", "seeds", type=int, multiple=True, default=SEEDS, show_default=True)
def main(names, seeds):
    """Runs the attacks of the given names, or all of them; exits with 1 where one of them succeeds."""
    modules = attack_modules()
    unknown = sorted(set(names) - set(modules))
    if unknown:
        raise click.UsageError(f"no attack is named {unknown[0]}; known are {', '.join(modules)}")
    rows, held = [], True
    for name in names or modules:
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                outcome = modules[name].attack(Path(folder), seed)
            held = held and outcome.held
            row = (name, str(seed), outcome.asset, outcome.before, outcome.now, "yes" if outcome.held else "NO")
            click.echo("  ".join(row), err=True)
            rows.append(row)
    columns = worded("attack", "seed", "after", "before", "now", "held")
    print_lines(PrintedTable(columns=columns, rows=tuple(rows)).lines(terminal_columns()))
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.disable(logging.WARNING)  # parties in this process say what they refuse; the outcome says it shorter
    sys.path.insert(0, str(FOLDER.parent))
    main()

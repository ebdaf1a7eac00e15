"""Writes the reference of the Python interface from its docstrings, as HTML; `make reference` runs it."""

from __future__ import annotations

from pathlib import Path

import click
import pdoc
import pdoc.render

import coordinator


def write_reference(folder: Path) -> Path:
    """Writes a page with every name of `coordinator.__all__`.

    Args:
        folder: output folder, created if it does not exist.

    Returns:
        The path of the page.
    """
    for name in coordinator.__all__:
        # The generator reads the module's attributes only, so the names that are imported on first use must be set.
        vars(coordinator)[name] = getattr(coordinator, name)
    pdoc.render.configure(docformat="google", show_source=False, search=False)
    pdoc.pdoc(coordinator.__name__, output_directory=folder)
    return folder / f"{coordinator.__name__}.html"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    """Write the pages into FOLDER."""
    click.echo(f"wrote {write_reference(folder)}")


if __name__ == "__main__":
    main()

"""A notebook as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat


def notebook_page(path: Path) -> str:
    """Writes the cells of a notebook as Markdown, with the notebook itself to download.

    Args:
        path: the notebook.

    Returns:
        Markdown: text as it stands, code in blocks.
    """
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    return "\n".join([*_cells(notebook), f'<a href="{path.name}" download>Download this notebook</a>', ""])


def _cells(notebook: nbformat.NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield from ("```python", cell.source, "```", "")
        else:
            yield from (cell.source, "")

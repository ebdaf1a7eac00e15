"""A notebook as a page."""

from __future__ import annotations

import json
from pathlib import Path


def notebook_page(path: Path) -> str:
    """Writes the cells of a notebook as Markdown, with the notebook itself to download.

    Args:
        path: the notebook, of format 4.

    Returns:
        Markdown: text as it stands, code in blocks.
    """
    lines: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        lines += ["```python", source, "```", ""] if cell["cell_type"] == "code" else [source, ""]
    return "\n".join([*lines, f'<a href="{path.name}" download>Download this notebook</a>', ""])

"""Where the files of the repository are on the site, and links between them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

DOCUMENTS = "docs/"
PROJECT_PAGES = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
}
OTHER_FILES = "files"
ADDRESS = re.compile(r"[a-z]+:")


def site_path(path: str) -> str:
    """Returns the place of a file of the repository among the sources of the site.

    Args:
        path: relative to the repository's root, with slashes.

    Returns:
        The path of a page, or of a plain text that a browser shows.
    """
    if path in PROJECT_PAGES:
        return PROJECT_PAGES[path]
    if path.startswith(DOCUMENTS):
        return re.sub(r"\.ipynb$", ".md", path.removeprefix(DOCUMENTS))
    return f"{OTHER_FILES}/{path}.txt"


def repository_path(page: str) -> str:
    """Returns the file of the repository that a page shows.

    Args:
        page: its place among the sources of the site.

    Returns:
        The path, relative to the repository's root.
    """
    shown = {place: path for path, place in PROJECT_PAGES.items()}
    return shown.get(page, DOCUMENTS + page)


def linked_file(target: str, page: str) -> str | None:
    """Returns the file that a link of a page leads to.

    Args:
        target: of the link, as in the repository.
        page: place of the page with the link among the sources of the site.

    Returns:
        The path relative to the repository's root; None for an address, and for a place on the same page.
    """
    path = target.partition("#")[0]
    if ADDRESS.match(target) or not path:
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(repository_path(page)), path))


def site_link(target: str, page: str) -> str:
    """Returns the target on the site of a link that a page has in the repository.

    Args:
        target: of the link, as in the repository.
        page: place of the page with the link among the sources of the site.

    Returns:
        The target, relative to the page.
    """
    path = linked_file(target, page)
    if path is None:
        return target
    _, mark, fragment = target.partition("#")
    return posixpath.relpath(site_path(path), posixpath.dirname(page) or ".") + mark + fragment


def is_other_file(path: str, root: Path) -> bool:
    """Says whether a link leads to a file that is not a page, such as a Dockerfile.

    Args:
        path: relative to the repository's root.
        root: of the repository.

    Returns:
        Whether it is such a file, and exists.
    """
    return site_path(path).startswith(f"{OTHER_FILES}/") and (root / path).is_file()

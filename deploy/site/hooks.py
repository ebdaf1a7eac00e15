"""What MkDocs calls while it builds the site: adds the pages that are made, and adapts those that are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from deploy.site.commands_page import commands_page
from deploy.site.markdown import for_the_site, link_targets
from deploy.site.notebook_page import notebook_page
from deploy.site.python_page import python_page
from deploy.site.repository import PROJECT_PAGES, is_other_file, linked_file, site_link, site_path

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

COMMANDS_PAGE = "reference/commands.md"
PYTHON_PAGE = "reference/python.md"
NOTEBOOK = ".ipynb"
TITLE = re.compile(r"^# (?P<title>.+)$", re.MULTILINE)
SEARCH_DIALOG = 'data-md-component="search" role="dialog"'


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the pages of commands, Python names, notebooks and the project, and the files that pages link to.

    Args:
        files: those of the folder of documents.
        config: of the site.

    Returns:
        The files, with the added ones.
    """
    root = Path(config.docs_dir).parent
    added = {COMMANDS_PAGE: commands_page(), PYTHON_PAGE: python_page()}
    added |= {place: (root / path).read_text(encoding="utf-8") for path, place in PROJECT_PAGES.items()}
    for file in files:
        if file.src_uri.endswith(NOTEBOOK):
            added[file.src_uri.removesuffix(NOTEBOOK) + ".md"] = notebook_page(Path(config.docs_dir) / file.src_uri)
    written = {file.src_uri: file.content_string for file in files.documentation_pages()}
    for page, text in (written | added).items():
        linked = {linked_file(target, page) for target in link_targets(text)}
        for path in sorted(path for path in linked if path is not None and is_other_file(path, root)):
            added[site_path(path)] = (root / path).read_text(encoding="utf-8")
    for place, content in added.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Adapts a page that was written for GitHub.

    Args:
        markdown: of the page.
        page: the page.
        config: of the site.
        files: of the site.

    Returns:
        The text that the generator shows.
    """
    place = page.file.src_uri

    def title_of(target: str) -> str | None:
        path = linked_file(target, place)
        linked = files.get_file_from_path(site_path(path)) if path else None
        title = TITLE.search(linked.content_string) if linked and linked.is_documentation_page() else None
        return title["title"] if title else None

    return for_the_site(markdown, lambda target: site_link(target, place), title_of)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Gives the theme's search dialog a name, without which a screen reader announces only "dialog".

    Args:
        output: HTML of a page.
        page: the page.
        config: of the site.

    Returns:
        The HTML.
    """
    return output.replace(SEARCH_DIALOG, f'{SEARCH_DIALOG} aria-label="Search"')

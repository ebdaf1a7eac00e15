"""A whole page: no scripts, no external resources, made to be read on a screen and to be printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from party.page.markup import Markup, element
from party.page.style import STYLE

# A browser loads, runs and sends nothing, whatever the texts hold; the last two do not follow from the first.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Section:
    """A part of a page with its own heading.

    Attributes:
        anchor: id of the section, by which the list of contents leads to it.
        title: of the heading.
        children: texts and markup.
    """

    anchor: str
    title: str
    children: tuple[str, ...]


def document(title: str, head: Sequence[str], sections: Sequence[Section], *, style: str = "") -> str:
    """A page.

    Args:
        title: of the page, also its only heading of the first level.
        head: texts and markup between the title and the list of contents.
        sections: with different anchors.
        style: rules of this kind of page, in CSS.
    """
    of_browser = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(f"{STYLE}\n{style}")),
    )
    links = (element("li", element("a", one.title, href=f"#{one.anchor}")) for one in sections)
    contents = element("nav", element("ul", *links), aria_label="Contents")
    main = element("main", element("h1", title), *head, contents, *map(_section, sections))
    return "<!DOCTYPE html>\n" + element("html", of_browser, element("body", main), lang="en") + "\n"


def _section(section: Section) -> Markup:
    heading = f"{section.anchor}-title"
    return element(
        "section",
        element("h2", section.title, id=heading),
        *section.children,
        id=section.anchor,
        aria_labelledby=heading,
    )

"""Text written for GitHub as the site's generator reads it."""

from __future__ import annotations

import re
from collections.abc import Callable

FENCE = re.compile(r"^(?P<indent> *)```.*?^(?P=indent)```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s]+)(?=\))")
NAMED_BY_FILE = re.compile(r"\[(?P<file>[\w./-]+\.md)\]\((?P<target>[^)\s]+)\)")
ITEM = re.compile(r"(?:[-*]|\d+\.) ")
INDENT_OF_ITEMS = 4  # spaces before a block within an item; GitHub takes fewer
CODE_WITH_BAR = re.compile(r"`[^`\n]*\\\|[^`\n]*`")


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Changes a text everywhere but in its blocks of code, which are indented as the generator needs it.

    Args:
        text: Markdown.
        change: maps a part of it to its replacement.

    Returns:
        The changed text.
    """
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), _indented(fence)]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def link_targets(text: str) -> list[str]:
    """Returns the targets of all links in a Markdown text, images included, in their order.

    Args:
        text: Markdown.

    Returns:
        Paths with their fragments, and addresses.
    """
    found: list[str] = []

    def collect(part: str) -> str:
        found.extend(link["target"] for link in LINK.finditer(part))
        return part

    outside_code(text, collect)
    return found


def for_the_site(text: str, target_of: Callable[[str], str], title_of: Callable[[str], str | None]) -> str:
    """Makes a text that GitHub shows well one that the generator shows in the same way.

    The generator takes a list only after an empty line, and shows the backslash of a bar within code in a table. Links
    that have the name of a file get the title of the page, which readers of the site see in its menu.

    Args:
        text: Markdown.
        target_of: maps a link's target to its target on the site.
        title_of: maps a link's target to the title of the page; None where it is no page.

    Returns:
        The text for the generator.
    """

    def change(part: str) -> str:
        named = NAMED_BY_FILE.sub(
            lambda link: f"[{title_of(link['target']) or link['file']}]({link['target']})",
            part,
        )
        linked = LINK.sub(lambda link: target_of(link["target"]), named)
        return CODE_WITH_BAR.sub(_code_as_html, _lists_apart(linked))

    return outside_code(text, change)


def _indented(fence: re.Match[str]) -> str:
    """Indents a block of code within an item as deep as the generator needs it."""
    given = fence["indent"]
    return re.sub(f"^{given}", " " * INDENT_OF_ITEMS, fence[0], flags=re.MULTILINE) if given else fence[0]


def _lists_apart(text: str) -> str:
    """Puts an empty line before each list that follows a line of text."""
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        within = before == "" or ITEM.match(before) or before.startswith(" ")
        if ITEM.match(line) and not within:
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _code_as_html(code: re.Match[str]) -> str:
    """Writes code in which a bar is escaped, as tables need it, without the backslash."""
    inner = code[0].strip("`").replace("&", "&amp;").replace("<", "&lt;").replace(r"\|", "&#124;")
    return f"<code>{inner}</code>"

"""Looks at a page in Chromium: what axe finds, what it loads, whether it fits and obeys the keyboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.browser import AT_REST, IN_SCHEME, Browser, Tab

WIDTHS_PIXELS = (400, 1280)
SCHEMES = ("light", "dark")
MOST_PIXELS = 12_000  # Chromium draws no higher image
SERIOUS = ("critical", "serious")
AXE = """(async () => {
  const found = await axe.run(document);
  return found.violations.map(({ impact, help, nodes }) =>
    ({ impact, help, count: nodes.length, example: nodes[0].html.slice(0, 120) }));
})()"""
SECONDS = 30
SEARCHED = "alignment"
SEARCHING = "document.activeElement.matches('.md-search__input')"
FOUND = "document.querySelectorAll('.md-search-result__item a').length > 0"
CHOSEN = "document.activeElement.matches('.md-search-result__item a')"


@dataclass(frozen=True)
class Look:
    """A page in one colour scheme at one width."""

    axe: Sequence[Mapping[str, object]]
    beyond_pixels: int
    elsewhere: Sequence[str]
    problems: Sequence[str]


@dataclass
class Examined:
    """A page in all schemes and widths; `keyboard` says what the keyboard cannot do, None where it is not tried."""

    name: str
    looks: dict[str, Look] = field(default_factory=dict)
    keyboard: list[str] | None = None

    def findings(self) -> dict[str, int]:
        """How much was found, by column of the table."""
        found = [one for look in self.looks.values() for one in look.axe]
        serious = sum(one["impact"] in SERIOUS for one in found)
        return {
            "axe serious": serious,
            "axe other": len(found) - serious,
            "px too wide": max(look.beyond_pixels for look in self.looks.values()),
            "other hosts": sum(len(look.elsewhere) for look in self.looks.values()),
            "errors": sum(len(look.problems) for look in self.looks.values()),
            "keyboard": len(self.keyboard or ()),
        }

    def details(self) -> list[str]:
        """A line for each finding."""
        lines = [f"keyboard: {one}" for one in self.keyboard or ()]
        for name, look in self.looks.items():
            lines += [f"{name}: {one['impact']}: {one['help']} ({one['count']}): {one['example']}" for one in look.axe]
            lines += [f"{name}: {one}" for one in (*look.elsewhere, *look.problems)]
            lines += [f"{name}: {look.beyond_pixels} px too wide"] if look.beyond_pixels else []
        return [f"{self.name} {line}" for line in lines]


@dataclass(frozen=True)
class Examiner:
    """Examines pages with one browser.

    Args:
        browser: to open them in.
        axe: the text of axe-core, a script.
        folder: for screenshots and PDFs.
    """

    browser: Browser
    axe: str
    folder: Path

    def report(self, page: Path) -> Examined:
        """Examines a report, a single file, and prints it as PDF."""
        examined = self._looked_at(page.stem, page.as_uri(), page.as_uri())
        with self.browser.tab(width=WIDTHS_PIXELS[-1]) as tab:
            tab.show(page.as_uri())
            tab.pdf(self.folder / f"{page.stem}.pdf")
        return examined

    def document(self, home: str, page: str) -> Examined:
        """Examines a page of the site, and what the keyboard does there."""
        examined = self._looked_at(page.replace("/", "-"), f"{home}{page}.html", home)
        examined.keyboard = []
        for width in WIDTHS_PIXELS:
            for problems in (skipping_problems, search_problems):
                with self.browser.tab(width=width) as tab:
                    tab.show(f"{home}{page}.html")
                    examined.keyboard += [f"{width} px: {one}" for one in problems(tab)]
        return examined

    def _looked_at(self, name: str, url: str, home: str) -> Examined:
        examined = Examined(name)
        for scheme in SCHEMES:
            for width in WIDTHS_PIXELS:
                with self.browser.tab(width=width, dark=scheme == "dark") as tab:
                    tab.show(url)
                    is_drawn = tab.await_true(IN_SCHEME[scheme], SECONDS) and tab.evaluate(AT_REST)
                    tab.screenshot(self.folder / f"{name}-{scheme}-{width}.png", most_height=MOST_PIXELS)
                    elsewhere = [one for one in tab.requests() if not one.startswith((home, "data:"))]
                    problems = [*tab.problems(), *([] if is_drawn else [f"is not {scheme}"])]
                    tab.evaluate(f"{self.axe}; true")
                    look = Look(tab.evaluate(AXE), tab.beyond_pixels(), elsewhere, problems)
                    examined.looks[f"{scheme} {width}"] = look
        return examined


def skipping_problems(tab: Tab) -> list[str]:
    """What is wrong with the link that leads past the menu.

    Args:
        tab: that shows a page of the site, untouched.
    """
    tab.press("Tab")
    if not tab.evaluate("document.activeElement.matches('.md-skip')"):
        return ["the first Tab does not reach the link that skips the menu"]
    tab.press("Enter")
    leads = tab.evaluate("location.hash.length > 1 && document.getElementById(location.hash.slice(1)) !== null")
    return [] if leads else ["the link that skips the menu leads nowhere"]


def search_problems(tab: Tab) -> list[str]:
    """What is wrong with a search from the first key to the page that was found.

    Args:
        tab: that shows a page of the site, untouched.
    """
    before = tab.evaluate("location.pathname")
    tab.press("/")
    if not tab.await_true(SEARCHING, SECONDS):
        return ["the key / does not lead to the search"]
    tab.type(SEARCHED)
    if not tab.await_true(FOUND, SECONDS):
        return [f"the search finds no {SEARCHED!r}"]
    tab.press("ArrowDown")
    if not tab.await_true(CHOSEN, SECONDS):
        return ["the arrows do not lead to what was found"]
    tab.press("Enter")
    if not tab.await_true(f"location.search.includes('h=') || location.pathname !== '{before}'", SECONDS):
        return ["Enter does not open what was found"]
    return []


def print_table(examined: Sequence[Examined]) -> int:
    """Prints a row for each page, the totals, and a line for each finding.

    Args:
        examined: at least one page.

    Returns:
        The number of findings.
    """
    names = list(examined[0].findings())
    totals = dict.fromkeys(names, 0)
    table = Table(*("page", "looks", *names))
    for one in examined:
        found = one.findings()
        totals = {name: totals[name] + found[name] for name in names}
        cells = {name: str(count) for name, count in found.items()}
        cells |= {} if one.keyboard is not None else {"keyboard": "-"}
        table.add_row(one.name, str(len(one.looks)), *cells.values())
    table.add_section()
    table.add_row("total", str(sum(len(one.looks) for one in examined)), *map(str, totals.values()))
    console = Console(width=120)
    console.print(table)
    for line in (line for one in examined for line in one.details()):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return sum(totals.values())

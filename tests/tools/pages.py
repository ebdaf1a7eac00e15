"""Makes every kind of report from a small federation, builds the documentation's site, and looks at both in Chromium.

Needs `chromium` on the path, and a folder `node_modules` with axe-core:

    npm install --prefix FOLDER axe-core
    python -m tests.tools.pages OUTPUT --modules FOLDER/node_modules
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.support.browser import Browser
from tests.support.site import build_site, served
from tests.tools.examination import Examiner, print_table
from tests.tools.report_pages import report_pages

SITE_PAGES = (
    *("index", "tutorial", "data-scientist", "operator", "security-officer", "configuration", "reference/commands"),
    *("reference/python", "security", "privacy", "benchmarks", "guides/natural-tables", "explanation/what-leaks"),
    *("notebooks/first-model", "project/readme"),
)


def main() -> None:
    """Writes pages, screenshots and PDFs to a folder, and prints what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--modules", type=Path, required=True, help="holds axe-core")
    given = parser.parse_args()
    folder = given.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    axe = (given.modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    built = build_site(folder / "site")
    if built.returncode:
        sys.exit(built.stderr)
    reports = report_pages(folder)
    with Browser() as browser, served(folder / "site") as home:
        examiner = Examiner(browser, axe, folder)
        examined = [examiner.report(page) for page in reports]
        examined += [examiner.document(home, page) for page in SITE_PAGES]
    sys.exit(1 if print_table(examined) else 0)


if __name__ == "__main__":
    main()

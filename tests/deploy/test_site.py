"""The documentation as a site, as `make site` builds it: strict, complete, and with nothing of another server."""

import re
from html import unescape

import click
import pytest

import coordinator
from coordinator.cli import main as coordinator_command
from deploy.site.commands_page import commands_page
from deploy.site.markdown import for_the_site, link_targets
from deploy.site.repository import linked_file, repository_path, site_link, site_path
from party.cli import main as party_command
from tests.support.browser import Browser, needs_chromium
from tests.support.documents import DOCUMENTS, ROOT
from tests.support.screenshots import expect_looks
from tests.support.site import build_site, served

LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=\"?([^\"\s>]+)")
BRIGHT = "<style>body {background: white}</style><p style='height: 300px; background: linear-gradient(red, blue)'>"
IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\"']?(https?:|//)[^)\"']*")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build_site(folder)
    assert done.returncode == 0, done.stderr  # a page outside of the menu, a link or an anchor that leads nowhere
    return folder


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


def text_of(path):
    return unescape(re.sub(r"<[^>]+>", "", path.read_text()))


def test_every_document_is_a_page_of_the_site(site):
    for path in DOCUMENTS:
        place = site_path(str(path.relative_to(ROOT)))
        assert (site / place).with_suffix(".html").is_file(), path


def test_a_page_loads_nothing_from_another_server(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    foreign = {one for page in pages for one in LOADED.findall(page.read_text()) if re.match(r"https?:|//", one)}
    assert foreign == set()
    for sheet in site.rglob("*.css"):
        assert IN_STYLES.findall(sheet.read_text()) == [], sheet


def test_links_out_of_the_folder_of_documents_lead_to_a_copy(site):
    assert (site / "files/deploy/compose.yaml.txt").read_text() == (ROOT / "deploy/compose.yaml").read_text()
    assert "../../README.md" not in (site / "explanation/what-leaks.html").read_text()
    assert "../project/readme.html#what-each-side" in (site / "explanation/what-leaks.html").read_text()


def test_every_command_and_option_is_listed(site):
    page = text_of(site / "reference/commands.html")
    for name, program in (("party", party_command), ("coordinator", coordinator_command)):
        for inner, command in program.commands.items():
            if not command.hidden:
                assert f"{name} {inner}" in page
                named = [one.opts[-1] for one in command.params if isinstance(one, click.Option) and not one.hidden]
                assert [one for one in named if one not in page] == []


def test_hidden_commands_are_not_listed():
    @click.group()
    def program():
        """A program."""

    program.add_command(click.Command("shown", help="Shows."))
    program.add_command(click.Command("concealed", help="Hides.", hidden=True))
    page = commands_page({"program": program})
    assert "### program shown" in page
    assert "concealed" not in page


def test_every_public_name_is_listed(site):
    page = (site / "reference/python.html").read_text()
    anchors = set(re.findall(r'id="([\w-]+)"', page))
    assert {name.lower() for name in coordinator.__all__} <= anchors
    assert "federationfit" in anchors
    assert "<li><strong>resume:</strong>" in page  # arguments are a list
    assert "&lt;" not in page  # defaults are named, no text of an object


def test_a_notebook_is_a_page_with_its_code_and_the_notebook_itself(site):
    page = text_of(site / "notebooks/first-model.html")
    assert "federation.align()" in page
    assert (site / "notebooks/first-model.ipynb").is_file()
    assert "own-model.html" in (site / "notebooks/first-model.html").read_text()


def test_links_name_pages_by_their_titles(site):
    shown = text_of(site / "operator.html")
    assert "operations.md" not in shown
    assert "Operations has the rest" in shown


def test_the_search_finds_text_of_pages_that_are_made(site):
    index = (site / "search/search_index.json").read_text()
    assert "reference/commands.html#party-serve" in index


@needs_chromium
@pytest.mark.parametrize("page", ["index", "tutorial", "security"])
def test_a_page_looks_as_it_should(site, browser, page):
    with served(site) as home:
        expect_looks(browser, f"{home}{page}.html", page, home)


@needs_chromium
def test_a_blank_page_and_one_that_is_too_wide_are_noticed(tmp_path, browser):
    scheme = "<meta name='color-scheme' content='light dark'><style>body {background: light-dark(white, black)}</style>"
    for name, content, noticed in (
        ("blank", "", "blank-light-1280.png: 1 colours"),
        ("wide", "<p style='width: 2000px'>text", "wide: wider than 1280 px"),
        ("broken", "<script>throw Error()</script>", "broken: ['Uncaught"),
        ("foreign", "<img src='http://127.0.0.1:9/none.png'>", "foreign: asks for"),
        ("squeezed", f"<table><td style='width: 1ch; word-break: break-all'>{'text' * 20}</table>", "a row is"),
        ("bright", BRIGHT, "bright: is not dark"),
    ):
        path = tmp_path / f"{name}.html"
        path.write_text(f"<!DOCTYPE html><title>{name}</title>{scheme}{content}")
        with pytest.raises(AssertionError, match=re.escape(noticed)):
            expect_looks(browser, path.as_uri(), name, path.as_uri(), folder=tmp_path)


def test_a_broken_link_and_a_page_outside_of_the_menu_fail_the_build(tmp_path):
    configuration = (ROOT / "mkdocs.yml").read_text()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[nowhere](other.md#none)\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    menu, found = "nav:\n  - Home: index.md\n", configuration.index("nav:\n  - Home")
    plain = configuration[:found].replace("hooks: [deploy/site/hooks.py]\n", "") + menu
    (tmp_path / "mkdocs.yml").write_text(plain)
    done = build_site(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    assert "does not contain an anchor '#none'" in done.stderr
    assert 'not included in the "nav"' in done.stderr


# Text that was written for GitHub


def same(target):
    return target


def no_title(target):
    return None


def test_lists_stand_apart_and_code_is_left_alone():
    text = "**Before**\n- one\n  more\n- two\n\n```sh\n- a\ntext\n- b\n```\n1. first\n"
    expected = "**Before**\n\n- one\n  more\n- two\n\n```sh\n- a\ntext\n- b\n```\n1. first\n"
    assert for_the_site(text, same, no_title) == expected


def test_code_within_an_item_is_indented_enough():
    text = "1. Write:\n\n   ```yaml\n   a: b\n   ```\n"
    assert for_the_site(text, same, no_title) == "1. Write:\n\n    ```yaml\n    a: b\n    ```\n"


def test_a_bar_within_code_loses_its_backslash():
    assert for_the_site(r"| `a\|b<c` | `d` |", same, no_title) == "| <code>a&#124;b&lt;c</code> | `d` |"


def test_links_are_found_and_replaced_outside_of_code():
    text = "[a](b.md#c) ![d](e.svg)\n```\n[f](g.md)\n```\n"
    assert link_targets(text) == ["b.md#c", "e.svg"]
    assert for_the_site(text, str.upper, no_title) == "[a](B.MD#C) ![d](E.SVG)\n```\n[f](g.md)\n```\n"


def test_a_link_with_the_name_of_a_file_gets_the_title_of_its_page():
    titles = {"b.md#c": "All of B"}
    text = "[b.md](b.md#c) [B](b.md#c) [none.md](none.md)\n```\n[b.md](b.md#c)\n```\n"
    expected = text.replace("[b.md](b.md#c) [B]", "[All of B](b.md#c) [B]")
    assert for_the_site(text, same, titles.get) == expected


@pytest.mark.parametrize(
    ("page", "target", "expected"),
    [
        ("privacy.md", "security.md#joins", "security.md#joins"),
        ("privacy.md", "#here", "#here"),
        ("privacy.md", "https://example.com/a.md", "https://example.com/a.md"),
        ("guides/own-model.md", "../notebooks/own-model.ipynb", "../notebooks/own-model.md"),
        ("guides/upgrade.md", "../../CHANGELOG.md", "../project/changelog.md"),
        ("operator.md", "../deploy/compose.yaml", "files/deploy/compose.yaml.txt"),
        ("project/readme.md", "docs/privacy.md#meters", "../privacy.md#meters"),
        ("project/readme.md", "LICENSE", "../files/LICENSE.txt"),
    ],
)
def test_where_a_link_leads_on_the_site(page, target, expected):
    assert site_link(target, page) == expected


def test_a_page_of_the_project_is_a_file_of_the_root():
    assert repository_path("project/readme.md") == "README.md"
    assert linked_file("docs/privacy.md", "project/readme.md") == "docs/privacy.md"
    assert linked_file("mailto:somebody@example.com", "project/readme.md") is None

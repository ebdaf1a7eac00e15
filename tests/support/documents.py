"""README.md, CONTRIBUTING.md, SECURITY.md and docs/ as text: headings, tables, blocks of code, links."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
OF_THE_ROOT = [README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
DOCUMENTS = [path for path in [*OF_THE_ROOT, *sorted((ROOT / "docs").rglob("*.md"))] if path.exists()]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

SHELL_LANGUAGES = ("sh", "bash", "console", "shell", "ini")
FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<content>.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
NAMED_YAML = re.compile(r"#\s*(?P<name>[\w./-]+\.yaml)\b")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


def fences(text, languages):
    return [match["content"] for match in FENCE.finditer(text) if match["language"] in languages]


def prose(text):
    """Returns the text without its code blocks."""
    return FENCE.sub("", text)


def inline_code(text):
    return INLINE.findall(prose(text))


def links(text):
    return LINK.findall(prose(text))


def headings(text):
    return [line.lstrip("#").strip() for line in prose(text).splitlines() if re.match(r"#+ ", line)]


def anchors(text):
    """Returns the anchors that GitHub gives to the headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}


def examples(path):
    """Returns the YAML blocks whose first line names a file, as (name, content)."""
    found = [(NAMED_YAML.match(block), block) for block in fences(path.read_text(), ("yaml", "yml"))]
    return [(Path(match["name"]).name, block) for match, block in found if match is not None]


def table(text, heading, first_column):
    """Returns the rows (lists of cells) of the table below a heading whose header begins with a word."""
    rows, current, within = [], "", False
    for line in prose(text).splitlines():
        if re.match(r"#+ ", line):
            current = line.lstrip("#").strip()
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        starts = bool(cells) and cells[0] == first_column and current == heading
        within = starts or (within and bool(cells))
        if within and not starts and set(cells[0]) != {"-"}:
            rows.append(cells)
    return rows


def code_lines(text):
    """Returns inline code, and the lines of shell blocks and systemd units."""
    blocks = [block.replace("\\\n", " ") for block in fences(text, SHELL_LANGUAGES)]
    return inline_code(text) + [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]


def words_of(line):
    """Returns the words of a command line without comments."""
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # no command line: an apostrophe in a comment, say
        return line.split()

"""Output in every encoding that a terminal or a pipe may have."""

import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.output.streams import ascii_form, make_printable

SIGNS = "– — × … ─ │ ┌ █ ‘a’ “b” → ≤ é ß 日 \udcff 🙂"
OUTPUTS = {  # what a process is told of its terminal, and the encoding that follows
    "UTF-8": ({"PYTHONIOENCODING": "utf-8"}, "utf-8"),
    "Windows in Western Europe": ({"PYTHONIOENCODING": "cp1252"}, "cp1252"),
    "the first IBM PC": ({"PYTHONIOENCODING": "cp437"}, "cp437"),
    "no locale": ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, "ascii"),
}
PROGRAM = f"""
import click, logging
from party.output.program import Program
@click.group(cls=Program)
def main(): pass
@main.command()
def signs():
    text = {SIGNS!a}
    click.echo(text)
    print(text, flush=True)
    click.echo(text, err=True)
    logging.warning(text)
main()
"""


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_program_prints_every_sign_in_every_encoding(name):
    told, encoding = OUTPUTS[name]
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, "signs"], env=kept | told, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for written in (done.stdout, done.stderr):
        first, second = (line.removeprefix("WARNING:root:") for line in written.decode(encoding).splitlines())
        assert first == second
        assert "\\u" not in first
    if encoding == "ascii":
        assert first == "- - x ... - | + # 'a' \"b\" -> <= e ? ? ? ?"


@given(st.text())
def test_the_form_in_ascii_is_ascii_and_leaves_ascii_alone(text):
    form = ascii_form(text)
    assert form.isascii()
    assert ascii_form(form) == form
    assert not text.isascii() or form == text


@given(st.text(), st.sampled_from(["ascii", "cp437", "cp1252", "latin-1", "utf-8", "koi8-r", "shift_jis"]))
def test_no_text_raises_and_what_the_encoding_has_stays(text, encoding):
    content = BytesIO()
    stream = TextIOWrapper(content, encoding=encoding, newline="")
    make_printable([stream])
    click.echo(text, file=stream, nl=False)
    stream.flush()
    try:
        assert content.getvalue() == text.encode(encoding)
    except UnicodeEncodeError:
        content.getvalue().decode(encoding)

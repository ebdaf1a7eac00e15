"""What `coordinator` writes to terminals and pipes of any width and encoding; no party answers."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.live_terminal import run_on_terminal
from tests.support.organisations import Organisations

ESCAPE = "\x1b"
PLAIN_C = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
UNREACHED = 5  # exit code of a party that cannot be reached


@pytest.fixture(scope="module")
def absent(tmp_path_factory):
    """The run's file of parties that nobody has started."""
    folder = tmp_path_factory.mktemp("größe")
    folder.chmod(0o700)
    organisations = Organisations(folder)
    return organisations.write_run(ports={"alice": 1, "bob": 1})


def piped(*arguments, **environment):
    command = [sys.executable, "-m", "coordinator", *map(str, arguments)]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, env=variables, timeout=120, check=False)


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_wider_than_the_terminal(absent, columns):
    shown = run_on_terminal("coordinator", "status", "--config", absent, columns=columns)
    assert shown.returncode == UNREACHED
    assert ESCAPE not in shown.text
    paths = [line for line in shown.lines if str(absent.parent) in line]  # stays whole, so that it can be copied
    assert [line for line in shown.lines if len(line) > columns] == [line for line in paths if len(line) > columns]
    text = " ".join(" ".join(shown.lines).split())
    assert text.count("cannot be reached: the connection is refused") == 2
    assert "error: 2 of 2 parties do not answer as they should: alice, bob; see the lines above" in text


@pytest.mark.parametrize(
    ("encoding", "environment", "folder"),
    [
        ("cp1252", {"PYTHONIOENCODING": "cp1252"}, "größe"),
        ("cp437", {"PYTHONIOENCODING": "cp437", "NO_COLOR": "1"}, "größe"),
        ("ascii", {"PYTHONIOENCODING": "ascii", "TERM": "dumb"}, "gro?e"),
        ("ascii", PLAIN_C, "gr????e"),
    ],
)
def test_no_encoding_ends_a_command(absent, encoding, environment, folder):
    done = piped("status", "--config", absent, **environment)
    assert done.returncode == UNREACHED
    text = done.stdout.decode(encoding)
    assert folder in text
    assert ESCAPE not in text
    assert len(done.stderr.decode(encoding).splitlines()) == 1


def test_the_document_has_the_facts_of_the_lines(absent):
    lines = piped("status", "--config", absent)
    done = piped("status", "--json", "--config", absent)
    assert (done.returncode, done.stderr) == (lines.returncode, lines.stderr)
    document = json.loads(done.stdout)
    assert [one["party"] for one in document["parties"]] == ["alice", "bob"]
    printed = lines.stdout.decode()
    for one in document["parties"]:
        assert one["exit_code"] == UNREACHED
        assert one["problem"] in printed
    assert document["folder"] in printed

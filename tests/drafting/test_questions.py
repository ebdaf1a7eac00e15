"""`init` and `accept` as somebody types them: questions on a terminal, none elsewhere, and nothing replaced unasked."""

import os
import pty
import subprocess
import sys

import pytest
import yaml

from party.errors import INTERRUPTED_EXIT_CODE, ConfigurationError, DataError, IdentityError
from tests.support.commands import expect_error

END_OF_INPUT = "\x04"  # what a terminal takes Ctrl-D for
ROWS = "customer,age,clicked\n" + "".join(f"c{one},{20 + one % 31},{one % 2}\n" for one in range(40))
NEW = ("init", "--name", "alice", "--data", "train.csv", "--address", "127.0.0.1:50051")


def run(folder, *arguments, module="party"):
    """Runs a command where nobody can be asked."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def answer(folder, *arguments, answers):
    """Runs `party` at a terminal at which somebody has typed the answers."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, "".join(f"{one}\n" for one in answers).encode())
        command = [sys.executable, "-m", "party", *arguments]
        return subprocess.run(
            command, cwd=folder, stdin=theirs, capture_output=True, text=True, timeout=120, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A party that was made by flags, and the invitation of another one."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "train.csv").write_text(ROWS)
    done = run(folder, *NEW, "--id", "customer", "--schema")
    assert (done.returncode, done.stderr) == (0, "")
    other = folder / "other"
    other.mkdir()
    (other / "train.csv").write_text(ROWS)
    done = run(other, "init", "--name", "bob", "--data", "train.csv", "--label", "clicked", "--address", "b:1", "--yes")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_schema_is_named_where_it_was_written(home):
    first = (home / "alice.yaml").read_text().partition("\n")[0]
    assert first == "# yaml-language-server: $schema=alice.schema.json"
    assert (home / "alice.schema.json").exists()
    assert "yaml-language-server" not in (home / "other" / "bob.yaml").read_text()


def test_what_was_not_given_is_asked_at_a_terminal(home, tmp_path):
    (tmp_path / "train.csv").write_text(ROWS)
    done = answer(tmp_path, "init", "--data", "train.csv", answers=["carol", "carol.example:50051", "", "clicked"])
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "carol.yaml").read_text())
    assert (written["party"], written["label_party"], written["listen"]) == ("carol", "carol", "0.0.0.0:50051")
    assert written["data"]["id"] == "customer"
    assert written["data"]["labels"] == {"clicked": {"rule": "clicked == 1"}}
    assert 'address: "carol.example:50051"' in (tmp_path / "carol.invitation").read_text()


def test_nothing_is_asked_or_replaced_elsewhere(home):
    before = (home / "alice.yaml").read_bytes(), (home / "certs" / "alice" / "alice.pem").read_bytes()
    expect_error(run(home, *NEW, "--output", "new.yaml", "--force"), ConfigurationError.exit_code, "--id is missing")
    expect_error(run(home, *NEW, "--id", "customer"), ConfigurationError.exit_code, "exist already", "--force")
    assert ((home / "alice.yaml").read_bytes(), (home / "certs" / "alice" / "alice.pem").read_bytes()) == before
    expect_error(run(home, *NEW, "--id", "age", "--force"), DataError.exit_code, "not unique")
    done = run(home, *NEW, "--id", "customer", "--force")
    assert "kept certificate" in done.stdout
    assert (home / "certs" / "alice" / "alice.pem").read_bytes() == before[1]


@pytest.mark.parametrize("typed", [(), ("carol",)])
def test_no_more_answers_end_the_command_without_a_file(home, tmp_path, typed):
    (tmp_path / "train.csv").write_text(ROWS)
    done = answer(tmp_path, "init", "--data", "train.csv", answers=[*typed, END_OF_INPUT])
    assert (done.returncode, done.stderr.strip()) == (INTERRUPTED_EXIT_CODE, "interrupted")
    assert [one.name for one in tmp_path.iterdir()] == ["train.csv"]


def test_an_option_names_the_column_that_the_file_lacks(home):
    expect_error(run(home, *NEW, "--id", "Customer", "--force"), 2, "--id", "column Customer", "did you mean customer?")
    taken = (*NEW, "--id", "customer", "--force")
    expect_error(run(home, *taken, "--label", "bought > 3"), 2, "--label", "column bought, which train lacks")
    expect_error(run(home, *taken, "--leave-out", "Age"), 2, "--leave-out", "did you mean age?")


def test_somebody_at_the_terminal_confirms_a_fingerprint(home):
    arguments = ("accept", "--config", "alice.yaml", "other/bob.invitation")
    expect_error(run(home, *arguments), IdentityError.exit_code, "nobody has confirmed")
    refused = answer(home, *arguments, answers=["n"])
    assert refused.returncode == IdentityError.exit_code
    assert yaml.safe_load((home / "alice.yaml").read_text())["peers"] == []
    accepted = answer(home, *arguments, answers=["y"])
    assert accepted.returncode == 0, accepted.stderr
    assert "Does bob read this very fingerprint to you" in accepted.stdout
    assert [one["name"] for one in yaml.safe_load((home / "alice.yaml").read_text())["peers"]] == ["bob"]

"""What `party` prints on terminals of any width, in a pipe, and in encodings that lack letters: laws, not pictures."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from party.output.terminal import text_columns
from tests.support.json_keys import documented_keys, undocumented
from tests.support.organisations import Organisations
from tests.support.terminals import WIDTHS, on_terminal

LONG = "a_rather_long_name_of_a_numeric_column_of_the_warehouse"
NAMES = (LONG, "naïve größe – ×", "日本語の列", "plain")
ROWS = 40
# As the commands do it, but for the model, whose library takes long to load.
SCREENS = """
import sys
from pathlib import Path
from party.check import print_check
from party.cli import main
path = sys.argv[1]
for arguments in (["--help"], ["ledger", "--help"], ["runs", "--config", path], ["data", "--config", path]):
    main(arguments, standalone_mode=False)
print_check(Path(path))
main(["runs", "--config", "/a/path/that/is/absent/" + "nowhere/" * 10 + "alice.yaml"])
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The file of a party with columns of long and foreign names."""
    folder = tmp_path_factory.mktemp("screens")
    folder.chmod(0o700)
    ids = {"ID": [f"r{number}" for number in range(ROWS)]}
    numbers = [str(number * 1000 if number % 7 else "") for number in range(ROWS)]
    alice = pd.DataFrame(ids | dict.fromkeys(NAMES, numbers))
    bob = pd.DataFrame(ids | {"item": ["i"] * ROWS, "rating": ["5", "1"] * (ROWS // 2)})
    features = {
        "alice": [{"column": name, "kind": "numeric"} for name in NAMES],
        "bob": [{"column": "item", "kind": "vocabulary"}],
    }
    frames = {"alice": {"train": alice}, "bob": {"train": bob}}
    return Organisations(folder / "made", features=features, frames=frames).party_path("alice")


def piped(program, *arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "PYTHONIOENCODING")}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=kept | environment, check=False)


@pytest.fixture(scope="module")
def whole(path):
    """What a pipe gets in UTF-8."""
    done = piped(SCREENS, path, PYTHONIOENCODING="utf-8")
    assert done.returncode == 2, done.stderr.decode()
    return done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_line_is_wider_than_the_terminal_but_for_one_word(path, whole, columns):
    code, lines = on_terminal(columns, SCREENS, path, PYTHONIOENCODING="utf-8")
    assert code == 2, lines
    wide = [line for line in lines if text_columns(line) > columns]
    assert [line for line in wide if len(line.split()) > 1] == []
    assert not any("\x1b" in line for line in lines)
    shown = "".join("".join(lines).split())
    for name in NAMES:
        assert "".join(name.split()) in shown, "no name is cut"
    if columns == max(WIDTHS):
        assert [line for line in whole[0] if text_columns(line) <= columns and line not in lines] == []


def test_a_pipe_gets_one_line_for_each_row_and_error(whole):
    printed, errors = whole
    for name in NAMES:
        assert sum(line.startswith(f"  {name}  ") for line in printed) == 3, "features, cells and numbers"
    assert [line.partition(" ")[0] for line in errors] == ["error:"]
    assert not any("\x1b" in line for line in printed)


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_no_encoding_ends_a_command(path, whole, encoding):
    done = piped(SCREENS, path, PYTHONIOENCODING=encoding)
    assert done.returncode == 2, done.stderr.decode(encoding)
    lines = done.stdout.decode(encoding).splitlines()
    assert len(lines) == len(whole[0])
    assert not any("\\u" in line for line in lines)
    assert sum(line.startswith("  na") and "ve gr" in line for line in lines) == 3


def test_the_document_has_the_facts_of_the_lines(path, whole):
    program = "import sys; from pathlib import Path; from party.check import print_check; "
    done = piped(program + "print_check(Path(sys.argv[1]), as_json=True)", path, PYTHONIOENCODING="cp437")
    document = json.loads(done.stdout)
    assert undocumented(document, documented_keys()["party check"]) == []
    (dataset,) = document["datasets"]
    assert [one["name"] for one in dataset["features"]] == list(NAMES) == document["columns"]
    printed = whole[0]
    assert f"train: train.csv, {dataset['rows']} rows" in printed
    for one in dataset["features"]:
        counts = [str(one[key]) for key in ("vocabulary_size", "values_per_row", "missing")]
        (row,) = [line for line in printed if line.startswith(f"  {one['name']}  ") and f" {one['type']} " in line]
        assert row.split()[-3:] == counts
    warnings = [line.removeprefix("warning: ") for line in printed if line.startswith("warning: ")]
    assert warnings == [*document["warnings"], *dataset["warnings"]]

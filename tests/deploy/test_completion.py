"""The shells' completion of both commands: the printed script asks the command, and the command answers."""

import os
import subprocess
import sys

import pytest

SCRIPT = "import sys; from {name}.cli import main; main(prog_name={name!r})"


def run(name, *arguments, **environment):
    command = [sys.executable, "-c", SCRIPT.format(name=name), *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.parametrize("name", ["party", "coordinator"])
def test_a_shell_gets_the_commands_that_begin_as_typed(name):
    variable = f"_{name.upper()}_COMPLETE"
    script = run(name, "completion", "bash")
    assert f"{variable}=bash_complete" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    asked = {variable: "bash_complete", "COMP_WORDS": f"{name} acc", "COMP_CWORD": "1"}
    assert run(name, **asked).split() == ["plain,accept"]

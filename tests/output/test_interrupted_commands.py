"""Ctrl-C ends every command with one line and its own exit code, at whatever stage it comes."""

import os
import signal
import subprocess
import sys

import pytest

from party.errors import INTERRUPTED_EXIT_CODE

WAIT_SECONDS = 120
COMMANDS = [("party", "check"), ("coordinator", "status")]
EXPECTED = (INTERRUPTED_EXIT_CODE, "", "interrupted\n")


def start(module, *arguments, **environment):
    # Whatever started the tests may ignore SIGINT, which the command would inherit.
    command = ["env", "--default-signal=INT", sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def ended(process):
    output, errors = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, output, errors


@pytest.mark.parametrize(("module", "command"), COMMANDS)
def test_an_interrupted_command_says_so(tmp_path, module, command):
    pipe = tmp_path / "waiting.yaml"
    os.mkfifo(pipe)
    process = start(module, command, "--config", str(pipe))
    with pipe.open("w"):  # returns once the command reads its file, which has no end
        process.send_signal(signal.SIGINT)
        assert ended(process) == EXPECTED


@pytest.mark.parametrize(("module", "command"), COMMANDS)
def test_an_interrupt_while_a_command_is_loaded_shows_no_traceback(tmp_path, module, command):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    assert ended(start(module, command, PYTHONPATH=path)) == EXPECTED

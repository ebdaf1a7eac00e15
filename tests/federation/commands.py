"""Runs commands as a person does, and reads the one line that an error is."""

import subprocess
import sys


def run_party(*arguments, timeout=120):
    """Runs the command `party` in a process of its own."""
    command = [sys.executable, "-m", "party", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def start_coordinator(organisations, *arguments):
    """Starts the command `coordinator`, its output a pipe."""
    command = [sys.executable, "-m", "coordinator", *arguments, "--config", str(organisations.folder / "run.yaml")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def await_line(process, text):
    """Reads a process's output up to a line with a text."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError(f"{text!r} never came: {''.join(lines)}{process.stderr.read()}")


def expect_error(done, exit_code, *parts):
    """One line for a person, the exit code of its class, and no traceback."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]
    assert done.returncode == exit_code, done.stderr
    return lines[0]

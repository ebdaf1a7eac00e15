"""Runs the commands in processes of their own, and checks their errors."""

import subprocess
import sys


def run_party(*arguments, timeout=120):
    """Runs the command `party` in a process of its own."""
    command = [sys.executable, "-m", "party", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def start_coordinator(organisations, *arguments):
    """Starts the command `coordinator`, with pipes for its output."""
    command = [sys.executable, "-m", "coordinator", *arguments, "--config", str(organisations.run_path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def await_line(process, text):
    """Reads the output of a process up to a line that contains a text; returns the line."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError(f"{text!r} never came: {''.join(lines)}{process.stderr.read()}")


def expect_error(done, exit_code, *parts):
    """Checks that a command printed one line with these parts, and ended with this exit code."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]
    assert done.returncode == exit_code, done.stderr
    return lines[0]

"""Commands on a pseudo terminal: what is written to it, and what it then shows."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading

ROWS = 50


class Terminal:
    """What was written to a pseudo terminal.

    Attributes:
        text: all of it.
        returncode: of the process.
        stdout: what it wrote to a pipe, where only its standard error was the terminal.
    """

    def __init__(self, text, returncode, stdout):
        self.text = text
        self.returncode = returncode
        self.stdout = stdout

    @property
    def lines(self):
        """What the terminal shows: a carriage return goes back to the begin of the line, which is written over."""
        shown = []
        for line in self.text.replace("\r\n", "\n").split("\n"):
            cells = []
            for part in line.split("\r"):
                cells[: len(part)] = part
            shown.append("".join(cells).rstrip())
        return shown

    @property
    def drawn(self):
        """Every state that a line of the terminal had."""
        return [part.rstrip() for line in self.text.replace("\r\n", "\n").split("\n") for part in line.split("\r")]


def run_on_terminal(module, *arguments, columns, piped=False, environment=None, timeout=120):
    """Runs a command in a process of its own whose output is a terminal.

    Args:
        module: to run.
        arguments: of the command.
        columns: of the terminal.
        piped: whether standard output is a pipe, and standard error alone the terminal.
        environment: variables to set.
        timeout: in seconds.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    variables = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
    for name in ("COLUMNS", "LINES"):
        variables.pop(name, None)
    written = []
    reading = threading.Thread(target=_read, args=(ours, written))
    command = [sys.executable, "-m", module, *map(str, arguments)]
    output = subprocess.PIPE if piped else theirs
    with subprocess.Popen(command, stdin=theirs, stdout=output, stderr=theirs, env=variables) as process:
        os.close(theirs)
        reading.start()
        try:
            stdout, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
            reading.join()
            os.close(ours)
    text = b"".join(written).decode(errors="replace")
    return Terminal(text, process.returncode, (stdout or b"").decode())


def _read(ours, written):
    """Reads until nobody has the other side open."""
    while True:
        try:
            read = os.read(ours, 1 << 16)
        except OSError:
            return
        if not read:
            return
        written.append(read)

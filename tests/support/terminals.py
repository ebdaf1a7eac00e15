"""A program on a terminal of any width, as a person would see it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

WIDTHS = (40, 80, 200)


def on_terminal(columns, program, *arguments, **environment):
    """Runs a Python program whose standard streams are a terminal.

    Args:
        columns: of the terminal.
        program: its source.
        arguments: of the program.
        environment: variables that differ from those of this process.

    Returns:
        The exit code, and the lines that it wrote.
    """
    inner, outer = pty.openpty()
    fcntl.ioctl(outer, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=outer, stdout=outer, stderr=outer, env=kept | {"TERM": "xterm-256color"} | environment
    ) as process:
        os.close(outer)
        content = b"".join(_read(inner))
    os.close(inner)
    return process.returncode, content.decode().replace("\r\n", "\n").splitlines()


def _read(descriptor):
    while True:
        try:
            content = os.read(descriptor, 1 << 16)
        except OSError:  # the other end is closed
            return
        if not content:
            return
        yield content

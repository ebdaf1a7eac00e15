"""Somebody who types the commands of a page in shells, and answers what the commands ask."""

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.documents import FENCE, ROOT

MOST_SECONDS = 280
PROGRAMS = Path(sys.executable).parent
INSTALLING = re.compile(r"(python3 -m venv \S+|\. \S+/bin/activate|pip install .*)$")
QUESTION = re.compile(r"(?P<text>[^\n]*): $")
ABOUT_A_FINGERPRINT = re.compile(r"Does (\w+) read this very fingerprint to you: (.+)\? \[y/N\]$")
TOLD = re.compile(r"^fingerprint +(.+)$", re.MULTILINE)


def blocks(text):
    """The blocks of code of a page in their order, as (language, content)."""
    return [(match["language"], match["content"]) for match in FENCE.finditer(text)]


def section(text, heading):
    """What is below a heading of the second level, up to the next one."""
    return re.split(r"^## ", text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@dataclass
class TypingPerson:
    """One who plays every organisation of a page.

    `replaced` are texts of the page with what stands for them on this machine: ports may be taken here. `told` are the
    fingerprints that the organisations have read out, by the name of each. `typed` are the commands with what they
    printed.
    """

    folder: Path
    replaced: dict
    told: dict = field(default_factory=dict)
    typed: list = field(default_factory=list)
    serving: list = field(default_factory=list)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.serving:
            process.kill()
            process.wait()
            process.stdout.close()

    def type_block(self, block):
        """Types the commands of a block of code, one after the other."""
        for line in block.replace("\\\n", " ").splitlines():
            command = line.partition(" #")[0].strip()
            if command and not command.startswith("#"):
                self.type(command)

    def type(self, command):
        """Types a command; what it printed. One that serves is left running, and an installation is not repeated."""
        if INSTALLING.match(command):
            self.typed.append((command, ""))
            return ""
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return ""
        for text, here in self.replaced.items():
            command = command.replace(text, here)
        if command.startswith("party serve "):
            self._serve(command)
            return ""
        printed = self._run(command)
        self.typed.append((command, printed))
        name = re.search(r"(?:--name (\w+)|(coordinator) init)", command)
        if name:
            self.told[name[1] or name[2]] = TOLD.findall(printed)[-1]
        return printed

    def interrupt(self):
        """Presses Ctrl-C where something is served; returns the exit codes."""
        for process in self.serving:
            process.send_signal(signal.SIGINT)
        return [process.wait(timeout=MOST_SECONDS) for process in self.serving]

    def printed(self, beginning):
        """What the last command that begins so has printed."""
        return [printed for command, printed in self.typed if command.startswith(beginning)][-1]

    def _run(self, command):
        """Runs a command at a terminal, and answers its questions."""
        ours, terminal = pty.openpty()
        process = self._start(command, terminal)
        os.close(terminal)
        printed = ""
        with process.stdout:
            while chunk := os.read(process.stdout.fileno(), 1 << 16):
                printed += chunk.decode()
                if asked := QUESTION.search(printed):
                    with suppress(OSError):  # it has ended, and that was no question
                        os.write(ours, self._answer(asked["text"]).encode() + b"\n")
                    printed += "\n"  # as the terminal shows it
        code = process.wait(timeout=MOST_SECONDS)
        os.close(ours)
        assert code == 0, f"{command}: exit code {code}\n{printed}"
        return printed

    def _answer(self, question):
        """Yes where a fingerprint is the one that was read out; whatever is proposed otherwise."""
        about = ABOUT_A_FINGERPRINT.search(question)
        if about is None:
            return ""
        return "y" if self.told[about[1]] == about[2] else "n"

    def _serve(self, command):
        process = self._start(command, subprocess.DEVNULL)
        self.serving.append(process)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if b" is ready on " in line:
                break
        else:
            raise AssertionError(f"{command}: {b''.join(lines).decode()}")
        self.typed.append((command, b"".join(lines).decode()))

    def _start(self, command, stdin):
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_proxy")}
        environment |= {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}" if command.startswith("party serve ") else command],
            cwd=self.folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )

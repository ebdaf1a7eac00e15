"""Processes that a test kills at random instants: forks of one that has imported everything."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_TURNS = 20_000  # of an empty loop between the last line and the kill, which takes about as long as a line


def say(*words):
    """Writes a line in one call, so that a kill leaves all of it or nothing."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def fork_on_demand(work):
    """Forks for each line that it reads; the fork does its work, given its number, until it is killed."""
    for number, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            work(number)
        say("started", child)
        os.waitpid(child, 0)
        say("ended")


class Forks:
    """The process that forks, as a context manager.

    Args:
        module: dotted name of a module that calls `fork_on_demand`.
        arguments: of its command line.
    """

    def __init__(self, module, *arguments):
        command = [sys.executable, "-m", module, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self._child = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def kill_one(self, generator, lines):
        """Starts a fork, hears some of its lines, and kills it wherever it then is; returns the words of each line."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        heard = []
        while self._child is None or len(heard) < lines:
            words = self._words()
            if words[0] == "started":
                self._child = int(words[1])
            elif words == ["ended"]:
                self._child = None
                raise AssertionError("the fork ended by itself")
            else:
                heard.append(words)
        for _ in range(generator.randrange(MOST_TURNS)):
            pass
        os.kill(self._child, signal.SIGKILL)
        self._child = None
        while (words := self._words()) != ["ended"]:
            heard.append(words)
        return heard

    def _words(self):
        words = self._process.stdout.readline().split()
        if not words:
            raise AssertionError("the process that forks has ended")
        return words

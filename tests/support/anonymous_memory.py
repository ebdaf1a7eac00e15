"""The most memory that a process holds and that no file backs."""

import re
import threading
from pathlib import Path

SAMPLE_SECONDS = 0.002
BYTES_PER_KIB = 1024


def anonymous_bytes():
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * BYTES_PER_KIB


class AnonymousPeak:
    """Samples this process while a block runs.

    Attributes:
        growth: the most at any time, beyond what there was at the beginning.
    """

    def __enter__(self):
        self.growth, self._before, self._ended = 0, anonymous_bytes(), threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._thread.join()

    def _sample(self):
        while not self._ended.wait(SAMPLE_SECONDS):
            self.growth = max(self.growth, anonymous_bytes() - self._before)

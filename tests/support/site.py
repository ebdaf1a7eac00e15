"""The documentation's site, built by the command of `make site` and served on loopback as a web server would."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tests.support.documents import ROOT


def build_site(folder, configuration=ROOT / "mkdocs.yml"):
    """Builds the site to a folder; returns the process, which has ended."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", configuration]
    command += ["--site-dir", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


@contextmanager
def served(folder):
    """Serves the files of a folder; gives the address, which ends with a slash."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Logs no request."""

    def log_message(self, format, *arguments):
        """Does nothing."""

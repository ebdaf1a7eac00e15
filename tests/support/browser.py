"""Chromium without a window, over the pipe of its DevTools protocol: what a page looks like, and what it does."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = "chromium"
MOST_SECONDS = 60  # bounds a failure: nothing takes so long
CHUNK_BYTES = 1 << 20
# Chromium reads commands from descriptor 3 and writes replies to descriptor 4; a shell puts the pipes there.
AT_ITS_DESCRIPTORS = 'commands=$1; replies=$2; shift 2; exec "$@" 3<"/dev/fd/$commands" 4>"/dev/fd/$replies"'
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"),
    *("--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe"),
)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40}
TEXTS = {"Enter": "\r"}
AT_REST = """(async () => {
  await document.fonts.ready;
  await new Promise(requestAnimationFrame);
  await Promise.allSettled(document.getAnimations().map((one) => one.finished));
  return true;
})()"""
IN_SCHEME = {  # the background by its red, which the pages have little of in the dark
    scheme: f"parseInt(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]) {relation} 128"
    for scheme, relation in (("light", ">"), ("dark", "<"))
}

needs_chromium = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")


class BrowserError(Exception):
    """Chromium refused a command, a script of the page failed, or nothing came in time."""


class Browser:
    """One process of Chromium with a new profile."""

    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_read, self._commands = os.pipe()
        self._replies, to_write = os.pipe()
        command = ["sh", "-c", AT_ITS_DESCRIPTORS, "sh", str(to_read), str(to_write), shutil.which(PROGRAM), *OPTIONS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._rest = 0, b""
        self._answers, self.events = {}, defaultdict(list)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        try:
            self.call("Browser.close")
            self._process.wait(timeout=MOST_SECONDS)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            os.close(self._commands)
            os.close(self._replies)
            self._profile.cleanup()

    def call(self, method, session=None, **parameters):
        """Sends a command and returns its result; what happens meanwhile is added to `events`, by session."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        number, deadline = self._number, time.monotonic() + MOST_SECONDS
        while number not in self._answers:
            self._receive(deadline)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        return answer["result"]

    def await_event(self, session, method):
        """Waits until an event has come; it and those before it are returned."""
        deadline = time.monotonic() + MOST_SECONDS
        while method not in [one["method"] for one in self.events[session]]:
            self._receive(deadline)
        return self.events[session]

    @contextmanager
    def tab(self, *, width, height=900, dark=False):
        """Opens an empty tab, as wide as asked also below the least width of a window."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, width, height)
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        tab.call("Emulation.setFocusEmulationEnabled", enabled=True)  # without a window nothing has the focus
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        try:
            yield tab
        finally:
            self.call("Target.closeTarget", targetId=target)

    def _receive(self, deadline):
        ready, _, _ = select.select([self._replies], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(self._replies, CHUNK_BYTES) if ready else b""
        if not chunk:
            raise BrowserError(f"nothing came within {MOST_SECONDS} s, or {PROGRAM} has ended")
        *whole, self._rest = (self._rest + chunk).split(b"\0")
        for message in map(json.loads, whole):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self.events[message.get("sessionId")].append(message)


class Tab:
    """A page in a browser."""

    def __init__(self, browser, session, width, height):
        self._browser, self._session, self.width = browser, session, width
        self._resize(width, height)

    def _resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def call(self, method, **parameters):
        """Sends a command for this tab and returns its result."""
        return self._browser.call(method, self._session, **parameters)

    def show(self, url):
        """Opens a page and waits until it has loaded and nothing of it moves any more."""
        self._browser.events[self._session].clear()
        self.call("Page.navigate", url=url)
        self._browser.await_event(self._session, "Page.loadEventFired")
        self.evaluate(AT_REST)

    def evaluate(self, script):
        """The value of a script in the page, awaited where it is a promise."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise BrowserError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def await_true(self, condition, seconds=MOST_SECONDS):
        """Waits until an expression is true in the page; whether it was in time."""
        return self.evaluate(
            f"""new Promise((resolve) => {{
                const late = setTimeout(() => resolve(false), {1000 * seconds});
                const look = () => ({condition}) ? (clearTimeout(late), resolve(true)) : setTimeout(look, 20);
                look();
            }})"""
        )

    def press(self, key):
        """Presses a key, of KEYS or of one character, and lets go of it."""
        text = TEXTS.get(key, "" if key in KEYS else key)
        code = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper()))}
        kind = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=kind, **code, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def type(self, text):
        """Enters a text where the focus is."""
        self.call("Input.insertText", text=text)

    def beyond_pixels(self):
        """By how many pixels the page is wider than the window."""
        return self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def requests(self):
        """The addresses that the page has asked for since it was opened."""
        events = self._browser.events[self._session]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    def problems(self):
        """What the console shows as an error: of scripts, of resources that failed."""
        found = []
        for one in self._browser.events[self._session]:
            given = one["params"]
            if one["method"] == "Runtime.exceptionThrown":
                found.append(given["exceptionDetails"]["text"])
            elif one["method"] == "Log.entryAdded" and given["entry"]["level"] == "error":
                found.append(given["entry"]["text"])
            elif one["method"] == "Runtime.consoleAPICalled" and given["type"] in ("error", "assert"):
                found.append(" ".join(str(argument.get("value")) for argument in given["args"]))
        return found

    def screenshot(self, path, most_height=None):
        """Writes the window as PNG, first made as high as the page, up to a height in pixels, where one is given."""
        if most_height:
            height = self.evaluate("document.documentElement.scrollHeight")
            self._resize(self.width, min(height, most_height))
            self.evaluate(AT_REST)
        image = self.call("Page.captureScreenshot", format="png")["data"]
        Path(path).write_bytes(base64.b64decode(image))

    def pdf(self, path):
        """Writes the page as it prints."""
        Path(path).write_bytes(base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"]))

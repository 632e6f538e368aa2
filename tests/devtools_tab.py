"""Chromium, headless, driven through its DevTools protocol over a pipe: no port, no driver,
no other package. https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any, BinaryIO

PATIENCE = 120.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_BECOME = """
import fcntl, os, sys
end = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3]]
os.dup2(end[0], 3), os.dup2(end[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads from descriptor 3, and writes to 4."""
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


def missing() -> str:
    """Why no browser can be driven here; "" when one can."""
    if os.name != "posix":
        return "the pipe to the browser needs POSIX"
    return "" if _found() else "chromium is not installed"


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Tab:
    """`problems`: what the page wrote to its console, or broke of its policy."""

    def __init__(self, to: BinaryIO, back: BinaryIO) -> None:
        self._to, self._from, self._number, self._rest = to, back, 0, b""
        self.problems: list[str] = []
        self._session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            assert select([self._from], [], [], PATIENCE)[0], "the browser does not answer"
            piece = os.read(self._from.fileno(), 1 << 16)
            assert piece, "the browser ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        kind, said = event.get("method"), event.get("params", {})
        if kind == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.problems.append(said["entry"]["text"])
        if kind == "Runtime.exceptionThrown":
            self.problems.append(str(said["exceptionDetails"]))

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """The value of an expression, as soon as it is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}; problems: {self.problems}")

    def go(self, url: str) -> None:
        self.ask("Page.navigate", url=url)
        self.until(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")

    def type(self, selector: str, text: str) -> None:
        """As a person does: focus, then keys."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.ask("Input.insertText", text=text)

    def files(self, selector: str, *paths: Path) -> None:
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(one) for one in paths])

    def look(self, scheme: str = "light", width: int = 1360, height: int = 900) -> None:
        """As people set their screens: the scheme of colours, and the window's size."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features)
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def picture(self) -> bytes:
        return b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browsing(folder: Path, *options: str) -> Iterator[Tab]:
    """A tab of a new browser, which keeps what it keeps in `folder`."""
    binary = _found()
    assert binary is not None
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    command = [binary, *_OPTIONS, *options, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", _BECOME, str(read_in), str(write_out), *command],
        pass_fds=(read_in, write_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_in)
    os.close(write_out)
    try:
        with os.fdopen(write_in, "wb") as to, os.fdopen(read_out, "rb", buffering=0) as back:
            yield Tab(to, back)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""What `/-/…` answers: health and metrics, on the gateway's own listeners.

`live`: this process answers. `ready`: it can also do its work: each check is
called, and what one of them says is the reason for 503.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.metrics import Metrics
from gateway.modes import WSGIApp

Check = Callable[[], str]
"""What is wrong; "" when nothing is."""

Answer = tuple[str, str, bytes]


def writable(folder: Path) -> Check:
    """Whether a file can be written in `folder`, found out by writing one."""

    def check() -> str:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"ready?")
        except OSError as error:
            return f"The data folder cannot be written: {error.strerror or error}."
        return ""

    return check


def create_pages(metrics: Metrics, checks: Sequence[Check]) -> WSGIApp:
    """The application for paths that begin with `/-/`."""

    def live() -> Answer:
        return "200 OK", "text/plain; charset=utf-8", b"ok\n"

    def ready() -> Answer:
        wrong = [reason for check in checks if (reason := check())]
        if wrong:
            body = "\n".join(wrong) + "\n"
            return "503 Service Unavailable", "text/plain; charset=utf-8", body.encode()
        return live()

    def numbers() -> Answer:
        kind, text = metrics.exposition()
        return "200 OK", kind, text

    pages: Mapping[str, Callable[[], Answer]] = {
        "/-/health/live": live,
        "/-/health/ready": ready,
        "/-/metrics": numbers,
    }

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"])
        headers: list[tuple[str, str]] = []
        if page is None:
            answer: Answer = ("404 Not Found", "text/plain; charset=utf-8", b"no such page\n")
        elif environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            answer = ("405 Method Not Allowed", "text/plain; charset=utf-8", b"GET or HEAD\n")
            headers.append(("Allow", "GET, HEAD"))
        else:
            answer = page()
        status, kind, body = answer
        headers += [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return app

"""What `/-/…` answers: health, metrics, and the documents that modes bring, on the
gateway's own listeners.

`live`: this process answers. `ready`: it can also do its work: each check is
called, and what one of them says is the reason for 503. Besides these, what proves to an
authority that a host name leads here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.modes import Documented, Mode, Page, WSGIApp
from gateway.telemetry.metrics import Metrics

Check = Callable[[], str]
"""What is wrong; "" when nothing is."""

TEXT = "text/plain; charset=utf-8"


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


def create_pages(
    metrics: Metrics,
    checks: Sequence[Check],
    modes: Iterable[Mode] = (),
    *,
    by_service: bool = False,
) -> WSGIApp:
    """The application for paths that begin with `/-/`. `by_service`: the metrics have the names
    of services, for whoever asks."""

    def live() -> Page:
        return Page(TEXT, b"ok\n")

    def ready() -> Page:
        wrong = [reason for check in checks if (reason := check())]
        if wrong:
            body = "\n".join(wrong) + "\n"
            return Page(TEXT, body.encode(), status="503 Service Unavailable")
        return live()

    def numbers() -> Page:
        kind, text = metrics.exposition(by_service)
        return Page(kind, text)

    pages: dict[str, Callable[[], Page]] = {
        "/-/health/live": live,
        "/-/health/ready": ready,
        "/-/metrics": numbers,
    }
    for mode in modes:
        if isinstance(mode, Documented):
            pages.update(mode.pages())

    return _serving(pages)


def proving(proof: str) -> WSGIApp:
    """What an authority gets that looks whether a host name leads here (RFC 8555 §8.3)."""
    page = Page("application/octet-stream", proof.encode())
    return lambda environ, start: _answered(environ, start, page)


def _serving(pages: Mapping[str, Callable[[], Page]]) -> WSGIApp:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        make = pages.get(environ["PATH_INFO"])
        if make is None:
            page = Page(TEXT, b"no such page\n", status="404 Not Found")
        elif environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            allow = (("Allow", "GET, HEAD"),)
            page = Page(TEXT, b"GET or HEAD\n", allow, "405 Method Not Allowed")
        else:
            page = make()
        return _answered(environ, start, page)

    return app


def _answered(environ: dict[str, Any], start: Callable[..., Any], page: Page) -> Iterable[bytes]:
    headers = [
        ("Content-Type", page.content_type),
        ("Content-Length", str(len(page.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *page.headers,
    ]
    start(page.status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [page.body]

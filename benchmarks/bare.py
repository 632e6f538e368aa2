"""`python -m benchmarks.bare HOST PORT WORKERS [FILE]`: a WSGI function on granian that always
answers the same 1 KiB.

It shows what the server costs without a gateway. With FILE it appends each request's
environ there, a line of JSON each, so that requests can be given to an application in the
form in which the server gives them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.requests import KIB, payload

BODY = payload(KIB)
RECORD = "BENCHMARK_RECORD"
THREADS = 32
"""As many as the gateway has by default."""

_HEADERS = [
    ("content-type", "binary/octet-stream"),
    ("content-length", str(len(BODY))),
    ("etag", '"d41d8cd98f00b204e9800998ecf8427e"'),
    ("last-modified", "Thu, 29 Feb 2024 23:59:58 GMT"),
    ("accept-ranges", "bytes"),
    ("x-amz-request-id", "0000000000000000"),
]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] == "PUT":
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    file = os.environ.get(RECORD)
    if file:
        text = {name: value for name, value in environ.items() if isinstance(value, str)}
        with open(file, "a", encoding="utf-8") as out:  # noqa: PTH123 - the fastest here
            out.write(json.dumps(text) + "\n")
    start_response("200 OK", _HEADERS)
    return [BODY]


def main() -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    host, port, workers, *record = sys.argv[1:]
    if record:
        os.environ[RECORD] = record[0]
    Granian(
        "benchmarks.bare:app",
        address=host,
        port=int(port),
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=int(workers),
        blocking_threads=THREADS,
        log_level=LogLevels.error,
    ).serve()


if __name__ == "__main__":
    main()

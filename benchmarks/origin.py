"""`python -m benchmarks.origin [SPEED]`: an HTTP origin of bytes that are made as they are sent.

The first segment of a path is the size: `/1024/anything` is 1 KiB, at SPEED bytes per second (0:
as fast as they can be sent). It prints its port, then a line of JSON for each body that it has
sent: `path`, `range` as it was asked for, `sent` bytes, and the seconds that it `took`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from benchmarks import processes
from benchmarks.requests import MIB, payload
from gateway.testing.upstreams import Exchange, Upstream, head
from gateway.web.http_fields import byte_range

LARGE = 64 * MIB
"""Bytes from which a body repeats one piece."""
_PIECE = 1 << 18


def content(size: int, start: int, length: int) -> bytes:
    """What is at `start` of a body of `size` bytes; of a large one a MiB at most."""
    if size < LARGE:
        return payload(size)[start : start + length]
    first = start % MIB
    return _repeated()[first : first + length]


@cache
def _repeated() -> bytes:
    return payload(MIB) * 2


def _act(exchange: Exchange, speed: float) -> None:
    seen = exchange.seen
    path, asked = seen.target.partition("?")[0], seen.headers.get("range", "")
    size = next(int(one) for one in path.split("/") if one.isdigit())
    wanted = byte_range(asked) if asked else None
    start, last = (wanted.first or 0, wanted.last) if wanted is not None else (0, None)
    end = size if last is None else min(size, last + 1)
    fields: dict[str, str | int] = {
        "ETag": f'"{size}-no-digest"',
        "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Cache-Control": "max-age=86400",
        "Content-Type": "application/octet-stream",
        "Content-Length": end - start,
    }
    if asked:
        fields["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    exchange.send(head(206 if asked else 200, fields))
    if seen.method != "GET":
        return
    begun, at = time.perf_counter(), start
    try:
        while at < end:
            piece = content(size, at, min(_PIECE, end - at))
            if speed:
                due = begun + (at + len(piece) - start) / speed
                time.sleep(max(0.0, due - time.perf_counter()))
            exchange.send(piece)
            at += len(piece)
    finally:
        took = time.perf_counter() - begun
        print(json.dumps({"path": path, "range": asked, "sent": at - start, "took": took}),
              flush=True)  # fmt: skip


def main() -> None:
    speed = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    with Upstream() as upstream:
        upstream.always(lambda exchange: _act(exchange, speed))
        print(upstream.port, flush=True)
        threading.Event().wait()


@contextmanager
def running(speed: float = 0.0) -> Iterator[tuple[int, list[str]]]:
    """Its port, and the lines that it prints."""
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.origin", str(speed)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        reader = threading.Thread(target=lines.extend, args=(map(bytes.decode, process.stdout),))
        reader.start()
        try:
            yield port, lines
        finally:
            processes.end(process)
            reader.join()


if __name__ == "__main__":
    main()

"""One line for each request, written behind it by a thread of its own.

The line is made when the request ends and its record is still in the cache
of the processor; the thread only writes. The queue is bounded: under overload
lines are shed and counted, and no request waits for a disk or a pipe. Nothing
that a client sends can end a line or forge a field: all but printable ASCII
is percent-encoded. There are no query strings and no headers in it, so no
signature and no secret.
"""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from gateway.common.steady import Steady
from gateway.common.writing_thread import WritingThread
from gateway.telemetry.logs import Lines
from gateway.telemetry.record import Record
from gateway.telemetry.request_list import RequestList

log = logging.getLogger("gateway")

CAPACITY = 20_000
_BATCH = 0.05
_PLAIN = re.compile(r"[!-~]+").fullmatch
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def _plain(text: str, encoding: str = "utf-8") -> str:
    if not text:
        return "-"
    if _PLAIN(text):
        return text
    return quote(text, safe=_PRINTABLE, encoding=encoding, errors="backslashreplace")


_MILLISECONDS = tuple(f".{number:03}Z" for number in range(1000))


@lru_cache(maxsize=16)
def _second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def _time(started: float) -> str:
    """RFC 3339, in UTC with milliseconds."""
    second, milliseconds = divmod(int(started * 1000), 1000)
    return _second(second) + _MILLISECONDS[milliseconds]


def as_text(record: Record) -> str:
    """Fields separated by spaces, "-" for none; the last four are named."""
    line = (
        f"{_time(record.started)} {record.request_id} {record.client or '-'}"
        f" {record.mode or '-'} {record.operation or '-'} {record.method or '-'}"
        f" {record.path or '-'} {record.status} {record.received} {record.sent}"
        f" {record.duration * 1000:.1f}ms key={record.key_id or '-'}"
        f" service={record.sid or '-'} code={record.code or '-'}"
    )
    blanks = _BLANKS
    if record.cache:
        line, blanks = f"{line} cache={record.cache.replace(' ', '')}", _BLANKS + 1
    # One look at the whole: nothing but printable ASCII, and no blank within a field.
    if not record.aborted and _LINE(line) and line.count(" ") == blanks:
        return line
    return _careful(record)


_LINE = re.compile(r"[ -~]+").fullmatch
_BLANKS = 13
"""But for that before `cache=`."""


def _careful(record: Record) -> str:
    return (
        f"{_time(record.started)} {record.request_id} {_plain(record.client)}"
        f" {_plain(record.mode)} {_plain(record.operation)} {_plain(record.method)}"
        f" {_plain(record.path, 'latin-1')} {record.status} {record.received} {record.sent}"
        f" {record.duration * 1000:.1f}ms key={_plain(record.key_id)}"
        f" service={_plain(record.sid)} code={_plain(record.code)}{_cached(record)}"
        f"{' aborted' if record.aborted else ''}"
    )


def _cached(record: Record) -> str:
    return f" cache={_plain(record.cache.replace(' ', ''))}" if record.cache else ""


def as_json(record: Record) -> str:
    return json.dumps(
        {
            "time": _time(record.started),
            "request_id": record.request_id,
            "client": record.client,
            "mode": record.mode,
            "operation": record.operation,
            "method": record.method,
            "path": _plain(record.path, "latin-1"),
            "status": record.status,
            "bytes_in": record.received,
            "bytes_out": record.sent,
            "duration_ms": round(record.duration * 1000, 3),
            "key_id": record.key_id,
            "service": record.sid,
            "code": record.code,
            "cache": record.cache,
            "aborted": record.aborted,
        }
    )


FORMATS: dict[str, Callable[[Record], str]] = {"text": as_text, "json": as_json}


class AccessLog:
    """`shed` counts the lines that were dropped because `capacity` of them waited. The
    newest records of each batch go to `requests`, for which there is no other thread."""

    def __init__(
        self,
        stream: Lines,
        form: str = "text",
        capacity: int = CAPACITY,
        *,
        requests: RequestList | None = None,
    ) -> None:
        self._stream, self._format, self._capacity = stream, FORMATS[form], capacity
        self._waiting: list[str] = []
        self._requests = requests
        self._newest: deque[Record] = deque(maxlen=requests.batch if requests else 0)
        steady = Steady(log, "lines of the access log are lost")
        self._thread = WritingThread("access-log", _BATCH, lambda: steady(self._write))
        self._wake = self._thread.wake
        self.shed = 0

    def start(self) -> None:
        self._thread.start()

    def add(self, record: Record) -> None:
        self._newest.append(record)
        if len(self._waiting) >= self._capacity:
            self.shed += 1
            return
        self._waiting.append(self._format(record))
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._thread.stop()

    def _write(self) -> None:
        waiting = self._waiting
        lines = waiting[:]
        del waiting[: len(lines)]  # others may have been added behind them
        if not lines:
            return
        try:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more; requests go on
            self.shed += len(lines)
        if self._requests is not None:
            self._requests.add(self._taken(), of=len(lines))

    def _taken(self) -> list[Record]:
        newest, records = self._newest, []
        while newest:
            records.append(newest.popleft())
        return records

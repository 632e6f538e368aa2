"""What a server told the kernel, and in which order: `strace` on a real one, and its log read.

Calls of all threads are in one log. A call has a beginning and an end there;
one that had ended when another began came before it for sure, also where
they were made by different threads. Names of calls may change with the
server; what counts is what they do to which file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tests.e2e.conftest import Running, environment, free_port, wait_until_ready
from tests.e2e.raw import eventually
from tests.e2e.test_operations import kill

WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range")
SENDS = ("write", "writev", "sendto", "sendmsg", "sendfile")
SYNCS = ("fsync", "fdatasync")
NAMES = ("openat", "rename", "renameat", "renameat2", "link", "linkat")
CALLS = sorted({*WRITES, *SENDS, *SYNCS, *NAMES})


@cache
def cannot_trace() -> str:
    """Why not; "" when it works."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "strace is not here (Debian: apt install strace)"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True)
    return "strace may not trace here (ptrace is forbidden)" if tried.returncode else ""


@contextmanager
def traced(folder: Path, *options: str, config: str = "") -> Iterator[Running]:
    """`gateway serve` with one worker under strace; killed at the end. The log is `trace`."""
    folder.mkdir(parents=True, exist_ok=True)
    port, file = free_port(), folder / "gateway.toml"
    file.write_text(config, encoding="utf-8")
    command = ["strace", "-f", "-y", "-s", "40", "-e", f"trace={','.join(CALLS)}"]
    command += ["-o", str(folder / "trace"), sys.executable, "-m", "gateway", "serve"]
    command += ["--config", str(file), "--data", str(folder / "data")]
    command += ["--listen", f"127.0.0.1:{port}", "--workers", "1", *options]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, env=environment(), stdout=log, stderr=log, text=True, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, port, process)
        yield Running(url, folder, process, environment())
        said = (folder / "log").read_text(encoding="utf-8")
        assert process.poll() is None, f"it ended by itself with {process.returncode}: {said}"
    finally:
        if process.poll() is None:
            kill(process)


class Event(NamedTuple):
    """What a call did, and the lines of the log where it began and ended."""

    what: str
    begun: int
    ended: int


WRITTEN, NAMED, SYNCED, FOLDER = "blob written", "blob named", "blob synced", "folder synced"
INDEXED, COMMITTED, ANSWERED = "index written", "index synced", "answered"

_LINE = re.compile(r"(\d+) +(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)", re.DOTALL)


def events(lines: Sequence[str], data: Path) -> list[Event]:
    """What became of the blobs and the index in the folder `data`, and the answers, in the
    order in which they began. Calls that failed or did not end did nothing."""
    found: list[Event] = []
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        parts = _LINE.fullmatch(line.rstrip("\n"))
        if parts is None:
            continue
        thread, text = parts.groups()
        start = number
        if resumed := _RESUMED.match(text):
            start, head = begun.pop(thread, (number, ""))
            text = head + resumed[2]
        if text.endswith("<unfinished ...>"):
            begun[thread] = (start, text.removesuffix("<unfinished ...>"))
        elif what := _what(text, str(data)):
            found.append(Event(what, start, number))
    return sorted(found, key=lambda event: event.begun)


def _what(text: str, data: str) -> str:
    call = _CALL.match(text)
    if call is None or re.search(r"\) += -1 ", text):
        return ""
    name, rest = call.groups()
    handle = re.match(r"\d+<(.*?)>", rest)
    path = handle[1].removesuffix("(deleted)") if handle else ""
    blobs, log = f"{data}/blobs/", f"{data}/index.db-wal"
    if name in SYNCS and path.startswith(blobs):
        return FOLDER if re.fullmatch(r"[0-9a-f]{2}", path.removeprefix(blobs)) else SYNCED
    if name in WRITES and path.startswith(blobs):
        return WRITTEN
    if name in NAMES and f'"{blobs}' in rest and (name != "openat" or "O_CREAT" in rest):
        return NAMED
    if path == log:
        return COMMITTED if name in SYNCS else INDEXED if name in WRITES else ""
    if name in SENDS and path.startswith(("socket:", "TCP:")) and '"HTTP/1.1 2' in rest:
        return ANSWERED
    return ""


def told(found: Sequence[Event]) -> str:
    """For people: what happened, in short."""
    runs = [(what, len(list(run))) for what, run in groupby(found, lambda event: event.what)]
    return ", ".join(f"{what} ×{count}" if count > 1 else what for what, count in runs)


def broken(found: Sequence[Event]) -> str:
    """The first promise of a durable write that was not kept; "" when all were."""
    answers = [event for event in found if event.what == ANSWERED]
    if len(answers) != 1:
        return f"there is not one answer but {len(answers)}"
    answer = answers[0]
    before = [event for event in found if event.begun < answer.begun]
    commits = [event for event in before if event.what == INDEXED]
    if not commits:
        return "the index was not written before the answer"
    for done, safe, deadline, what in (
        (WRITTEN, SYNCED, commits[0], "the index was written"),
        (NAMED, FOLDER, commits[0], "the index was written"),
        (INDEXED, COMMITTED, answer, "the answer was sent"),
    ):
        last = max((event.ended for event in before if event.what == done), default=None)
        if last is not None and not any(
            event.what == safe and last < event.begun and event.ended < deadline.begun
            for event in before
        ):
            return f'not "{safe}" after "{done}" and before {what}'
    return ""


class Trace:
    """The log of a running server, read from some moment on."""

    def __init__(self, gateway: Running) -> None:
        self._path, self._data = gateway.folder / "trace", gateway.folder / "data"
        self._from = 0

    def begin(self) -> None:
        """From now on; once the server is quiet."""
        size = -1
        while size != (size := self._path.stat().st_size):
            time.sleep(0.15)
        self._from = size

    def events(self) -> list[Event]:
        """Until the answer, which must come."""

        def seen() -> list[Event]:
            with self._path.open(encoding="utf-8", errors="replace") as file:
                file.seek(self._from)
                return events(file.readlines(), self._data)

        eventually(lambda: any(event.what == ANSWERED for event in seen()), "an answer in the log")
        return seen()

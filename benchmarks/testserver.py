"""The in-memory test server beside moto's: start, reset, and requests of 1 KiB, in turns.

`python -m benchmarks testserver`. moto is any `moto_server` on PATH (`pip install
"moto[server]"` in an environment of its own); without it the gateway's is measured
alone. The load comes from wrk, which must be there: a generator in Python would
measure itself.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.connection import Connection
from benchmarks.signing import Credentials, Request, checksum_headers, head

KEY = Credentials(access="benchmarkkey", secret="benchmark-secret-of-no-use")
BODY = bytes(range(256)) * 4
OBJECTS, CONNECTIONS = 512, 16
_SERVE = """
import sys, time
began = time.perf_counter()
from gateway.testing import Server
imported = time.perf_counter() - began
began = time.perf_counter()
server = Server(access_key=sys.argv[1], secret_key=sys.argv[2]).start()
print(server.port, imported, time.perf_counter() - began, flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    other = server.reset() if line == "reset\\n" else Server().start()
    print(time.perf_counter() - began, flush=True)
    other and other.stop()
"""
_REPLAY = """
local requests, at = {}, 0
function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  while true do
    local size = file:read("*n")
    if not size then break end
    file:read(1)
    requests[#requests + 1] = file:read(size)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


@dataclass(frozen=True)
class Running:
    """A server in a process of its own. `ready`: seconds from nothing to its first signed
    answer. `say` asks the gateway's to do something, and gives the seconds that it took."""

    name: str
    port: int
    ready: float
    imports: float = 0.0
    first: float = 0.0
    say: Callable[[str], float] = lambda _: 0.0

    def request(self, request: Request) -> bytes:
        return head(request, f"127.0.0.1:{self.port}", KEY, datetime.now(UTC))

    def ask(self, request: Request, body: bytes = b"") -> int:
        connection = Connection(("127.0.0.1", self.port), 10)
        try:
            return connection.exchange(self.request(request), body).status
        finally:
            connection.close()


@contextmanager
def process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    started = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def first_answer(port: int, began: float) -> float:
    """Seconds since `began` when a signed request was answered."""
    asking = Running("", port, 0.0)
    while time.perf_counter() < began + 60:
        with suppress(OSError):
            if asking.ask(Request(method="GET", path="/")) == 200:
                return time.perf_counter() - began
        time.sleep(0.002)
    raise RuntimeError("no answer within a minute")


@contextmanager
def ours() -> Iterator[Running]:
    began = time.perf_counter()
    with process([sys.executable, "-c", _SERVE, KEY.access, KEY.secret]) as started:
        there, back = started.stdin, started.stdout
        assert there is not None
        assert back is not None

        def say(what: str) -> float:
            there.write(f"{what}\n")
            there.flush()
            return float(back.readline())

        port, imports, first = back.readline().split()
        ready = first_answer(int(port), began)
        yield Running("gateway", int(port), ready, float(imports), float(first), say)


@contextmanager
def moto(program: str) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    began = time.perf_counter()
    with process([program, "-H", "127.0.0.1", "-p", str(port)]):
        yield Running("moto", port, first_answer(port, began))


def requests(method: str) -> list[tuple[Request, bytes]]:
    paths = [f"/benchmark/{number:04}.bin" for number in range(OBJECTS)]
    if method == "GET":
        return [(Request(method="GET", path=path), b"") for path in paths]
    return [(put(path), BODY) for path in paths]


def put(path: str) -> Request:
    return Request(
        method="PUT",
        path=path,
        headers=checksum_headers(BODY),
        payload_hash=hashlib.sha256(BODY).hexdigest(),
        length=len(BODY),
    )


def rate(running: Running, method: str, seconds: float, folder: Path) -> float:
    """Answers per second. Raises `RuntimeError` when one was no success."""
    script, replay = folder / "replay.lua", folder / "requests"
    script.write_text(_REPLAY)
    signed = [running.request(request) + body for request, body in requests(method)]
    replay.write_bytes(b"".join(b"%d\n%s" % (len(one), one) for one in signed))
    url = f"http://127.0.0.1:{running.port}/"
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{max(1, round(seconds))}s"]
    done = subprocess.run(
        [*command, "-s", str(script), url, "--", str(replay)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"{running.name} {method}: {done.stdout}")
    return float(found[1])


def testserver(options: argparse.Namespace, place: Path) -> int:
    """Of `options` it takes `rounds` and `seconds`; `place` is a folder for its files."""
    if not shutil.which("wrk"):
        print("wrk is not on PATH.", file=sys.stderr)
        return 1
    with ExitStack() as stack:
        gateway = stack.enter_context(ours())
        starts, resets = ([gateway.say(what) for _ in range(20)] for what in ("start", "reset"))
        running = [gateway]
        if program := shutil.which("moto_server"):
            running.append(stack.enter_context(moto(program)))
        rates = measure(running, options, place)
    theirs = running[-1].ready if len(running) > 1 else 0.0
    rows = [
        ("start after import, the first, ms", gateway.first, theirs),
        ("start after import, ms", statistics.median(starts), theirs),
        ("start from nothing, ms", gateway.ready, theirs),
        ("of which imports, ms", gateway.imports, 0.0),
        ("reset, ms", statistics.median(resets), 0.0),
    ]
    print("| | gateway.testing | moto server | times |\n|---|---|---|---|")
    for title, here, there in rows:
        print(row(title, here * 1e3, there * 1e3, there / here))
    for method in ("GET", "PUT"):
        here, there = rates["gateway", method], rates.get(("moto", method), 0.0)
        print(row(f"{method} 1 KiB, per second", here, there, here / there if there else 0.0))
    return 0


def measure(
    running: Sequence[Running], options: argparse.Namespace, place: Path
) -> dict[tuple[str, str], float]:
    """Medians of the rates, by server and method."""
    for one in running:
        one.ask(Request(method="PUT", path="/benchmark", length=0))
        for request, body in requests("PUT"):
            if one.ask(request, body) != 200:
                raise RuntimeError(f"{one.name} does not take {request.path}")
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for method in ("GET", "PUT"):
            for one in running:
                rates = found.setdefault((one.name, method), [])
                rates.append(rate(one, method, options.seconds, place))
    for (name, method), rates in found.items():
        print(f"{name} {method}: {', '.join(f'{one:,.0f}' for one in rates)}", file=sys.stderr)
    return {key: statistics.median(rates) for key, rates in found.items()}


def row(title: str, here: float, there: float, times: float) -> str:
    other = f"{there:,.1f}" if there else "–"
    return f"| {title} | {here:,.1f} | {other} | {f'{times:.1f}' if times else '–'} |"

"""Nothing is acknowledged before it is safe, as the kernel saw it: bytes of a blob are synced,
its folder is synced, then the index is written and synced, then the answer is sent.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import tracing
from tests.e2e.conftest import SERVERS, Running
from tests.e2e.raw import Answer, ask
from tests.e2e.tracing import Event, Trace, broken, events, told, traced

if sys.platform == "win32" or tracing.cannot_trace():
    pytest.skip(tracing.cannot_trace() or "strace is for Linux", allow_module_level=True)

SMALL, LARGE = os.urandom(1000), os.urandom(1_000_000)
WITHOUT_BLOB = ["index written", "index synced", "answered"]
WITH_BLOB = ["blob written", "blob synced", "folder synced", *WITHOUT_BLOB]


@pytest.fixture(scope="module", params=SERVERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with traced(tmp_path_factory.mktemp("order"), "--server", request.param) as running:
        prepared(running)
        yield running


def prepared(running: Running) -> None:
    assert well(running, "PUT", "/order") is not None
    for key, data in (("small", SMALL), ("large", LARGE)):
        well(running, "PUT", f"/order/{key}", data)


def well(running: Running, method: str, target: str, data: bytes = b"") -> Answer:
    answer = ask(running.url, method, target, body=data)
    assert 200 <= answer.status < 300, answer
    return answer


def upload(running: Running) -> str:
    answer = well(running, "POST", "/order/parts?uploads=")
    found = re.search(rb"<UploadId>(.*?)</UploadId>", answer.body)
    assert found is not None
    return found[1].decode()


def put(data: bytes, key: str) -> Callable[[Running], Callable[[], object]]:
    return lambda running: lambda: well(running, "PUT", f"/order/{key}", data)


def delete(running: Running) -> Callable[[], object]:
    return lambda: well(running, "DELETE", "/order/large")


def part(running: Running) -> Callable[[], object]:
    begun = upload(running)
    return lambda: well(running, "PUT", f"/order/parts?partNumber=1&uploadId={begun}", LARGE)


def complete(running: Running) -> Callable[[], object]:
    target = f"/order/parts?uploadId={(begun := upload(running))}"
    well(running, "PUT", f"/order/parts?partNumber=1&uploadId={begun}", SMALL)
    listed = well(running, "GET", target).body.decode()
    etag = listed.partition("<ETag>")[2].partition("</ETag>")[0]
    parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return lambda: well(running, "POST", target, document)


WRITES: dict[str, tuple[Callable[[Running], Callable[[], object]], list[str]]] = {
    "a small object": (put(SMALL, "new"), WITHOUT_BLOB),
    "a large object": (put(LARGE, "new-large"), WITH_BLOB),
    "a large object over a small one": (put(LARGE, "small"), WITH_BLOB),
    "a part": (part, WITH_BLOB),
    "parts made one": (complete, WITHOUT_BLOB),
    "a removal": (delete, WITHOUT_BLOB),
}


@pytest.mark.parametrize("write", WRITES)
def test_all_is_synced_before_the_answer(gateway: Running, write: str) -> None:
    prepare, steps = WRITES[write]
    request, trace = prepare(gateway), Trace(gateway)
    trace.begin()
    request()
    seen = trace.events()
    order = told(seen)
    assert {event.what for event in seen} >= set(steps), f"seen: {order}"
    assert broken(seen) == "", f"seen: {order}"


def test_what_is_left_to_the_operating_system_would_be_noticed(tmp_path: Path) -> None:
    lazy = '[buckets]\ndriver = "local"\ndurability = "process"\n'
    with traced(tmp_path, "--server", "waitress", config=lazy) as running:
        prepared(running)
        for data, promise in ((SMALL, "index synced"), (LARGE, "blob synced")):
            trace = Trace(running)
            trace.begin()
            well(running, "PUT", "/order/k", data)
            seen = trace.events()
            assert promise in broken(seen), f"seen: {told(seen)}"


# the reading of the log

ORDERLY = """\
10 openat(AT_FDCWD</x>, "/d/blobs/ab/abc", O_WRONLY|O_CREAT|O_EXCL, 0600) = 5</d/blobs/ab/abc>
10 write(5</d/blobs/ab/abc>, "xx"..., 262144 <unfinished ...>
11 write(7<anon_inode:[eventfd]>, "1", 8) = 8
10 <... write resumed>) = 262144
10 fsync(5</d/blobs/ab/abc>) = 0
10 fsync(6</d/blobs/ab>) = 0
10 pwrite64(3</d/index.db-wal>, "..."..., 4096, 0) = 4096
10 fdatasync(3</d/index.db-wal>) = 0
11 writev(9<socket:[1]>, [{iov_base="HTTP/1.1 200 OK\\r\\n"..., iov_len=1}], 1) = 1
"""
ALL = "blob named, blob written, blob synced, folder synced, index written, index synced, answered"


def read(text: str) -> list[Event]:
    return events(text.splitlines(keepends=True), Path("/d"))


def test_an_orderly_log_is_found_so() -> None:
    assert told(read(ORDERLY)) == ALL
    assert broken(read(ORDERLY)) == ""


def moved(line: int, to: int) -> str:
    lines = ORDERLY.splitlines(keepends=True)
    lines.insert(to, lines.pop(line))
    return "".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (moved(4, 1), 'not "blob synced" after "blob written" and before the index was written'),
        (moved(4, 6), 'not "blob synced"'),
        (moved(5, 0), 'not "folder synced" after "blob named"'),
        (moved(5, 8), 'not "folder synced"'),
        (moved(7, 8), 'not "index synced" after "index written" and before the answer'),
        (moved(7, 6), 'not "index synced"'),
        (moved(8, 0), "the index was not written before the answer"),
        (ORDERLY.replace("fsync(5</d/blobs/ab/abc>) = 0", "fsync(5</d/blobs/ab/abc>) = -1 EIO (x)"),
         'not "blob synced"'),
        (ORDERLY.replace("200 OK", "507 Full"), "not one answer but 0"),
    ],
)  # fmt: skip
def test_disorder_is_found(text: str, said: str) -> None:
    assert said in broken(read(text))


def test_a_sync_that_began_before_the_last_write_ended_does_not_count() -> None:
    lines = ORDERLY.splitlines(keepends=True)
    lines[4:5] = []
    lines[3:3] = ["12 fsync(5</d/blobs/ab/abc> <unfinished ...>\n"]
    lines[5:5] = ["12 <... fsync resumed>) = 0\n"]
    assert 'not "blob synced"' in broken(read("".join(lines)))

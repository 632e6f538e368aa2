"""What a workload needs before it can be measured: buckets, objects, and one try.

Objects are put through HTTP by the own generator; a server of static files gets them
as files. A bucket that is too large for that is filled in the engine's index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks import filling, own, requests
from benchmarks.connection import Answer, Connection
from benchmarks.requests import MIB, Target, payload
from benchmarks.signing import Request
from benchmarks.steps import Operation, exchange, single
from benchmarks.workloads import Workload

if TYPE_CHECKING:
    from benchmarks.starting import Running

PATIENCE = 120.0
FOREVER = 1e9
WRITERS = 16
PUBLIC = {"x-amz-acl": "public-read"}
NONE: Mapping[str, str] = MappingProxyType({})
_LARGE = 64 * MIB
"""Bytes from which an object is not made in memory, but sent in pieces."""


class Refused(Exception):
    """A server did not answer as S3 does, so measuring it would mean nothing."""


def prepare(workload: Workload, server: Running) -> None:
    """Write what the workload reads, then try it once. Raises `Refused`."""
    if workload.starts:
        return
    unable = why_not(workload, server)
    if unable:
        raise Refused(unable)
    create_bucket(server, workload.bucket)
    if workload.filling is not None:
        assert server.index is not None
        _fill(workload, server)
    if not workload.fresh:
        seed(workload, server)
    _try(workload, server.target)


def why_not(workload: Workload, server: Running) -> str:
    """Why a workload is not for this server; "" when it is."""
    if server.server.static and not workload.plain:
        return "static files only"
    if workload.huge and server.server.in_memory:
        return "keeps everything in memory"
    if workload.filling is not None and server.index is None:
        return "only an index that the harness can reach is filled"
    return ""


def create_bucket(server: Running, bucket: str) -> None:
    """Unless it is there. Raises `Refused`."""
    if server.server.static:
        (server.data / bucket).mkdir(exist_ok=True)
        return
    answer = _exchange(server.target, requests.put(f"/{bucket}", b""))
    if answer.status not in (200, 204, 409):
        _must(answer, f"creating {bucket}")


def seed(workload: Workload, server: Running) -> None:
    """Put the objects that `workload.seed` names. Raises `Refused`."""
    wanted = list(workload.seed(workload))
    if server.server.static:
        _as_files(wanted, server)
        return
    small = [(path, size) for path, size in wanted if size < _LARGE]
    headers = PUBLIC if workload.public else {}
    put_all(server.target, ((path, payload(size)) for path, size in small), headers)
    for path, size in wanted:
        if size >= _LARGE and not _is_there(server.target, path, size):
            _put_pieces(server.target, path, size)


def put_all(
    target: Target, objects: Iterable[tuple[str, bytes]], headers: Mapping[str, str] = NONE
) -> None:
    """Side by side, and when that fails one after the other: several that make the same
    new folder at once are too much for rclone. Raises `Refused`."""
    wanted = list(objects)

    def operations() -> Iterator[Operation]:
        for path, body in wanted:
            one = requests.put(path, body)
            yield single(exchange(target, replace(one, headers={**one.headers, **headers})))

    for writers in (WRITERS, 1):
        shared = operations()
        tally = own.run(target.address, [shared] * writers, FOREVER, PATIENCE)
        if not tally.errors:
            return
    raise Refused(f"PUT: {tally.complaint}")


def _as_files(wanted: Iterable[tuple[str, int]], server: Running) -> None:
    for path, size in wanted:
        file = server.data / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            for piece in _pieces(size):
                out.write(piece)


def _pieces(size: int) -> Iterator[bytes]:
    """A large object repeats one piece."""
    if size < _LARGE:
        yield payload(size)
        return
    piece = payload(MIB)
    for left in range(size, 0, -MIB):
        yield piece[:left]


def _put_pieces(target: Target, path: str, size: int) -> None:
    connection = Connection(target.address, PATIENCE)
    try:
        connection.send([target.head(requests.announced(path, size))])
        connection.send(_pieces(size))
        _must(connection.answer(keep=True), path)
    except OSError as error:
        raise Refused(f"{path}: {error}") from error
    finally:
        connection.close()


def _is_there(target: Target, path: str, size: int) -> bool:
    answer = _exchange(target, requests.stat(path))
    return answer.status == 200 and answer.length == size


def _exchange(target: Target, request: Request) -> Answer:
    """One request on a connection of its own. Raises `Refused` when none is answered."""
    bodiless = request.method == "HEAD"
    try:
        connection = Connection(target.address, PATIENCE)
        try:
            parts = (target.head(request), request.body)
            return connection.exchange(*parts, keep=True, bodiless=bodiless)
        finally:
            connection.close()
    except OSError as error:
        raise Refused(f"{request.method} {request.path}: {error}") from error


def _must(answer: Answer, what: str) -> None:
    if answer.status not in (200, 204, 206):
        text = answer.body.decode("utf-8", "replace")
        raise Refused(f"{what}: answered {answer.status} {text[:300]}".strip())


def _fill(workload: Workload, server: Running) -> None:
    """One key with its versions through HTTP, then its copies in the index. Once a bucket."""
    wanted, index = workload.filling, server.index
    assert wanted is not None
    assert index is not None
    first = f"/{workload.bucket}/{wanted.key(0)}"
    if _exchange(server.target, requests.stat(first)).status == 200:
        return
    if wanted.versions > 1:
        _must(_exchange(server.target, requests.versioned(workload.bucket)), "versioning")
    for _ in range(wanted.versions):
        put_all(server.target, [(first, payload(6))])
    filling.fill(index, wanted.key(0), (wanted.key(number) for number in range(1, wanted.keys)))


def _expected(workload: Workload, request: Request) -> bytes:
    """The bytes that a GET answers."""
    if "range" not in request.headers:
        return payload(workload.size)
    first, last = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
    if workload.size < _LARGE:
        return payload(workload.size)[first : last + 1]
    piece, length = payload(MIB) * 2, last + 1 - first
    return piece[first % MIB :][:length]


def _try(workload: Workload, target: Target) -> None:
    """One operation; of a GET the bytes, of a page the number of entries must be right."""
    if workload.operation is not None:
        if not workload.limit:  # else one costs too much to be only tried
            one = workload.operation(workload, target, 0)
            tally = own.run(target.address, [iter([one])], FOREVER, PATIENCE)
            if tally.errors:
                raise Refused(f"{workload.title}: {tally.complaint}")
        return
    assert workload.request is not None
    request = workload.request(workload, 0)
    answer = _exchange(target, request)
    _must(answer, workload.title)
    if workload.entries:
        found = answer.body.count(b"<Contents>") + answer.body.count(b"<CommonPrefixes>")
        if found != workload.entries:
            raise Refused(f"a page has {found} entries, not {workload.entries}")
    elif request.method == "GET" and answer.body != _expected(workload, request):
        raise Refused(f"{workload.title}: other bytes than were put")

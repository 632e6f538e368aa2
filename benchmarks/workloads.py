"""What is asked of every server: the table of workloads.

Most have many distinct signed requests, which are replayed in turns. They are signed
just before they are sent, for S3 refuses what is older than 15 minutes. Those with an
`operation` make their requests as they go (see `steps`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks import requests, steps
from benchmarks.requests import GIB, KIB, MIB, PAGE, Target
from benchmarks.signing import Request
from benchmarks.steps import Operation

BUCKET = "benchmark"
LARGE = "large/object.bin"
PART = 8 * MIB
FOLDERS = 1000

Unit = Literal["requests", "bytes", "ms"]
Seeds = Iterable[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A bucket that is filled in the index itself, for HTTP would take too long: `keys`
    keys in so many folders, with `versions` versions each."""

    keys: int
    versions: int = 1
    folders: int = FOLDERS

    def key(self, number: int) -> str:
        """In the order of keys: "0007/00000042" is the 43rd of folder 7."""
        folder, place = divmod(number, max(1, self.keys // self.folders))
        return f"{folder:04d}/{place:08d}"

    def folder(self, number: int) -> str:
        return f"{number % self.folders:04d}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`size` is an object's, in bytes; `distinct` how many objects, hence requests.

    `request` makes the request of a number, or `operation` what is done instead. `seed`
    names objects that must be there, and their sizes; `fresh`: before each slice anew,
    for each request is sent once. `entries`: keys and prefixes that a page must have.
    """

    name: str
    title: str
    request: Callable[[Workload, int], Request] | None = None
    operation: Callable[[Workload, Target, int], Operation] | None = None
    seed: Callable[[Workload], Seeds] = lambda _: ()
    bucket: str = BUCKET
    size: int = 0
    part: int = PART
    distinct: int = 512
    connections: int = 16
    threads: int = 1
    """wrk's; it reads 8 KiB at a time and needs two for large bodies."""
    unit: Unit = "requests"
    """What says most: operations or bytes per second, or how long one takes."""
    least: int = 0
    """Bytes that the bodies of the answers have at least, on average."""
    entries: int = 0
    filling: Filling | None = None
    own: bool = False
    """wrk cannot send it: it waits for the body of a HEAD."""
    fresh: bool = False
    limit: int = 0
    """Operations in a slice; 0: as many as there is time for."""
    huge: bool = False
    """Not for servers that keep everything in memory."""
    plain: bool = False
    """A server of static files can answer it."""
    public: bool = False
    """Its objects are anybody's to read, and nothing is signed."""
    starts: bool = False
    """A start of the server, to its first answer."""

    @property
    def body(self) -> bytes:
        """The one body that requests have, if any has one."""
        if self.request is None:
            return b""
        made = (self.request(self, number).body for number in range(min(self.distinct, 10)))
        return next((body for body in made if body), b"")

    def key(self, number: int) -> str:
        return f"{self.name}/{number:06d}.bin"

    def path(self, number: int) -> str:
        return f"/{self.bucket}/{self.key(number)}"

    @property
    def large(self) -> str:
        """The object that workloads with `huge` share."""
        return f"/{self.bucket}/{LARGE}"


def _get(one: Workload, number: int) -> Request:
    return replace(requests.get(one.path(number)), signed=not one.public)


def _put(one: Workload, number: int) -> Request:
    return requests.put(one.path(number), requests.payload(one.size))


def _mixed(one: Workload, number: int) -> Request:
    return _put(one, number) if number % 10 in (1, 4, 8) else _get(one, number)


def _range(one: Workload, number: int) -> Request:
    first = random.Random(number).randrange(one.size - one.least)
    return requests.get(one.large, first, one.least)


def _page(one: Workload, number: int) -> Request:
    delimiter = "delimited" in one.name
    after = ""
    if one.filling is not None and not delimiter and one.filling.keys > PAGE:
        after = one.filling.key(random.Random(number).randrange(one.filling.keys - PAGE - 1))
    return requests.page(one.bucket, delimiter=delimiter, after=after)


def _folder_page(one: Workload, number: int) -> Request:
    assert one.filling is not None
    return requests.page(one.bucket, delimiter=True, prefix=one.filling.folder(number))


def _objects(one: Workload) -> Seeds:
    return ((one.path(number), one.size) for number in range(one.distinct))


def _large(one: Workload) -> Seeds:
    return ((one.large, one.size),)


def _keys(one: Workload) -> Seeds:
    """A page of keys, or of as many keys as prefixes."""
    for number in range(one.entries):
        if "delimited" not in one.name or number % 2:
            yield f"/{one.bucket}/{number:06d}.bin", 6
        else:
            yield from ((f"/{one.bucket}/{number:06d}/{name}.bin", 6) for name in "abc")


def _chosen(one: Workload, number: int) -> list[str]:
    return [f"{one.name}/{number}/{key:04d}" for key in range(one.entries)]


_LIST_BYTES = PAGE * len("<Contents><Key></Key></Contents>")
_GET = Workload(name="", title="", request=_get, seed=_objects, size=KIB, least=KIB, plain=True)
_PAGES = Workload(
    name="",
    title="",
    request=_page,
    distinct=200,
    entries=PAGE,
    least=_LIST_BYTES,
)


TABLE = (
    replace(_GET, name="get-1k", title="GET 1 KiB"),
    replace(_GET, name="get-1k-256", title="GET 1 KiB, 256 connections", connections=256),
    replace(_GET, name="get-1k-public", title="GET 1 KiB, unsigned", public=True),
    Workload(
        name="head-1k",
        title="HEAD 1 KiB",
        request=lambda one, number: requests.stat(one.path(number)),
        seed=_objects,
        size=KIB,
        own=True,
        plain=True,
    ),
    Workload(name="put-1k", title="PUT 1 KiB", request=_put, size=KIB),
    Workload(
        name="mixed-1k",
        title="70 % GET, 30 % PUT 1 KiB",
        request=_mixed,
        seed=_objects,
        size=KIB,
        least=KIB // 2,
    ),
    Workload(
        name="delete",
        title="DELETE 1 KiB",
        request=lambda one, number: requests.delete(one.path(number)),
        seed=_objects,
        size=KIB,
        distinct=2000,
        fresh=True,
    ),
    Workload(
        name="delete-1000",
        title="DeleteObjects of 1,000",
        operation=lambda one, target, number: steps.deletion(
            target, one.bucket, _chosen(one, number)
        ),
        entries=PAGE,
        connections=1,
        unit="ms",
    ),
    replace(
        _GET,
        name="get-8m",
        title="GET 8 MiB",
        size=8 * MIB,
        least=8 * MIB,
        distinct=16,
        connections=8,
        threads=2,
        unit="bytes",
    ),
    Workload(
        name="put-8m",
        title="PUT 8 MiB",
        request=_put,
        size=8 * MIB,
        distinct=16,
        connections=4,
        threads=2,
        unit="bytes",
    ),
    Workload(
        name="multipart-64m",
        title="64 MiB in parts of 8 MiB",
        operation=lambda one, target, number: steps.multipart(
            target, one.path(number % one.distinct), one.size, one.part
        ),
        size=64 * MIB,
        distinct=8,
        connections=4,
        unit="bytes",
    ),
    Workload(
        name="range-64k",
        title="GET 64 KiB of 1 GiB",
        request=_range,
        seed=_large,
        size=GIB,
        least=64 * KIB,
        huge=True,
        plain=True,
    ),
    Workload(
        name="copy-1g",
        title="CopyObject 1 GiB",
        request=lambda one, number: requests.copy(one.large, one.path(number)),
        seed=_large,
        size=GIB,
        distinct=2,
        connections=1,
        unit="ms",
        own=True,
        huge=True,
    ),
    Workload(
        name="complete-1g",
        title="Complete 1 GiB",
        operation=lambda one, target, _: steps.completion(target, one.path(0), one.size, one.part),
        size=GIB,
        part=64 * MIB,
        connections=1,
        unit="ms",
        limit=1,
        huge=True,
    ),
    replace(_PAGES, name="list-1000", title="list 1,000 keys", seed=_keys, bucket="benchmark-list"),
    replace(
        _PAGES,
        name="list-delimited",
        title="list 500 keys, 500 prefixes",
        seed=_keys,
        bucket="benchmark-delimited",
    ),
    replace(
        _PAGES,
        name="list-versions",
        title="list 1,000 keys of 100 versions",
        bucket="benchmark-versions",
        filling=Filling(keys=PAGE, versions=100),
    ),
    Workload(name="start", title="start to first answer", connections=1, unit="ms", starts=True),
)
WORKLOADS: Mapping[str, Workload] = {one.name: one for one in TABLE}


def deep(keys: int) -> list[Workload]:
    """Pages of a bucket with that many keys: from anywhere in it, of its folders, and of one
    of its folders, which has a page at least."""
    filling, bucket = Filling(keys=keys), f"benchmark-{keys}"
    full, roomy = replace(filling, folders=max(1, min(FOLDERS, keys // PAGE))), bucket
    if full != filling:
        roomy = f"benchmark-folders-{keys}"
    return [
        replace(_PAGES, name=f"list-{keys}", title=f"list 1,000 of {keys:,} keys",
                filling=filling, bucket=bucket),
        replace(_PAGES, name=f"list-delimited-{keys}",
                title=f"list 1,000 prefixes of {keys:,} keys", filling=filling, bucket=bucket,
                least=_LIST_BYTES // 2),
        replace(_PAGES, name=f"list-folder-{keys}",
                title=f"list 1,000 of a folder, of {keys:,} keys", request=_folder_page,
                filling=full, bucket=roomy),
    ]  # fmt: skip

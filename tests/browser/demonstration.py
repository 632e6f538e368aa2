"""A gateway that is used: services of many kinds, objects, versions, uploads, keys, requests."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from gateway.access.identity import Identity
from gateway.config import load
from gateway.modes.console.table import TABLE
from gateway.servers import Endpoint, Loaded, Plan
from gateway.servers.waitress import WaitressServer
from gateway.servers.worker import Worker
from gateway.services.runtime import Runtime

ROOT = Identity(key="root", account="root", access="admin")
PLACE = "/-/console/"
KEY, SECRET = "root", "secret-of-root-key-000"
READER, READERS_SECRET = "reader", "secret-of-the-reader-0"
ENVIRON = {"GATEWAY_ROOT_ACCESS_KEY": KEY, "GATEWAY_ROOT_SECRET_KEY": SECRET}
TABLES: dict[str, Any] = {
    "cdn": {"suffix": "cdn.localhost"},
    "server": {"memory": True},
    "reports": {"flush": "0.1s"},
    "keys": [
        {"id": READER, "secret": READERS_SECRET, "access": {"photos": "read"}},
        {"id": "writer", "secret": "secret-of-the-writer-0", "access": {"documents": "write"}},
    ],
    "services": {
        "photos": {"driver": "memory", "keep_versions": "forever", "name": "Photos"},
        "thumbnails": {"driver": "image", "source": "photos"},
        "edge": {"driver": "cache", "source": "thumbnails", "max_size": "64MiB"},
        "documents": {"driver": "memory", "keep_versions": "off", "quota": "50MiB"},
        "archive": {"driver": "fsspec", "url": "memory://archive"},
        "origin": {"driver": "http", "url": "http://127.0.0.1:9/", "allow": ["127.0.0.1"]},
    },
    "bindings": [{"mode": "public", "host": "cdn.localhost", "service": "edge"}],
}

PLACES: dict[str, str] = {
    "ConsoleObject": "browser/{sid}/object?key=read%20me.txt",
    "ConsoleServiceChange": "services/gallery/change",
    "ConsoleServiceRemove": "services/gallery/remove",
    "ConsoleBucketDrop": "services/website/drop",
}
"""Where a page is looked at that is not simply at its path. Of parts of a path `fill` says what
there is."""

UNSEEN: dict[str, str] = {
    "ConsoleDownload": "it is a file",
    "ConsoleNumbers": "it is for scripts",
    "ConsoleParts": "it is for scripts",
}
"""Pages that are none to look at, by name, each with the reason."""

FURTHER: tuple[tuple[str, str], ...] = (
    ("ConsoleService", "services/edge"),
    ("ConsoleService", "services/gallery"),
    ("ConsoleServiceAdd", "add-service?driver=s3"),
    ("ConsoleObjects", "browser/photos?prefix=holiday%2F"),
    ("ConsoleObjects", "browser/documents?prefix=nothing%2F"),
    ("ConsoleObject", "browser/photos/object?key=holiday%2Fbeach.png"),
    ("ConsoleUploadsOfService", "uploads/backups"),
    ("ConsoleVolume", "volumes/unbounded"),
    ("ConsoleService", "services/media.films"),
    ("ConsoleZone", "zones/2"),
    ("ConsoleZoneChange", "zones/2/change"),
)
"""Views of pages, (name, path below the console), that have other things to show."""


@dataclass
class Demonstration:
    """`runtime` is the gateway's own; `parts`: what paths of pages may have."""

    port: int
    runtime: Runtime
    parts: dict[str, str] = field(default_factory=dict)
    _s3: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def console(self) -> str:
        return f"{self.url}{PLACE}"

    def address(self, path: str) -> str:
        """Of a page, by its path with parts."""
        try:
            return self.console + path.format_map(self.parts)
        except KeyError as part:
            raise AssertionError(f"say in `fill`, or in PLACES, what {part} is of {path}") from None

    def s3(self) -> Any:
        """A boto3 client."""
        import boto3
        from botocore.config import Config

        if not self._s3:
            options = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
            client = boto3.client(
                "s3",
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
                config=options,
            )
            self._s3.append(client)
        return self._s3[0]

    def call(self, target: str, method: str = "GET", host: str = "") -> int:
        """A request to the standard mode, or to a binding; its status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"host": host} if host else {"x-owncdn-key": SECRET}
            connection.request(method, target, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def close(self) -> None:
        for one in self._s3:
            one.close()


@contextmanager
def serving(tables: dict[str, Any] | None = None) -> Iterator[Demonstration]:
    """With waitress, in this process; in memory."""
    configuration = load(tables=tables or TABLES, environ=ENVIRON)
    opened: list[Worker] = []

    def worker() -> Loaded:
        opened.append(Worker(configuration, "waitress", 8, None))
        return opened[0].loaded()

    server, addresses, ready = WaitressServer(), list[tuple[str, int]](), threading.Event()

    def announce(found: tuple[tuple[str, int], ...]) -> None:
        addresses.extend(found)
        ready.set()

    plan = Plan(load=worker, listen=(Endpoint("127.0.0.1", 0),), threads=8)
    thread = threading.Thread(target=server.run, args=(plan, announce), daemon=True)
    thread.start()
    assert ready.wait(60)
    served = Demonstration(addresses[0][1], opened[0].runtime)
    try:
        yield served
    finally:
        served.close()
        server.stop()
        thread.join(10)


def signed_in(browser: Any, served: Demonstration) -> Any:
    """The cookies of who has signed in as the root key, for `new_context(storage_state=…)`."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, served.console)
    state = context.storage_state()
    context.close()
    return state


def sign_in(page: Any, console: str, key: str = KEY, secret: str = SECRET) -> None:
    page.goto(f"{console}sign-in")
    page.fill("[name=key]", key)
    page.fill("[name=secret]", secret)
    page.click("main form button")
    page.wait_for_url(lambda url: "sign-in" not in url)


# what is in it


def fill(served: Demonstration) -> None:
    """As clients and operators do it."""
    s3, operator = served.s3(), served.runtime.operator(ROOT)
    operator.add_service("gallery", "cache", {"source": "photos"}, name="Gallery")
    made = operator.add_credential(user_name="team", description="For the scanner").info
    served.parts |= {"sid": "photos", "number": str(made.number), "kind": "cors"}
    for name in ("backups", "logs-2026", "website"):
        s3.create_bucket(Bucket=name)
    for number in range(12):
        s3.put_object(Bucket="logs-2026", Key=f"day-{number:02}.log", Body=b"line\n" * 50 * number)
    _volumes(served)
    _zones(served)
    _photos(s3)
    for key in ("minutes/2026-01.txt", "minutes/2026-02.txt", "report.pdf"):
        s3.put_object(Bucket="documents", Key=key, Body=b"text", ContentType="text/plain")
    body = b"<!doctype html><title>Hello</title>"
    s3.put_object(Bucket="website", Key="index.html", Body=body, ContentType="text/html")
    s3.put_object(Bucket="archive", Key="2025.tar", Body=bytes(200_000))
    _uploads(s3)
    for target in ("/holiday/beach.png?w=8", "/holiday/beach.png?w=8", "/none.png"):
        served.call(target, host="cdn.localhost")
    served.call("/flush?sid=edge&prefix=holiday/", "POST")
    served.call("/filelist?sid=origin")
    with suppress(s3.exceptions.ClientError):
        s3.get_object(Bucket="photos", Key="there/is/none.png")


def _volumes(served: Demonstration) -> None:
    """One with room, one that is nearly full, and one without a quota."""
    served.parts["volume"] = "media"
    volumes, s3 = served.runtime.volumes, served.s3()
    for name, quota in (("media", 1 << 20), ("scratch", 40_000), ("unbounded", None)):
        volumes.make(ROOT, name, owner="root", quota=quota)
    for volume, bucket, size in (
        ("media", "films", 200_000),
        ("media", "sounds", 90_000),
        ("scratch", "daily", 38_000),
    ):
        sid = volumes.create_bucket(ROOT, volume, bucket).service.sid
        s3.put_object(Bucket=sid, Key="first.bin", Body=bytes(size))


def _zones(served: Demonstration) -> None:
    """One that says little, and one that says everything."""
    upstream = {
        "endpoints": [{"host": "www.example.com"}, {"host": "backup.example.com", "port": 8443}],
        "type": "own",
        "proto": "https",
        "host_header": "origin.example.com",
        "auth": {"type": "http_basic", "username": "edge", "password": "a-secret"},
    }
    plain = {"type": "own", "proto": "http", "endpoints": [{"host": "news.example.com"}]}
    zones = served.runtime.zones
    zones.make(ROOT, {"object_size": "small", "upstream": plain})
    more = {
        "custom_domains": [f"{name}.a-rather-long-name.example.com" for name in "abcde"],
        "referers": ["www.example.com", "!none"],
        "hash_secret": "a-secret",
        "limit_rate_security": "on",
        "error_pages": ["404:https://www.example.com/a/page/that/says/that/nothing/is/there"],
        "expiration": 86_400,
    }
    found = zones.make(ROOT, {"object_size": "big", "upstream": upstream, **more})
    assert found.number == 2
    served.runtime.purge_jobs.begin(ROOT, 2, ["/a/file.css", "/b.js"], prefixes=["/c/"])
    storage = served.runtime.storages.make(ROOT, "films-of-the-year", "europe")
    served.parts |= {"zone": "1", "storage": str(storage.number)}


def _photos(s3: Any) -> None:
    for number, name in enumerate(("beach", "boat", "dunes", "pier", "sunset")):
        body = picture(16 + number, 12)
        s3.put_object(
            Bucket="photos", Key=f"holiday/{name}.png", Body=body, ContentType="image/png"
        )
    for text in (b"first", b"second", b"third"):
        s3.put_object(Bucket="photos", Key="read me.txt", Body=text, ContentType="text/plain")
    s3.put_object(Bucket="photos", Key="holiday/old.txt", Body=b"gone")
    s3.delete_object(Bucket="photos", Key="holiday/old.txt")
    s3.put_object(
        Bucket="photos",
        Key="<b>markup</b> & «quotes» – a name that is rather long, and has no folder at all.txt",
        Body=b"text",
        Metadata={"note": "<script>alert(1)</script>"},
    )


def _uploads(s3: Any) -> None:
    for key in ("large/film.mp4", "large/disk.img"):
        upload = s3.create_multipart_upload(Bucket="backups", Key=key)["UploadId"]
        s3.upload_part(Bucket="backups", Key=key, UploadId=upload, PartNumber=1, Body=b"x" * 9000)


def picture(width: int, height: int) -> bytes:
    """A PNG with a gradient (W3C, Portable Network Graphics)."""
    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 120)) for x in range(width))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


# what is to be looked at


def views() -> list[tuple[str, str]]:
    """(name, path below the console) of all pages that somebody opens. A path may have parts."""
    pages = [page for page in TABLE if page.get and not page.embedded and page.name not in UNSEEN]
    return [*((page.name, PLACES.get(page.name, page.path)) for page in pages), *FURTHER]

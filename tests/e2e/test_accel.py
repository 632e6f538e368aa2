"""nginx in front that sends files by itself: each answer is the one that the gateway gives, header
by header and byte by byte, and what can be handed over is.

nginx has the lines that docs/operations.md shows. It runs as who runs the test, as it has to run as
the gateway's user.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from gateway.servers.sockets import wait_until_accepting
from gateway.web.accel import ADDED, MOVED
from tests.code_blocks import blocks
from tests.e2e.conftest import SERVERS, Running, free_port, serving
from tests.e2e.raw import GUARD, eventually, log_of, signed

pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not there"),
    pytest.mark.skipif(sys.platform == "win32", reason="a user of POSIX, and nginx of its own"),
]

CONFIG = """
[server]
accel = "nginx"
trusted_proxies = ["{proxies}"]

[services.site]
driver = "local"

[services.cached]
driver = "cache"
source = "site"

[[bindings]]
host = "site.example"
mode = "public"
service = "site"

[[bindings]]
host = "slow.example"
mode = "public"
service = "site"
limit_rate = "600k"

[[bindings]]
host = "cached.example"
mode = "public"
service = "cached"
"""
BODY = os.urandom(700_001)
OF_SERVERS = frozenset({"date", "server", "connection", "keep-alive"})
OF_ONE = frozenset({"x-amz-request-id", "x-request-id", "age", "cache-status"})
"""Headers whose values are of one answer, or of a second."""

_ID = re.compile(b"<(RequestId|HostId)>[^<]*")


class Answer(NamedTuple):
    status: int
    headers: dict[str, list[str]]
    body: bytes


class Nginx(NamedTuple):
    """In front of a gateway."""

    gateway: Running
    netloc: str
    log: Path

    def ask(
        self, method: str, target: str, headers: Mapping[str, str] = {}, *, inside: bool = False
    ) -> Answer:
        """By nginx, or of the gateway itself (`inside`) with the same host."""
        place = urlsplit(self.gateway.url).netloc if inside else self.netloc
        with closing(HTTPConnection(place, timeout=GUARD)) as connection:
            connection.request(method, target, headers={"Host": self.netloc, **headers})
            answer = connection.getresponse()
            body = _ID.sub(b"", answer.read())
        said: dict[str, list[str]] = {}
        for name, value in answer.getheaders():
            if (name := name.lower()) not in OF_SERVERS:
                said.setdefault(name, []).append("" if name in OF_ONE else value)
        return Answer(answer.status, said, body)

    def handed_over(self) -> str:
        """Of the last request: "yes", "no", or "again" where the gateway had to send it after
        all."""
        _, uri, able, _ = self.log.read_text("utf-8").splitlines()[-1].split("|")
        if uri.startswith("/-files/"):
            return "yes" if able else "again"
        return "no"


@contextmanager
def nginx(gateway: Running, folder: Path, files: Path | None = None) -> Iterator[Nginx]:
    """`files`: where it looks for the gateway's."""
    (recipe,) = (one.code for one in blocks("docs/operations.md") if one.language == "nginx")
    port = free_port()
    for theirs, ours in (
        ("127.0.0.1:9000", urlsplit(gateway.url).netloc),
        ("listen 80", f"listen 127.0.0.1:{port}"),
        ("/var/lib/storage-gateway/", f"{files or gateway.folder / 'data'}/"),
    ):
        assert theirs in recipe
        recipe = recipe.replace(theirs, ours)
    user = f"user {getpass.getuser()};" if os.getuid() == 0 else ""
    folder.mkdir()
    (folder / "nginx.conf").write_text(
        f"""
        {user} daemon off; pid nginx.pid; error_log error.log; worker_processes 1;
        events {{}}
        http {{
          log_format told "$status|$uri|$able|$request_uri";
          access_log log told; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
          uwsgi_temp_path u; scgi_temp_path s; keepalive_timeout 5;
          {recipe}
        }}
        """
    )
    command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_until_accepting("127.0.0.1", port, threading.Event())
            yield Nginx(gateway, f"127.0.0.1:{port}", folder / "log")
        finally:
            process.terminate()


@contextmanager
def started(folder: Path, server: str, proxies: str = "127.0.0.1") -> Iterator[Nginx]:
    config = CONFIG.format(proxies=proxies)
    with serving(folder / "gateway", "--server", server, "--workers", "1", config=config) as one:
        fill(one)
        with nginx(one, folder / "nginx") as front:
            yield front


@pytest.fixture(scope="module", params=SERVERS)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nginx]:
    with started(tmp_path_factory.mktemp("accel"), request.param) as one:
        yield one


def fill(gateway: Running) -> None:
    """Files that were written long ago."""
    client = gateway.client()
    client.put_object(Bucket="site", Key="a b/ü?.bin", Body=BODY, ContentType="image/x-test")
    client.put_object(
        Bucket="site", Key="all.bin", Body=BODY, ContentType="text/plain; charset=utf-8",
        CacheControl="max-age=5, public", ContentDisposition='attachment; filename="a.bin"',
        ContentEncoding="x-none", ContentLanguage="de", Tagging="a=b", StorageClass="STANDARD_IA",
        ChecksumAlgorithm="SHA256",
    )  # fmt: skip
    client.put_object(Bucket="site", Key="named.bin", Body=BODY, Metadata={"who": "me"})
    client.put_object(Bucket="site", Key="sealed.bin", Body=BODY, ServerSideEncryption="AES256")
    client.put_object(Bucket="site", Key="small.bin", Body=BODY[:1000])
    client.put_object(Bucket="site", Key="page.html", Body=BODY, ContentType="text/html")
    for path in (gateway.folder / "data").rglob("*"):
        if path.is_file() and len(path.name) == 32:
            os.utime(path, (1_600_000_000, 1_600_000_000))


def same(front: Nginx, target: str, headers: Mapping[str, str], method: str = "GET") -> Answer:
    """The third answer by nginx, of which the blocks were read by then, which is that of the
    gateway."""
    expected = front.ask(method, target, headers, inside=True)
    for _ in range(3):
        got = front.ask(method, target, headers)
        assert got.headers == expected.headers, target
        assert (got.status, got.body) == (expected.status, expected.body), target
    return got


def key(front: Nginx, target: str, headers: Mapping[str, str] = {}) -> dict[str, str]:
    return signed(f"http://{front.netloc}", "GET", target, headers)


S3: tuple[tuple[str, dict[str, str], int, str], ...] = (
    ("/site/all.bin", {}, 200, "yes"),
    ("/site/a%20b/%C3%BC%3F.bin", {}, 200, "yes"),
    ("/site/all.bin", {"x-amz-checksum-mode": "ENABLED"}, 200, "yes"),
    ("/site/all.bin?response-content-type=a%2Fb&response-expires=0", {}, 200, "yes"),
    ("/site/all.bin", {"Range": "bytes=0-"}, 206, "yes"),
    ("/site/all.bin", {"Range": "bytes=262143-600000"}, 206, "yes"),
    ("/site/all.bin", {"Range": "bytes=-1"}, 206, "yes"),
    ("/site/all.bin", {"Range": "bytes=5-99999999"}, 206, "yes"),
    ("/site/all.bin", {"Range": "bytes=700001-"}, 416, "no"),
    ("/site/all.bin", {"Range": "bytes=0-1,5-6"}, 200, "no"),
    ("/site/all.bin", {"Range": "bytes=5-1"}, 200, "no"),
    ("/site/all.bin", {"Range": "bytes=0-9", "If-Range": '"no"'}, 200, "no"),
    ("/site/all.bin", {"If-None-Match": '"no"'}, 200, "no"),
    ("/site/all.bin", {"If-None-Match": "*"}, 304, "no"),
    ("/site/all.bin", {"If-Match": '"no"'}, 412, "no"),
    ("/site/all.bin", {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200, "no"),
    ("/site/all.bin?partNumber=1", {}, 206, "no"),
    ("/site/named.bin", {}, 200, "no"),
    ("/site/sealed.bin", {}, 200, "no"),
    ("/site/small.bin", {}, 200, "no"),
    ("/site/none.bin", {}, 404, "no"),
)


def test_each_answer_is_that_of_the_gateway(front: Nginx) -> None:
    for target, headers, status, handed in S3:
        got = same(front, target, key(front, target, headers))
        assert (got.status, front.handed_over()) == (status, handed), (target, headers)
        assert not {"x-accel-redirect", "x-sendfile"} & got.headers.keys()


def test_a_head_is_that_of_the_gateway(front: Nginx) -> None:
    headers = signed(f"http://{front.netloc}", "HEAD", "/site/all.bin")
    assert same(front, "/site/all.bin", headers, "HEAD").status == 200
    assert front.handed_over() == "no"


PUBLIC = (
    ("site.example", "/all.bin", "yes"),
    ("site.example", "/page.html", "yes"),
    ("site.example", "/named.bin", "yes"),  # of which nothing is said there
    ("slow.example", "/all.bin", "no"),
    ("cached.example", "/all.bin", "yes"),
)


def test_so_is_one_to_a_visitor(front: Nginx) -> None:
    for host, target, handed in PUBLIC:
        if host == "cached.example":
            front.ask("GET", target, {"Host": host}, inside=True)  # the cache has it
            for path in (front.gateway.folder / "data").rglob("*"):
                if path.is_file() and len(path.name) == 32:
                    os.utime(path, (1_600_000_000, 1_600_000_000))
        got = same(front, target, {"Host": host})
        assert (got.status, front.handed_over()) == (200, handed), (host, target)


def test_who_may_not_have_it_gets_nothing_of_it(front: Nginx) -> None:
    target = "/site/all.bin"
    same(front, target, key(front, target))
    assert front.handed_over() == "yes"
    assert front.ask("GET", target).status == 403
    files = [one for one in front.log.read_text("utf-8").split("|") if one.startswith("/-files/")]
    file = files[-1]
    assert BODY not in front.ask("GET", file).body
    assert front.ask("GET", file, key(front, file)).status == 404


def test_what_nginx_cannot_open_is_sent_by_the_gateway(front: Nginx, tmp_path: Path) -> None:
    """It was overwritten just then, or nginx runs as another user, or has another folder."""
    target = "/site/all.bin"
    same(front, target, key(front, target))
    (tmp_path / "empty").mkdir()
    with nginx(front.gateway, tmp_path / "nginx", tmp_path / "empty") as other:
        for headers in ({}, {"Range": "bytes=5-500000"}):
            same(other, target, key(other, target, headers))
            assert other.handed_over() == "again"


def test_who_is_no_trusted_proxy_or_does_not_say_that_it_can_is_told_of_no_file(
    front: Nginx, tmp_path: Path
) -> None:
    target = "/site/all.bin"
    able = {"X-Sendfile-Type": "X-Accel-Redirect"}
    same(front, target, key(front, target))
    told = front.ask("GET", target, key(front, target) | able, inside=True)
    assert (told.headers["x-accel-redirect"][0][:8], told.body) == ("/-files/", b"")
    for said in ({}, {"X-Sendfile-Type": "X-Sendfile"}, {"X_Sendfile_Type": "X-Accel-Redirect"}):
        got = front.ask("GET", target, key(front, target) | said, inside=True)
        if "X_Sendfile_Type" not in said:  # which granian takes for the other
            assert got.body == BODY
            assert "x-accel-redirect" not in got.headers
    with serving(
        tmp_path / "other", "--server", "waitress", config=CONFIG.format(proxies="192.0.2.1")
    ) as gateway:
        fill(gateway)
        netloc = urlsplit(gateway.url).netloc
        stranger = Nginx(gateway, netloc, tmp_path)
        for _ in range(3):
            got = stranger.ask("GET", target, key(stranger, target) | able)
            assert (got.status, got.body) == (200, BODY)
            assert "x-accel-redirect" not in got.headers


def test_the_bytes_that_nginx_sends_are_counted(front: Nginx) -> None:
    target = "/site/all.bin?x-id=counted"
    headers = key(front, target, {"Range": "bytes=5-500004"})
    same(front, target, headers)
    assert front.handed_over() == "yes"
    said = " 206 0 500000 "
    eventually(lambda: log_of(front.gateway).count(said) >= 4, "lines of all four")


def test_the_recipe_has_all_headers_that_are_handed_over() -> None:
    (recipe,) = (one.code for one in blocks("docs/operations.md") if one.language == "nginx")
    lines = [one.split() for one in recipe.splitlines() if "add_header" in one]
    assert [name for _, name, _ in lines] == [*MOVED, *ADDED]
    for _, name, value in lines:
        told = f"X-File-{name}" if name in MOVED else name
        assert value == f"$upstream_http_{told.lower().replace('-', '_')};"

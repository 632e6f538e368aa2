"""A whole life by the CDN control mode, on a real server with two workers, with curl, an FTP
client and a browser: sign in, a storage, upload by FTP, a zone in front of it, a certificate, the
first hit and the second, a signed link that expires, a purge, and reports that add up to the byte.
"""

from __future__ import annotations

import ftplib
import hashlib
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.testing.certificates import certificate
from tests.browser.chromium import chromium, missing
from tests.e2e.conftest import KEY, SECRET, Running, free_port, serving
from tests.e2e.raw import eventually, log_of
from tests.e2e.test_certificates import shown

SUFFIX = "cdn.localhost"
DOMAIN = "www.section9.localhost"
LINK_SECRET = "s3cret"
PAGE = b"""<!doctype html>
<link rel="icon" href="data:,">
<title>Section 9</title>
<img src="/images/dot.svg" alt="a dot">
"""
DOT = b"""<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9"/></svg>"""
FILES = {
    **{f"images/{n}.bin": os.urandom(1000 + n) for n in range(3)},
    "page.html": PAGE,
    "images/dot.svg": DOT,
}
pytestmark = [
    pytest.mark.usefixtures("processes", "seconds"),
    pytest.mark.skipif(sys.platform == "win32", reason="one worker answers there"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


class Got(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class Life:
    """`got` and `hits` count what the zone has answered, of all names that it has."""

    def __init__(self, running: Running, ports: dict[str, int], trusted: Path) -> None:
        self.running, self.ports, self.trusted = running, ports, trusted
        self.token, self.hits, self.bytes = "", 0, 0
        self.statuses: dict[int, int] = {}
        self.by_http2 = 0

    def curl(self, *words: str, host: str = "127.0.0.1", data: bytes | None = None) -> Got:
        """As somebody types it; `host` is led here."""
        head = self.running.folder / "head"
        command = ["curl", "-sS", "--max-time", "60", "--noproxy", "*", "-D", str(head)]
        for port in self.ports.values():
            command += ["--resolve", f"{host}:{port}:127.0.0.1"] if host != "127.0.0.1" else []
        done = subprocess.run([*command, *words], input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        first, *lines = head.read_text("latin-1").strip().split("\n\n")[-1].split("\n")
        named = (line.partition(":") for line in lines)
        headers = {name.lower(): text.strip() for name, _, text in named}
        return Got(int(first.split()[1]), done.stdout, headers)

    def call(self, method: str, path: str, body: Any = None, **query: object) -> Any:
        words = ["-X", method, "-H", f"X-UCDN-Token: {self.token}"]
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            words += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        target = f"http://127.0.0.1:{self.ports['http']}/v3{path}"
        got = self.curl(*words, target + (f"?{urlencode(query)}" if query else ""), data=data)
        assert got.status == 200, (method, path, got)
        return json.loads(got.body)

    def get(self, host: str, path: str, *words: str, tls: bool = False) -> Got:
        """From the zone."""
        scheme = "https" if tls else "http"
        got = self.curl(*words, f"{scheme}://{host}:{self.ports[scheme]}{path}", host=host)
        self.count(got.status, len(got.body), http2=tls)
        return got

    def count(self, status: int, size: int, *, http2: bool) -> None:
        """What the zone has answered."""
        self.hits += 1
        self.bytes += size
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.by_http2 += http2

    def ftp(self, storage: dict[str, Any]) -> ftplib.FTP_TLS:
        host, _, port = storage["ftp_host"].partition(":")
        context = ssl.create_default_context(cafile=str(self.trusted))
        client = ftplib.FTP_TLS(context=context, timeout=60)
        client.connect(host, int(port))
        client.login(storage["ftp_user"], storage["ftp_password"])
        client.prot_p()
        return client

    def ready(self, zone: int) -> dict[str, Any]:
        """The zone, once every worker serves it as it is shown."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.append(self.call("GET", f"/zone/{zone}"))
            return bool(found[-1]["reconfig_status"] == "ready")

        eventually(look, f"zone {zone} is ready")
        return found[-1]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder = tmp_path_factory.mktemp("cdn")
    own = certificate(folder)
    tls = f"{{ certificate = '{own[0]}', key = '{own[1]}' }}"
    ports = {name: free_port() for name in ("http", "https", "ftp")}
    config = f"""
[server]
data = '{folder / "data"}'
server = "granian"
workers = 2
http2 = true
listen = [
    "127.0.0.1:{ports["http"]}",
    {{ address = "127.0.0.1:{ports["https"]}", tls = {tls} }},
]
[cdn]
suffix = "{SUFFIX}"
ftp = "localhost:{ports["ftp"]}"
[reports]
flush = "0.2s"
[[listeners]]
protocol = "ftp"
address = "127.0.0.1:{ports["ftp"]}"
tls = {tls}
"""
    with serving(folder, config=config, at=ports["http"]) as running:
        yield Life(running, ports, own[0])
        assert "Traceback" not in log_of(running)


def rsa_certificate(name: str) -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def signed(path: str, created: int, ttl: int) -> str:
    text = f"{path}{LINK_SECRET}{created}{ttl}"
    digest = hashlib.md5(text.encode()).hexdigest()
    query = urlencode({"cdn_hash": digest, "cdn_creation_time": created, "cdn_ttl": ttl})
    return f"{path}?{query}"


def test_a_whole_life(life: Life) -> None:
    # sign in
    login = {"email": KEY, "password": SECRET}
    life.token = life.call("POST", "/check/login/", login)["token"]
    account = life.call("GET", "/account/")["id"]

    # a storage, and what goes into it
    made = life.call("POST", "/storage/", {"name": "level-4-logs", "region": "europe"})
    storage = life.call("GET", f"/storage/{made['id']}")
    with life.ftp(storage) as ftp:
        ftp.mkd("images")
        for name, data in FILES.items():
            ftp.storbinary(f"STOR /{name}", io.BytesIO(data))
    size = life.call("GET", f"/storage/{made['id']}/size")
    assert size["bytes"] == sum(map(len, FILES.values()))

    # a zone in front
    zone = life.call(
        "POST",
        "/zone/",
        {
            "object_size": "small",
            "storage_id": made["id"],
            "custom_domains": [DOMAIN],
            "expiration": 3600,
        },
    )["zone_id"]
    shown = life.ready(zone)
    own = f"a{zone}-{account}.{SUFFIX}"
    assert shown["cdn_domain"] == own
    first, second = (life.get(own, "/images/0.bin") for _ in range(2))
    assert first.body == second.body == FILES["images/0.bin"]
    assert "hit" not in first.headers["cache-status"]
    assert "hit" in second.headers["cache-status"]
    assert life.get(DOMAIN, "/images/1.bin").body == FILES["images/1.bin"]
    assert life.get(own, "/images/none.bin").status == 404

    certified(life)
    browsed(life)
    links(life, zone, own)
    purged(life, zone, own, storage)
    reported(life, zone)


def certified(life: Life) -> None:
    """The name's own, in every worker."""
    chain, key = rsa_certificate(DOMAIN)
    life.call("POST", "/certificate/", {"certificate": chain, "key": key})
    (found,) = life.call("GET", "/certificates/")
    assert found["hostname"] == DOMAIN
    assert [one["domain"] for one in found["used_in_zones"]] == [DOMAIN]
    trusted = life.running.folder / "trusted.pem"
    trusted.write_text(chain, "ascii")
    wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain)).hexdigest()
    port = life.ports["https"]
    eventually(lambda: all(shown(port, DOMAIN) == wanted for _ in range(8)), "it is shown")
    got = life.get(DOMAIN, "/images/1.bin", "--cacert", str(trusted), tls=True)
    assert got.body == FILES["images/1.bin"]


def browsed(life: Life) -> None:
    """By HTTP/2, with what the page shows; only where there is a browser."""
    if missing():
        return
    with chromium() as browser:
        page = browser.new_page(ignore_https_errors=True)
        answers: list[Any] = []

        def note(answer: Any) -> None:  # no method of a list: Playwright writes on what it calls
            answers.append(answer)

        page.on("response", note)
        page.goto(f"https://{DOMAIN}:{life.ports['https']}/page.html")
        assert page.title() == "Section 9"
        assert page.evaluate("document.images[0].naturalWidth") == 9
        spoken = page.evaluate("performance.getEntries().map(one => one.nextHopProtocol)")
        assert {one for one in spoken if one} == {"h2"}
        bodies = [one.body() for one in answers]
        assert sorted(bodies) == sorted([PAGE, DOT])
    for body in bodies:
        life.count(200, len(body), http2=True)


def links(life: Life, zone: int, own: str) -> None:
    body = {"hash_secret": LINK_SECRET, "hash_algorithm": "md5", "hash_ttl": 3600}
    life.call("PATCH", f"/zone/{zone}", body)
    life.ready(zone)
    assert life.get(own, "/images/0.bin").status == 403
    now = int(time.time())
    link = signed("/images/0.bin", now, 3)
    got = life.get(own, link)
    assert (got.status, got.body) == (200, FILES["images/0.bin"])
    assert "hit" in got.headers["cache-status"]
    assert life.get(own, link.replace("/0.bin", "/1.bin")).status == 403
    time.sleep(max(0, now + 3 - time.time()) + 0.1)
    assert life.get(own, link).status == 410
    life.call("PATCH", f"/zone/{zone}", clear_security_token=1)
    life.ready(zone)


def purged(life: Life, zone: int, own: str, storage: dict[str, Any]) -> None:
    """What was overwritten is what it was, until the job says that it is finished."""
    new = b"new bytes"
    with life.ftp(storage) as ftp:
        ftp.storbinary("STOR /images/0.bin", io.BytesIO(new))
    job = life.call("POST", f"/purge/zone/{zone}/", {"files": "/images/0.bin\n/images/9.bin"})

    def finished() -> bool:
        found = life.call("GET", f"/purge/job/{job['job_id']}/")
        assert found["status"] in ("waiting", "running", "finished")
        return bool(found["status"] == "finished")

    eventually(finished, "the purge")
    assert {life.get(own, "/images/0.bin").body for _ in range(8)} == {new}
    assert life.get(own, "/images/1.bin").headers["cache-status"].count("hit")
    life.call("DELETE", f"/purge/job/{job['job_id']}")


def reported(life: Life, zone: int) -> None:
    """To the request and to the byte, whichever worker answered."""
    now = int(time.time())
    span = {"from": now - 3600, "to": now + 3600, "zones": zone, "by": "5min"}

    def sums(what: str) -> int:
        found = life.call("GET", f"/reports/{what}/", **span)
        assert found["element_duration"] == 300
        return sum(value for _, value in found["elements"])

    eventually(lambda: sums("hits") >= life.hits, "all hits are in the report")
    assert (sums("hits"), sums("bytes")) == (life.hits, life.bytes)
    assert sums("hits/http2") == sums("hits/ssl") == life.by_http2
    usage = life.call("GET", f"/reports/{zone}/", date_from=now - 3600, date_to=now + 3600)
    assert usage == {"hits": life.hits, "bytes_served": life.bytes}
    codes = life.call("GET", "/reports/status/codes/", **span)["elements"]
    counted = {int(code): sum(hits for _, hits, _ in rows) for code, rows in codes.items()}
    assert {code: counted.get(code) for code in life.statuses} == life.statuses

"""What an authority may answer besides what Pebble does: limits, failures, nonsense, and when it
wants a certificate to be renewed."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import Any

import pytest

pytest.importorskip("acme", reason="needs the extra `acme`")

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.services.issuing import authority as asked
from gateway.services.issuing import tries
from gateway.services.issuing.answers import Away, Gone, NoAccount, Refused
from gateway.services.issuing.authority import Authority, identified, new_key
from gateway.storage import Secret
from tests.issuing.conftest import MakeSite

pytestmark = pytest.mark.usefixtures("sockets")
PROBLEM, JSON = "application/problem+json", "application/json"


class Stub:
    """Answers what it is told to, by path, and keeps what it was told."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, Any, dict[str, str]]] = {}
        self.told: list[tuple[str, Any]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stub.told.append((self.path, decoded(json.loads(body)["payload"])))
                self._answer()

            def _answer(self) -> None:
                status, kind, body, more = stub.answers.get(self.path, (200, "", b"", {}))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                headers = {"Content-Length": str(len(data)), "Replay-Nonce": "bm9uY2U", **more}
                for name, value in {**headers, "Content-Type": kind}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data if self.command != "HEAD" else b"")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        names = ("newNonce", "newAccount", "newOrder", "renewalInfo")
        self.say("/dir", {one: f"{self.url}/{one}" for one in names})

    def say(self, path: str, body: Any, status: int = 200, kind: str = JSON, **more: str) -> None:
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        self.answers[path] = status, kind, body, headers

    def refuse(self, path: str, code: str, words: str, status: int = 403, **more: str) -> None:
        said = {"type": f"urn:ietf:params:acme:error:{code}", "detail": words}
        self.say(path, said, status, PROBLEM, **more)


def decoded(text: str) -> Any:
    return json.loads(urlsafe_b64decode(text + "==") or b"null")


@pytest.fixture
def stub() -> Iterator[Stub]:
    found = Stub()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def authority(stub: Stub) -> Iterator[Authority]:
    found = Authority(f"{stub.url}/dir", new_key(), f"{stub.url}/account/1")
    yield found
    found.close()


def issued(days: int = 60, serial: int = 0x8F_00_01) -> str:
    key, begins = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) - timedelta(days=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), serial)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.AuthorityKeyIdentifier(b"\x69\x88\x5b", None, None), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(pem.Encoding.PEM)
        .decode()
    )


def test_what_it_says_no_to_is_said_in_its_words(stub: Stub, authority: Authority) -> None:
    stub.refuse("/newOrder", "rateLimited", "too many\r\n\x1b[31m orders", 429, Retry_After="7200")
    with pytest.raises(Refused) as caught:
        authority.begin("a.test")
    found = caught.value
    assert (found.words, found.code) == ("too many   [31m orders", "rateLimited")
    assert found.wait == 2 * tries.HOUR
    stub.refuse("/newOrder", "rejectedIdentifier", "x" * 9999, 400)
    with pytest.raises(Refused) as caught:
        authority.begin("a.test")
    assert caught.value.code == "rejectedIdentifier" and len(caught.value.words) == 500
    stub.refuse("/newOrder", "accountDoesNotExist", "who?", 400)
    with pytest.raises(NoAccount):
        authority.begin("a.test")
    stub.refuse("/order/1", "malformed", "no such order", 404)
    with pytest.raises(Gone):
        authority.order(f"{stub.url}/order/1")


def test_what_is_no_answer_is_none(stub: Stub, authority: Authority) -> None:
    asks: list[Callable[[], object]] = [
        lambda: authority.order(f"{stub.url}/order/1"),
        lambda: authority.proof(f"{stub.url}/authz/1"),
        lambda: authority.begin("a.test"),
    ]
    bodies = (b"<html>", b"", b"[]", b"{}", b'{"status": 7}', b'"x"', b"\xff", b"7", b"null")
    for status, body in product((200, 404, 502), bodies):
        for path in ("/order/1", "/authz/1", "/newOrder", "/other"):
            stub.say(path, body, status)
        other = Authority(f"{stub.url}/other", new_key())
        for ask in (*asks, lambda other=other: other.enter("")):  # type: ignore[misc]
            with pytest.raises(Away, match=f"not one of an authority: HTTP {status}"):
                ask()
        other.close()


def test_what_fails_there_is_no_refusal(stub: Stub, authority: Authority) -> None:
    stub.refuse("/newOrder", "serverInternal", "The database is down.", 500)
    with pytest.raises(Away, match=r"The database is down\."):
        authority.begin("a.test")
    stub.refuse("/newOrder", "badNonce", "Stale.", 400)
    with pytest.raises(Away, match=r"Stale\."):
        authority.begin("a.test")
    assert len(stub.told) == 1 + 2 * (asked._NONCES + 1)


def test_who_takes_too_long_is_away(stub: Stub, authority: Authority) -> None:
    class Slow(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            threading.Event().wait(0.5)
            return 200, JSON, {}, {}

    authority._net._default_timeout = 0.05
    stub.answers = Slow()
    with pytest.raises(Away, match="it did not answer within"):
        authority.begin("a.test")


def test_it_proves_by_http_or_not_at_all(stub: Stub, authority: Authority) -> None:
    challenge = {"type": "dns-01", "url": f"{stub.url}/c", "token": "t" * 43, "status": "pending"}
    identifier = {"type": "dns", "value": "a.test"}
    stub.say("/authz/1", {"identifier": identifier, "status": "pending", "challenges": [challenge]})
    with pytest.raises(Refused, match="http-01") as caught:
        authority.proof(f"{stub.url}/authz/1")
    assert caught.value.code == "unsupported"


def test_when_it_wants_a_certificate_to_be_renewed(stub: Stub, authority: Authority) -> None:
    chain = issued()
    path = f"/renewalInfo/{identified(chain)}"
    assert path == "/renewalInfo/aYhb.AI8AAQ"  # RFC 9773 §4.1: a number is not negative
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    window = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
    stub.say(path, {"suggestedWindow": window}, Retry_After="21600")
    when, then = authority.renewal(chain)
    begins = round(start.timestamp() * 1000)
    assert when is not None and begins <= when <= begins + tries.HOUR
    now = round(datetime.now(UTC).timestamp() * 1000)
    assert abs(then - now - 6 * tries.HOUR) < tries.MINUTE
    stub.say(path, b"", 503)
    assert authority.renewal(chain)[0] is None
    stub.say("/dir", {"newOrder": f"{stub.url}/newOrder", "newNonce": f"{stub.url}/newNonce"})
    without = Authority(f"{stub.url}/dir", new_key(), "x")
    assert without.renewal(chain)[0] is None
    stub.say("/newOrder", {}, 201, Location=f"{stub.url}/order/1")
    for one, replaces in ((authority, identified(chain)), (without, None)):
        assert one.begin("a.test", chain) == f"{stub.url}/order/1"
        told = stub.told[-1][1]
        assert told.get("replaces") == replaces
        assert told["identifiers"] == [{"type": "dns", "value": "a.test"}]
    without.close()


def test_it_is_renewed_when_the_authority_wants_that(stub: Stub, make_site: MakeSite) -> None:
    """Not at a third of its life; and not each time, whatever it says."""
    site = make_site({"directory": "https://127.0.0.1:9/dir", "terms_agreed": True})
    options = site.configuration.acme
    object.__setattr__(options, "directory", f"{stub.url}/dir")
    catalog = site.runtime.catalog
    catalog.acme_account(f"{stub.url}/dir", new_key())
    catalog.set_acme_account(f"{stub.url}/dir", f"{stub.url}/account/1")
    site.certificates.order(["a.test"])
    (row,) = catalog.orders().values()
    chain, now = issued(), site.clock()
    row = replace(
        row,
        state="issued",
        directory=f"{stub.url}/dir",
        expires=now + 59 * tries.DAY,
        due=now + 40 * tries.DAY,
        tries=(now - tries.HOUR,),
        look=now,
    )
    catalog.set_order(row, chain, Secret(new_key().reveal()))
    start = datetime.now(UTC) + timedelta(days=30)
    window = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
    path = f"/renewalInfo/{identified(chain)}"
    stub.say(path, {"suggestedWindow": window}, Retry_After="21600")
    assert site.runs() == {}
    found = catalog.orders()["a.test"]
    assert abs(found.due - now - 30 * tries.DAY) <= 2 * tries.HOUR
    assert abs(found.look - now - 6 * tries.HOUR) < tries.MINUTE
    past = datetime.now(UTC) - timedelta(days=3)
    window = {"start": past.isoformat(), "end": (past + timedelta(hours=1)).isoformat()}
    stub.say(path, {"suggestedWindow": window}, Retry_After="1")
    site.ahead = 7 * tries.HOUR
    assert site.runs() == {}
    found = catalog.orders()["a.test"]
    assert found.due == now - tries.HOUR + tries.DAY
    assert found.look >= site.clock() + tries.HOUR - tries.MINUTE

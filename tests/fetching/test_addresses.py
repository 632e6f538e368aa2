"""Whom an origin, a name or a redirect has the gateway connect to, and what is said there."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from drivers.http import Http
from gateway.common.upstream import dialing
from gateway.storage import Get, OriginFailed, Secret
from gateway.testing.certificates import certificate
from gateway.testing.faults import PATIENCE
from gateway.testing.upstreams import Exchange, Upstream, answer, hang
from tests.fetching.origin import Fetching, kept, read
from tests.modes.public_gateway import serving

Resolver = Callable[[dict[str, list[str]]], list[str]]


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Names have these addresses; each is asked for in turn, the last again and again. Gives the
    names that were looked up."""
    plain = socket.getaddrinfo

    def with_names(names: dict[str, list[str]]) -> list[str]:
        asked = list[str]()

        def look(host: str, port: int, *rest: Any, **options: Any) -> Sequence[Any]:
            if host not in names:
                return plain(host, port, *rest, **options)
            if options.get("flags"):
                raise socket.gaierror("a name")
            asked.append(host)
            found = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
            return [one for ip in found.split() for one in plain(ip, port, *rest, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", look)
        monkeypatch.setattr(dialing.Names.__init__, "__defaults__", (look,))
        return asked

    return with_names


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0177.0.0.1", "0.0.0.0"]
)
def test_this_machine_is_not_connected_to(
    origin: Upstream, fetching: Fetching, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    store = fetching.http(f"http://{host}:{origin.port}", allow=())
    dialing._log_once.cache_clear()
    with caplog.at_level(logging.WARNING), pytest.raises(OriginFailed) as caught:
        store.get("k")
    assert "no address that may be connected to" in str(caught.value)
    assert "loopback" not in str(caught.value), "who asks learns nothing of this network"
    assert "loopback" in caplog.text or "this host" in caplog.text
    assert not origin.connections


def test_visitors_learn_no_address_of_an_origin_that_fails(
    origin: Upstream, resolves: Resolver, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the page nor in a header: of those that may not be connected to, that nobody
    answers at, and that were led to."""
    resolves({"inner.test": ["::ffff:127.0.0.1 10.1.2.3"], "away.test": ["127.0.0.1"]})
    origin.always(answer(302, b"", {"Location": f"http://[::ffff:10.1.2.3]:{origin.port}/x"}))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    urls = {
        "inner": f"http://inner.test:{origin.port}",
        "away": f"http://away.test:{port}",
        "led": origin.url,
        "decimal": f"http://167838211:{origin.port}",
    }
    allow = ["127.0.0.0/8"]
    services: dict[str, dict[str, Any]] = {
        sid: {"driver": "http", "url": url, "allow": [] if sid == "inner" else allow}
        for sid, url in urls.items()
    }
    bindings: list[dict[str, Any]] = [{"service": sid, "host": f"{sid}.example"} for sid in urls]
    with serving(services, bindings) as site:
        for sid in urls:
            found = site.ask("/k", host=f"{sid}.example")
            assert found.status in (502, 503), sid
            shown = found.body.decode() + repr(found.lines)
            for one in ("127.0.0.1", "10.1.2.3", "167838211", str(origin.port), str(port), ".test"):
                assert one not in shown, (sid, one)
    assert "10.1.2.3" in caplog.text, "the operator does"


def test_what_is_denied_is_not_connected_to_whatever_is_allowed(
    origin: Upstream, fetching: Fetching
) -> None:
    store = fetching.http(origin.url, deny=(ip_network("127.0.0.0/24"),))
    with pytest.raises(OriginFailed):
        store.get("k")
    assert not origin.connections


def test_the_address_that_was_looked_at_is_the_one_connected_to(
    origin: Upstream, fetching: Fetching, resolves: Resolver
) -> None:
    """A name that is public when it is asked for the first time, and ours the second."""
    asked = resolves({"rebinds.test": ["203.0.113.7", "127.0.0.1"]})
    kept(origin, k=b"data")
    store = fetching.http(
        f"http://rebinds.test:{origin.port}", allow=(ip_network("203.0.113.0/24"),),
        connect_timeout=0.2,
    )  # fmt: skip
    with pytest.raises(OriginFailed):
        store.get("k")
    assert asked == ["rebinds.test"], "once for each connection"
    with pytest.raises(OriginFailed, match="no address"):
        store.get("k")
    assert not origin.connections


def test_of_two_networks_only_the_one_that_may_is_connected_to(
    origin: Upstream, fetching: Fetching, resolves: Resolver
) -> None:
    resolves({"two.test": ["10.0.0.1 127.0.0.1 169.254.169.254"]})
    kept(origin, k=b"data")
    assert read(fetching.http(f"http://two.test:{origin.port}")) == b"data"
    assert origin.requests[0].headers["host"] == f"two.test:{origin.port}"


def test_a_redirect_is_held_to_the_same(
    origin: Upstream, other: Upstream, fetching: Fetching, resolves: Resolver
) -> None:
    resolves({"inner.test": ["127.0.0.2"]})
    only = (ip_network("127.0.0.1/32"),)
    for location in (f"http://127.0.0.2:{other.port}/x", f"http://inner.test:{other.port}/x"):
        origin.will(answer(302, b"", {"Location": location}))
        with pytest.raises(OriginFailed, match="no address"):
            fetching.http(origin.url, allow=only).get("k")
    assert not other.connections
    origin.will(answer(302, b"", {"Location": f"http://127.0.0.1:{other.port}/x"}))
    kept(other, x=b"there")
    assert read(fetching.http(origin.url, allow=only)) == b"there"


def test_a_connection_that_is_kept_is_of_the_same_rules(
    origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"data")
    assert read(fetching.http(origin.url)) == b"data"
    with pytest.raises(OriginFailed):
        fetching.http(origin.url, allow=()).get("k")


# credentials


def secrets(url: str, fetching: Fetching) -> Http:
    return fetching.http(
        url,
        username="me",
        password=Secret("pw"),
        request_headers={"X-Token": Secret("t"), "x-plain": "p"},
    )


def test_credentials_are_for_the_origin(origin: Upstream, fetching: Fetching) -> None:
    kept(origin, k=b"data")
    store = secrets(origin.url, fetching)
    given = {"authorization": "Bearer evil", "X-TOKEN": "evil", "cookie": "c"}
    read(store, "k", Get(headers=given))
    seen = origin.requests[0].headers
    assert (seen["authorization"], seen["x-token"], seen["x-plain"], seen["cookie"]) == (
        "Basic bWU6cHc=", "t", "p", "c",
    )  # fmt: skip
    assert "pw" not in repr(store)


PRIVATE = ("authorization", "x-token", "x-plain", "cookie")


def test_a_redirect_to_another_place_takes_no_credentials_along(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    """Nor does one back again, of which the other place has chosen the path."""
    store = secrets(origin.url, fetching)
    back = f"http://user:pw@127.0.0.1:{origin.port}/private"
    origin.will(
        answer(302, b"", {"Location": "/moved"}),
        answer(302, b"", {"Location": f"http://u:p@127.0.0.1:{other.port}/x"}),
    )
    other.will(answer(302, b"", {"Location": back}))
    kept(origin, private=b"data")
    read(store, "k", Get(headers={"cookie": "c", "accept": "a"}))
    first, moved, last = (seen.headers for seen in origin.requests)
    (elsewhere,) = (seen.headers for seen in other.requests)
    for name in PRIVATE:
        assert name in first
        assert name in moved
        assert name not in elsewhere
        assert name not in last
    assert elsewhere["accept"] == "a"
    assert elsewhere["host"] == f"127.0.0.1:{other.port}"


# TLS


def test_a_certificate_is_checked_for_the_name_of_the_url(
    fetching: Fetching, tmp_path: Path, resolves: Resolver
) -> None:
    cert, key = certificate(tmp_path)
    with Upstream(tls=(cert, key)) as origin:
        kept(origin, k=b"data")
        url = f"https://localhost:{origin.port}"
        assert read(fetching.http(url, ca_file=cert)) == b"data"
        with pytest.raises(OriginFailed, match="not to be trusted"):
            fetching.http(url).get("k")
        resolves({"other.test": ["127.0.0.1"]})
        with pytest.raises(OriginFailed, match="not to be trusted"):
            fetching.http(f"https://other.test:{origin.port}", ca_file=cert).get("k")
        with Upstream() as plain:
            plain.will(answer(302, b"", {"Location": f"https://other.test:{origin.port}/k"}))
            with pytest.raises(OriginFailed, match="not to be trusted"):
                fetching.http(plain.url).get("k")


def cut_below_tls(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n\r\ndata")
    exchange._connection.shutdown(socket.SHUT_WR)
    exchange.close()


def test_an_end_that_tls_did_not_say_is_no_end(fetching: Fetching, tmp_path: Path) -> None:
    """Somebody between could cut an answer that ends with its connection."""
    cert, key = certificate(tmp_path)
    with Upstream(tls=(cert, key)) as origin:
        origin.always(cut_below_tls)
        with pytest.raises(OriginFailed):
            fetching.http(f"https://localhost:{origin.port}", ca_file=cert).get("k")


def test_what_hangs_elsewhere_holds_up_nothing_here(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    store = fetching.http(origin.url, waiting=1)
    origin.will(answer(302, b"", {"Location": other.url}))
    asked = threading.Event()

    def hanging(exchange: Exchange) -> None:
        asked.set()
        hang(exchange)

    other.always(hanging)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(store.stat, "elsewhere")
        assert asked.wait(PATIENCE)
        kept(origin, k=b"data")
        assert read(store) == b"data"
        other.__exit__(None, None, None)
        with pytest.raises(OriginFailed):
            stuck.result(PATIENCE)

"""What a proxy says of a request, and who is believed."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.tables import ProxyHeaders
from gateway.web.forwarded import Ambiguous, Proxies, _hops
from gateway.web.request_facts import RequestFacts

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def settled(header: ProxyHeaders, environ: dict[str, Any]) -> tuple[str, str, str]:
    """(client, host, scheme)."""
    environ = {"HTTP_HOST": "inside:9000", "wsgi.url_scheme": "http", **environ}
    client = Proxies(NETWORKS, header).settle(environ)
    return client, environ["HTTP_HOST"], environ["wsgi.url_scheme"]


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("", "198.51.100.7", ""),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "::ffff:198.51.100.7, ::FFFF:a00:2", "198.51.100.7"),
        ("10.0.0.1", "[0:0::ffff:198.51.100.7]:80", "198.51.100.7"),
        ("2001:DB8:0::1", "", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7:4711, 10.0.0.2:80", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::1]:4711,[fd00::2]", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.2.3.4, not an address", "not an address"),
    ],
)
def test_x_forwarded_for_is_read_from_its_end_as_far_as_proxies_are_trusted(
    peer: str, said: str, client: str
) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": said}
    assert settled("x-forwarded", environ) == (client, "inside:9000", "http")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ("10.0.0.1", "inside:9000", "http")),
        ("for=198.51.100.7", ("198.51.100.7", "inside:9000", "http")),
        (
            'For="[2001:db8::1]:4711";Proto=HTTPS;HOST="s3.example:8443";by=_x',
            ("2001:db8::1", "s3.example:8443", "https"),
        ),
        ("for=2001:db8::1;host=s3.example:80", ("2001:db8::1", "s3.example:80", "http")),
        ('for=6.6.6.6, for="[::ffff:198.51.100.7]"', ("198.51.100.7", "inside:9000", "http")),
        (
            "for=6.6.6.6;host=evil, for=198.51.100.7;host=s3.example, for=10.0.0.2;host=between",
            ("198.51.100.7", "s3.example", "http"),
        ),
        ("for=6.6.6.6;host=evil, for=unknown;host=s3.example", ("10.0.0.1", "s3.example", "http")),
        ('for=6.6.6.6, for="_hidden"', ("10.0.0.1", "inside:9000", "http")),
        (r'for=198.51.100.7;host="a\"\\b"', ("198.51.100.7", r'a"\b', "http")),
        (", ,for=198.51.100.7; ;", ("198.51.100.7", "inside:9000", "http")),
        ("proto=gopher;for=198.51.100.7", ("198.51.100.7", "inside:9000", "http")),
        (
            'for=6.6.6.6;x="a, for=10.0.0.9", for=198.51.100.7',
            ("198.51.100.7", "inside:9000", "http"),
        ),
    ],
)
def test_forwarded_is_read_the_same_way(said: str, found: tuple[str, str, str]) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": said}
    assert settled("forwarded", environ) == found
    stranger = {"REMOTE_ADDR": "192.0.2.1", "HTTP_FORWARDED": said}
    assert settled("forwarded", stranger) == ("192.0.2.1", "inside:9000", "http")


@pytest.mark.parametrize(
    "said",
    [
        'for=6.6.6.6;x=", for=198.51.100.7',
        'for=6.6.6.6;x=", for="[2001:db8::1]"',
        "for=6.6.6.6;for=198.51.100.7",
        "for=198.51.100.7 host=a",
        "198.51.100.7",
        'for="198.51.100.7"x',
        "for=",
        "for=é",
    ],
)
def test_what_a_stranger_left_open_swallows_nothing(said: str) -> None:
    with pytest.raises(Ambiguous):
        settled("forwarded", {"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": said})
    assert settled("forwarded", {"REMOTE_ADDR": "192.0.2.1", "HTTP_FORWARDED": said})


@pytest.mark.parametrize("blank", [" ", "\t", " \t"])
@pytest.mark.parametrize("before", ["", "for=1.2.3.4", "for=1.2.3.4;", 'for="1.2.3.4"', "for="])
def test_blanks_are_read_once(before: str, blank: str) -> None:
    """Read again for each of them, these would take minutes."""
    blanks = 200_000 * blank
    for after in ("x", '"', "="):
        with pytest.raises(Ambiguous):
            _hops(before + blanks + after)
    if before != "for=":
        assert len(_hops(f"{before}{blanks},for=a")) == 1 + bool(before)


@pytest.mark.parametrize(
    ("header", "variable", "value"),
    [
        ("forwarded", "HTTP_FORWARDED", "for=198.51.100.7"),
        ("x-forwarded", "HTTP_X_FORWARDED_FOR", "198.51.100.7"),
        ("x-forwarded", "HTTP_X_FORWARDED_HOST", "s3.example"),
        ("x-forwarded", "HTTP_X_FORWARDED_PROTO", "https"),
    ],
)
def test_what_is_longer_than_proxies_write_is_refused(
    header: ProxyHeaders, variable: str, value: str
) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1", variable: ", ".ljust(8192 - len(value)) + value}
    assert settled(header, environ) == settled(header, {**environ, variable: value})
    environ[variable] = "," + environ[variable]
    with pytest.raises(Ambiguous, match="too long"):
        settled(header, environ)
    assert settled(header, {**environ, "REMOTE_ADDR": "192.0.2.1"})


def test_one_of_the_two_is_read() -> None:
    both = {
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_FORWARDED": "for=198.51.100.1;host=one;proto=https",
        "HTTP_X_FORWARDED_FOR": "198.51.100.2",
        "HTTP_X_FORWARDED_HOST": "evil, two",
        "HTTP_X_FORWARDED_PROTO": "http, https",
    }
    assert settled("forwarded", both) == ("198.51.100.1", "one", "https")
    assert settled("x-forwarded", both) == ("198.51.100.2", "two", "https")


@given(
    st.text(st.sampled_from('for=host;,"\\ 1.a'), max_size=40),
    st.sampled_from(
        ["for=198.51.100.7", 'for="[2001:db8::1]";host="h"', "for=198.51.100.7;host=h"]
    ),
)
def test_nothing_that_a_stranger_writes_changes_what_the_proxy_adds(text: str, own: str) -> None:
    """Neither in one line nor in a line of its own: both arrive joined by a comma."""
    alone = settled("forwarded", {"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": own})
    try:
        joined = {"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": f"{text},{own}"}
        assert settled("forwarded", joined) == alone
    except Ambiguous:
        pass


@pytest.mark.parametrize(
    ("peer", "environ", "versions"),
    [
        ("192.0.2.1", {"gateway.tls_version": "1.3"}, ("1.3",)),
        ("192.0.2.1", {}, ("1.2", "1.3")),
        ("10.0.0.1", {"gateway.tls_version": "1.3"}, ()),
        ("10.0.0.1", {"wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "https"}, ()),
        ("192.0.2.1", {"wsgi.url_scheme": "http"}, ()),
    ],
)
def test_which_tls_a_client_has_is_what_it_agreed_on_here(
    peer: str, environ: dict[str, Any], versions: tuple[str, ...]
) -> None:
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "https", **environ}
    Proxies(NETWORKS).settle(environ)
    assert RequestFacts(environ, {}, lambda: 0).tls_versions == versions

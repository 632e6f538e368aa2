"""How fast a public answer may be: what a binding and a link say, and which answers wait."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest

from gateway.config import ConfigurationError, load
from gateway.web.admission import Need
from gateway.web.exchange import Exchange
from gateway.web.rates import Rate
from tests.modes.public_gateway import Site, serving

BIG = 700_000
LINKS = {"secret": "hunter2"}


def rate_of(site: Site, target: str, method: str = "GET", *, host: str) -> Rate | None:
    """With which the answer was admitted, on a server that keeps to it itself."""
    site.admission.paces = True
    assert site.ask(target, method, host=host).status == 200
    (record,) = site.records[-1:]
    assert isinstance(record, Exchange)
    return record.rate


def link(path: str, *said: str) -> str:
    now = str(int(time.time()))
    values = "".join(one.partition("=")[2] for one in said)
    made = hashlib.md5(f"{path}hunter2{now}{values}".encode()).hexdigest()
    return "&".join([f"{path}?cdn_creation_time={now}", *said, f"cdn_hash={made}"])


def test_which_answers_have_a_rate() -> None:
    bindings: list[dict[str, Any]] = [
        {"host": "limited.example", "limit_rate": "20k", "limit_rate_after": "64KiB"},
        {"host": "number.example", "limit_rate": 20_000},
        {"host": "link.example", "limit_rate": "link", "signed_links": LINKS},
        {"host": "plain.example", "signed_links": LINKS},
        {"host": "free.example"},
    ]
    services = {"pages": {"driver": "memory"}}
    with serving(services, [{"service": "pages", **one} for one in bindings]) as s:
        s.put("pages", "big", b"0" * BIG)
        s.put("pages", "small", b"0" * 20_000)
        for target, host, expected in (
            ("/big", "limited.example", Rate(20_480, 65_536)),
            ("/small", "limited.example", None),
            ("/big", "number.example", Rate(20_000)),
            ("/small", "number.example", None),
            ("/big", "free.example", None),
            (link("/big"), "link.example", None),
            (link("/big", "cdn_bw=228k"), "link.example", Rate(228 << 10)),
            (link("/big", "cdn_bw=75000", "cdn_bw_fs=1k"), "link.example", Rate(75_000, 1024)),
            (link("/big", "cdn_bw=1"), "link.example", Rate(1024)),
            (link("/big", "cdn_bw=228k"), "plain.example", None),
        ):
            assert rate_of(s, target, host=host) == expected, (target, host)
        assert rate_of(s, "/big", "HEAD", host="limited.example") is None
        assert s.ask(link("/big", "cdn_bw=fast"), host="link.example").status == 403


def test_an_answer_is_whole_and_those_who_wait_have_a_part_of_the_places() -> None:
    bindings = [{"service": "pages", "limit_rate": "4m"}]
    with serving({"pages": {"driver": "memory"}}, bindings) as site:
        whole = bytes(range(256)) * 18_000
        site.put("pages", "big", whole)
        assert site.ask("/big").body == whole
        assert site.admission.held == 0
        for number in range(site.admission.limits[Need.WAIT]):
            site.admission.take(f"192.0.2.{number + 9}", Need.WAIT)
        assert site.ask("/big").status == 503


def test_rates_that_are_none_are_refused() -> None:
    for options, why in (
        ({"limit_rate": "fast"}, "limit_rate: bytes a second"),
        ({"limit_rate": "1023"}, "at least 1k"),
        ({"limit_rate": "link"}, "needs signed_links"),
        ({"limit_rate": "link", "signed_links": {**LINKS, "form": "secure_link"}}, "secure_link"),
        ({"limit_rate_after": "1MiB"}, "limit_rate_after"),
    ):
        binding = {"host": "h.example", "mode": "public", "service": "pages", **options}
        tables = {"services": {"pages": {"driver": "memory"}}, "bindings": [binding]}
        with pytest.raises(ConfigurationError, match=why):
            load(tables=tables, environ={})

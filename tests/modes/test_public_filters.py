"""Filters of a binding: by the page that led here, by country; decided before anything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.access.actions import Actions
from gateway.access.evaluation import Compiled
from gateway.access.identity import ANONYMOUS
from gateway.access.rule_conditions import Fact, FactMatches
from gateway.access.rules import ANYBODY, Rule, Unknown
from gateway.common.countries import LOOK, Countries
from gateway.config import ConfigurationError, load
from tests import country_database
from tests.modes.public_gateway import Site, serving

WHERE = {
    "192.0.2.0/24": "CH",
    "198.51.100.0/24": "DE",
    "198.51.100.64/26": "AT",
    "2001:db8::/32": "FR",
}


@pytest.fixture(scope="module")
def countries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return country_database.write(tmp_path_factory.mktemp("countries") / "c.mmdb", WHERE)


@pytest.fixture(scope="module")
def site(countries: Path) -> Iterator[Site]:
    own = {"service": "pages", "error_document": "sorry"}
    bindings: list[dict[str, Any]] = [
        {"host": "led.example", "referers": ["shop.example", "*.wide.example"]},
        {"host": "strict.example", "referers": "shop.example", "referers_deny": "none"},
        {"host": "none.example", "referers_deny": ["none"]},
        {"host": "bad.example", "referers_deny": ["Bad.Example"]},
        {"host": "only.example", "countries_allow": ["ch", "AT"]},
        {"host": "not.example", "countries_deny": ["DE", "ZZ"]},
        {"host": "both.example", "countries_allow": "CH", "referers": ["shop.example"]},
    ]
    memory = {"driver": "memory"}
    given = [{**own, **one} for one in bindings]
    with serving({"pages": memory}, given, server={"countries": str(countries)}) as site:
        site.put("pages", "k", b"here")
        site.put("pages", "sorry", b"sorry")
        yield site


def test_who_comes_from_where(site: Site) -> None:
    for host, referer, expected in (
        ("led", None, 200),
        ("led", "https://shop.example/", 200),
        ("led", "http://www.shop.example:8080/a?b#c", 200),
        ("led", "HTTPS://SHOP.EXAMPLE./x", 200),
        ("led", "https://user@shop.example/", 200),
        ("led", "https://a.wide.example/", 200),
        ("led", "https://wide.example/", 403),
        ("led", "https://evilshop.example/", 403),
        ("led", "https://shop.example.evil/", 403),
        ("led", "https://evil.example/?https://shop.example/", 403),
        ("led", "https://evil.example/@shop.example/", 403),
        ("led", "https://shop.example@evil.example/", 403),
        ("led", "https://[::1/", 403),
        ("led", "shop.example", 403),
        ("led", "", 403),
        ("strict", None, 403),
        ("strict", "https://shop.example/", 200),
        ("none", None, 403),
        ("none", "https://anybody.example/", 200),
        ("bad", None, 200),
        ("bad", "https://www.bad.example/", 403),
        ("bad", "https://good.example/", 200),
    ):
        headers = {} if referer is None else {"referer": referer}
        answer = site.ask("/k", headers=headers, host=f"{host}.example")
        assert answer.status == expected, (host, referer)
    assert site.ask("/absent", host="none.example").status == 403  # nothing is looked at
    assert site.ask("/k", "OPTIONS", host="none.example").status == 403


def test_whose_addresses(site: Site) -> None:
    for host, address, expected in (
        ("only", "192.0.2.9", 200),
        ("only", "198.51.100.9", 403),
        ("only", "198.51.100.65", 200),
        ("only", "2001:db8::1", 403),
        ("only", "203.0.113.1", 403),  # nobody knows
        ("only", "unix", 403),
        ("not", "198.51.100.9", 403),
        ("not", "192.0.2.9", 200),
        ("not", "2001:db8::1", 200),
        ("not", "203.0.113.1", 403),
        ("not", "", 403),
        ("both", "192.0.2.9", 200),
        ("both", "198.51.100.9", 403),
    ):
        answer = site.ask("/k", address=address, host=f"{host}.example")
        assert answer.status == expected, (host, address)
    headers = {"referer": "https://evil.example/"}
    assert site.ask("/k", headers=headers, host="both.example").body == b"sorry"


def test_what_is_not_known_is_denied() -> None:
    """By whoever asks for countries where there is no database any more."""
    fact = FactMatches(fact=Fact("country"), patterns=("DE",), unknown=True)
    actions: Actions = frozenset(("read",))
    rules = [
        Rule(effect="allow", who=ANYBODY, actions=actions),
        Rule(effect="deny", who=ANYBODY, actions=actions, when=fact),
    ]
    assert Compiled(rules, ANONYMOUS).decide("read", "k", Unknown()).verdict == "deny"


def test_a_database_that_is_replaced_counts(tmp_path: Path) -> None:
    path, now = tmp_path / "c.mmdb", 0.0
    countries = Countries(country_database.write(path, WHERE), lambda: now)
    assert countries.country("192.0.2.1") == "CH"
    new = country_database.write(tmp_path / "new", {"192.0.2.0/24": "FR", "10.0.0.0/8": "US"})
    new.replace(path)
    assert countries.country("192.0.2.1") == "CH"
    now = LOOK
    assert countries.country("192.0.2.1") == "FR"
    path.unlink() if sys.platform != "win32" else path.write_bytes(b"")
    now = 2 * LOOK
    assert countries.country("192.0.2.1") == "FR"  # which is said, and goes on
    path.write_bytes(b"no database")
    now = 3 * LOOK
    assert countries.country("10.1.2.3") == "US"


def tables(binding: Mapping[str, Any], **server: Any) -> dict[str, Any]:
    own = {"host": "h.example", "mode": "public", "service": "pages", **binding}
    return {"server": server, "services": {"pages": {"driver": "memory"}}, "bindings": [own]}


def test_what_cannot_be_is_refused_with_what_would_be_right(tmp_path: Path) -> None:
    (tmp_path / "no.mmdb").write_bytes(b"no database")
    (tmp_path / "empty.mmdb").write_bytes(b"")
    for given, why in (
        (tables({"referers": ["https://shop.example"]}), "referers: .* no host"),
        (tables({"referers_deny": ["a b"]}), "referers_deny: .* no host"),
        (tables({"countries_allow": ["CHE"]}), "countries_allow: .* no country"),
        (tables({"countries_deny": ["CH"]}), r"countries_deny: .*\[server\] countries names"),
        (tables({}, countries=str(tmp_path / "no.mmdb")), "server.countries: .* no database"),
        (tables({}, countries=str(tmp_path / "empty.mmdb")), "server.countries: .* no database"),
        (tables({}, countries=str(tmp_path / "absent")), "server.countries: there is no file"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            load(tables=given, environ={})


def test_without_the_library_it_says_how_to_get_it(
    countries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ConfigurationError, match=r"pip install storage-gateway\[countries\]"):
        load(tables=tables({}, countries=str(countries)), environ={})

"""What is written down of orders, when a try may follow another, and which names are asked for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("acme", reason="needs the extra `acme`")

from gateway.catalog import Challenge
from gateway.catalog.keys import Declarations
from gateway.catalog.rows import OrderRow, certificate_name
from gateway.catalog.secrets import Keyring, new_master
from gateway.config import ConfigurationError, load
from gateway.servers.added_certificates import AddedCertificates
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.certificate_feed import CertificateFeed
from gateway.services.issuing import tries
from gateway.services.issuing.carrying_out import CarryingOut
from gateway.services.issuing.names import declared_names
from gateway.services.issuing.ordering import MOST, OrderedCertificates
from gateway.storage import Conflict, InvalidRequest, Secret, Unsupported
from gateway.testing.certificates import certificate
from tests import catalogs
from tests.issuing.conftest import MakeSite
from tests.test_app import Called, environ

ACME = {"directory": "https://127.0.0.1:9/dir", "terms_agreed": True}
NOW = 1_800_000_000_000


# the configuration


@pytest.mark.parametrize(
    ("table", "place", "said"),
    [
        ({"terms_agreed": False}, "acme.terms_agreed", "true is needed"),
        ({}, "acme.terms_agreed", "true is needed"),
        ({"terms_agreed": True, "directory": "http://a.test/dir"}, "acme", "https"),
        ({"terms_agreed": True, "names": ["*.a.test"]}, "acme.names", "a public host name"),
        ({"terms_agreed": True, "names": ["192.0.2.1"]}, "acme.names", "a public host name"),
        ({"terms_agreed": True, "names": "localhost"}, "acme.names", "a public host name"),
        ({"terms_agreed": True, "names": ["a_b.test"]}, "acme.names", "a public host name"),
        ({"terms_agreed": True, "names": [f"{'a' * 64}.test"]}, "acme.names", "a public host"),
        ({"terms_agreed": True, "ca_file": "nowhere.pem"}, "acme.ca_file", "nowhere.pem"),
        ({"terms_agreed": True, "key": 1}, "acme.key", "unknown"),
        ({"terms_agreed": True, "eab_key_id": "a"}, "acme.eab_key_id", "both or neither"),
        ({"terms_agreed": True, "eab_key": "YQ"}, "acme.eab_key_id", "both or neither"),
        ({"terms_agreed": True, "eab_key_id": "a", "eab_key": "a b"}, "acme.eab_key", "A-Z"),
    ],
)
def test_what_is_wrong_with_the_table_is_said(table: Any, place: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tables={"server": {"memory": True}, "acme": table}, environ={})
    (problem,) = caught.value.problems
    assert problem.place.startswith(place) and said in problem.message


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["gateway.config.load"]  # in its package a function is called as it is
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'storage-gateway\[acme\]'"):
        load(tables={"server": {"memory": True}, "acme": ACME}, environ={})


def test_names_of_bindings_are_asked_for_where_nobody_brought_a_certificate(
    tmp_path: Path, make_site: MakeSite
) -> None:
    hosts = ("own.test", "a.zone.test", "brought.test", "*.all.test", "localhost", "192.0.2.1")
    site = make_site(
        {**ACME, "names": ["Named.test", "a.zone.test"], "bindings": True},
        services={"base": {"driver": "memory"}},
        bindings=[
            {"host": one, "mode": "public", "service": "base"} for one in (*hosts, "x.zone.test")
        ],
    )
    editor = CertificateEditor(site.runtime.catalog)
    for name in ("*.zone.test", "brought.test"):
        cert, key = certificate(tmp_path, name)
        editor.set("any" if "*" in name else "one", cert.read_bytes(), key.read_bytes())
    options, rows = site.configuration.acme, editor.all()
    assert options is not None

    def names(now: int) -> frozenset[str]:
        return declared_names(options, site.configuration, site.configuration.bindings, rows, now)

    always = {"named.test", "a.zone.test", "own.test"}
    assert names(site.clock()) == always
    over = site.clock() + 3 * tries.DAY
    assert names(over) == always | {"brought.test", "x.zone.test"}
    assert declared_names(replace(options, bindings=False), site.configuration, (), rows, over) == {
        "named.test",
        "a.zone.test",
    }


# what is written down


@pytest.fixture(params=catalogs.QUICK)
def ordered(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    keyring = Keyring(new_master())
    catalogs.empty(request.param)
    catalog = catalogs.opened(request.param, tmp_path, Declarations(), lambda: NOW, keyring)
    options = load(tables={"server": {"memory": True}, "acme": ACME}, environ={}).acme
    yield OrderedCertificates(catalog, options, lambda: NOW)
    catalog.close()


def test_orders_are_written_down_once_and_end_when_they_are_released(ordered: Any) -> None:
    first = ordered.order(["b.test", "A.test."])
    assert [(one.name, one.state, one.next) for one in first] == [
        ("a.test", "waiting", 0),
        ("b.test", "waiting", 0),
    ]
    assert ordered.order(["a.test"]) == first[:1]
    assert [one.name for one in ordered.states()] == ["a.test", "b.test"]
    assert ordered.states(["c.test"]) == []
    ordered.release(["a.test", "c.test"])
    (released,) = ordered.states(["a.test"])
    assert released.next is None
    (entry,) = ordered._catalog.audit(action="certificate.release")
    assert entry.subject == "a.test"
    assert len(ordered._catalog.audit(action="certificate.order")) == 2


@pytest.mark.parametrize("name", ["*.a.test", "192.0.2.1", "localhost", "a b.test", "", "é.test"])
def test_what_nobody_certifies_is_refused(ordered: Any, name: str) -> None:
    with pytest.raises(InvalidRequest, match="a public host name"):
        ordered.order(["good.test", name])
    assert ordered.states() == []


def test_there_is_a_bound_of_names(ordered: Any) -> None:
    with pytest.raises(InvalidRequest, match="At most"):
        ordered.order([f"{number}.test" for number in range(MOST + 1)])


def test_without_the_table_nothing_is_ordered(make_site: MakeSite) -> None:
    site = make_site()
    assert not site.certificates.offered and site.certificates.states() == []
    for call in (site.certificates.order, site.certificates.release):
        with pytest.raises(Unsupported, match=r"\[acme\]"):
            call(["a.test"])
    assert list(site.certificates.gauges()) == []


def test_a_failed_one_waits_unless_somebody_asks_again(ordered: Any) -> None:
    ordered.order(["a.test"])
    catalog = ordered._catalog
    (row,) = catalog.orders().values()
    failed = replace(
        row, state="failed", problem="No.", code="caa", due=NOW + tries.DAY, failures=3
    )
    catalog.set_order(failed)
    (waits,) = ordered.order(["a.test"])
    assert (waits.state, waits.problem, waits.code) == ("failed", "No.", "caa")
    assert waits.next == NOW + tries.DAY
    (again,) = ordered.order(["a.test"], again=True)
    assert again.next == NOW
    minutes = [NOW - minute * tries.MINUTE for minute in (50, 40, 30, 20)]
    catalog.set_order(replace(failed, tries=tuple(minutes)))
    (bounded,) = ordered.order(["a.test"], again=True)
    assert bounded.next == NOW + 10 * tries.MINUTE


def test_an_order_that_is_under_way_is_not_changed_by_who_asks_again(ordered: Any) -> None:
    ordered.order(["a.test"])
    (row,) = ordered._catalog.orders().values()
    under_way = replace(row, state="ordering", url="https://a/1", sealed=b"x", due=NOW + 5)
    ordered._catalog.set_order(under_way)
    ordered.order(["a.test"], again=True)
    assert ordered._catalog.orders()["a.test"] == under_way


def test_what_the_configuration_asks_for_no_more_is_not_renewed(ordered: Any) -> None:
    catalog = ordered._catalog
    ordered.order(["by-hand.test"])
    catalog.declare_certificates(["declared.test", "by-hand.test"])
    assert {one.host: one.declared for one in catalog.orders().values()} == {
        "by-hand.test": True,
        "declared.test": True,
    }
    catalog.declare_certificates([])
    assert {one.host: one.asked_for for one in catalog.orders().values()} == {
        "by-hand.test": True,
        "declared.test": False,
    }
    assert catalog.forget_orders(NOW, before=NOW) == []  # it was changed just now
    assert catalog.forget_orders(NOW, before=NOW + 1) == ["declared.test"]
    assert list(catalog.orders()) == ["by-hand.test"]


def test_the_job_forgets_what_nobody_has_asked_for_in_a_day(ordered: Any) -> None:
    ordered.order(["kept.test", "released.test"])
    ordered.release(["released.test"])
    catalog, now = ordered._catalog, [NOW]
    for left in ({"kept.test", "released.test"}, {"kept.test"}):
        job = CarryingOut(catalog, ordered._options, lambda: (), lambda: now[0], "here")
        job.run()  # it compares; what it would do then is not begun
        assert set(catalog.orders()) == left
        now[0] += tries.DAY + 1


def test_one_has_the_turn_until_it_is_over(ordered: Any) -> None:
    catalog = ordered._catalog
    assert catalog.take_turn("node-a /data", NOW, NOW + 60)
    assert not catalog.take_turn("node-b /data", NOW + 59, NOW + 100)
    assert catalog.take_turn("node-a /data", NOW + 1, NOW + 61)
    catalog.give_turn("node-b /data")
    assert not catalog.take_turn("node-b /data", NOW + 60, NOW + 100)
    assert catalog.take_turn("node-b /data", NOW + 61, NOW + 100)
    catalog.give_turn("node-b /data")
    assert catalog.take_turn("node-a /data", NOW, NOW + 1)


def test_the_key_of_an_account_is_made_once(ordered: Any) -> None:
    catalog = ordered._catalog
    assert catalog.acme_account("https://a/dir", Secret("one"))[0] == ""
    url, key = catalog.acme_account("https://a/dir", Secret("two"))
    assert (url, key.reveal()) == ("", "one")
    catalog.set_acme_account("https://a/dir", "https://a/account/7")
    assert catalog.acme_account("https://a/dir", Secret("two"))[0] == "https://a/account/7"
    assert catalog.acme_account("https://b/dir", Secret("two"))[1].reveal() == "two"


def test_a_certificate_that_was_ordered_is_removed_with_its_order(
    ordered: Any, tmp_path: Path
) -> None:
    catalog, editor = ordered._catalog, CertificateEditor(ordered._catalog)
    ordered.order(["a.test"])
    (row,) = catalog.orders().values()
    cert, key = certificate(tmp_path, "a.test")
    issued = replace(row, state="issued", expires=NOW + tries.DAY)
    catalog.set_order(issued, cert.read_text(), Secret(key.read_text()))
    assert catalog.orders()["a.test"].expires == NOW + tries.DAY
    catalog.declare_certificates(["a.test"])
    with pytest.raises(Conflict, match=r"\[acme\] asks for a.test"):
        editor.remove(certificate_name("a.test"))
    catalog.declare_certificates([])
    editor.remove(certificate_name("a.test"))
    (released,) = ordered.states()
    assert released.next is None and released.expires is None


def test_what_people_brought_is_shown_before_what_was_ordered(ordered: Any, tmp_path: Path) -> None:
    """Also when that was renewed later."""
    catalog, editor, added = (
        ordered._catalog,
        CertificateEditor(ordered._catalog),
        AddedCertificates(),
    )
    feed = CertificateFeed(catalog, added.replace)
    cert, key = certificate(tmp_path, "a.test", 90)
    editor.set("brought", cert.read_bytes(), key.read_bytes())
    feed.look()
    brought = added.named("a.test")
    ordered.order(["a.test"])
    (row,) = catalog.orders().values()
    issued = replace(row, state="issued", expires=NOW + tries.DAY)
    catalog.set_order(issued, cert.read_text(), Secret(key.read_text()))
    feed.look()
    assert added.named("a.test") is brought is not None
    editor.remove("brought")
    feed.look()
    assert added.named("a.test") not in (brought, None)


# when a try may follow


def test_when_a_try_may_follow() -> None:
    waits = [tries.after_refusal(NOW, failures) - NOW for failures in (1, 2, 3, 4, 5, 50)]
    assert waits == sorted(waits) and waits[0] == tries.MINUTE and waits[-1] == tries.DAY
    assert tries.after_refusal(NOW, 1, wait=tries.DAY) == NOW + tries.DAY
    assert [tries.after_silence(NOW, one) - NOW for one in (1, 99)] == [tries.MINUTE, tries.HOUR]
    assert tries.earliest([], NOW) == tries.earliest([NOW - tries.HOUR] * 9, NOW) == NOW
    lately = [NOW - 50 * tries.MINUTE, *[NOW - tries.MINUTE] * 3]
    assert tries.earliest(lately, NOW) == NOW + 10 * tries.MINUTE
    assert tries.lately((1, NOW - tries.HOUR), NOW) == (NOW - tries.HOUR,)
    assert tries.renewal(NOW, NOW + 90 * tries.DAY) == NOW + 60 * tries.DAY


# who looks whether a name leads here


def test_proofs_come_before_doors_for_just_that_name_and_token(make_site: MakeSite) -> None:
    site = make_site(
        ACME,
        services={"base": {"driver": "memory"}},
        bindings=[{"host": "a.test", "mode": "public", "service": "base"}],
    )
    site.runtime.catalog.set_challenge(Challenge("a.test", "token-1", "token-1.proof", False))
    place = "/.well-known/acme-challenge/"

    def get(path: str, host: str, method: str = "GET") -> Called:
        return Called(site.app, environ(path, method=method, HTTP_HOST=host, **SCHEME))

    found = get(f"{place}token-1", "A.test:80")
    assert (found.status, found.body) == ("200 OK", b"token-1.proof")
    assert found.headers["Content-Type"] == "application/octet-stream"
    assert found.headers["Cache-Control"] == "no-store"
    assert get(f"{place}token-1", "a.test", "HEAD").body == b""
    for path, host in (
        (f"{place}token-1", "b.test"),
        (f"{place}token-2", "a.test"),
        (f"{place}token-1/", "a.test"),
        (f"{place}", "a.test"),
        (f"/x{place}token-1", "a.test"),
    ):
        assert get(path, host).status[:3] in ("400", "403", "404"), (path, host)
    site.certificates.order(["a.test"])
    assert get(f"{place}token-1", "a.test").status == "200 OK"
    site.runtime.catalog.set_order(OrderRow(host="a.test"))
    assert get(f"{place}token-1", "a.test").status[:3] == "404"  # that is over


SCHEME = {"wsgi.url_scheme": "http"}


def test_nobody_is_proved_anything_without_the_table(make_site: MakeSite) -> None:
    site = make_site()
    site.runtime.catalog.set_challenge(Challenge("a.test", "t", "t.proof", False))
    found = Called(
        site.app,
        environ("/.well-known/acme-challenge/t", HTTP_HOST="a.test", **SCHEME),
    )
    assert b"proof" not in found.body

"""Certificates of a real authority (Pebble), which looks whether names lead to a gateway."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("acme", reason="needs the extra `acme`")
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import text

from gateway.catalog.rows import certificate_name
from gateway.config import AcmeOptions
from gateway.config.texts import WebUrl
from gateway.services.issuing import carrying_out, step, tries
from tests.e2e.conftest import free_port
from tests.issuing.conftest import Door, MakeSite, Site, asks
from tests.issuing.pebble import Pebble, needs_pebble, pebble

pytestmark = [needs_pebble, pytest.mark.usefixtures("sockets", "processes", "seconds")]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process has to hear of anything here."""
    monkeypatch.setattr(step, "POLL", 20)
    monkeypatch.setattr(carrying_out, "_PAUSE", 0.02)


def certificate_of(site: Site, name: str) -> x509.Certificate:
    (row,) = [
        one for one in site.runtime.catalog.certificates()[1] if one.name == certificate_name(name)
    ]
    key = site.runtime.catalog.keyring.unseal_private_key(row.name, row.sealed)
    private = load_pem_private_key(key.reveal_bytes(), None)
    found = x509.load_pem_x509_certificate(row.chain.encode())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == found.public_key() and row.hosts == (name,)
    return found


def kept(site: Site) -> str:
    """All that the catalog has, as a thief of it would read it."""
    tables = ("certificate_orders", "acme_accounts", "acme_challenges", "certificates", "audit")
    with site.runtime.catalog._database.reading() as connection:
        rows = [list(connection.execute(text(f"SELECT * FROM {one}"))) for one in tables]
    return repr(rows)


def test_what_is_ordered_is_issued_once(
    site: Site, authority: Pebble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    _, one = site.certificates.order(["One.test", "deep.two.test"])
    assert (one.name, one.state, one.expires, one.problem) == ("one.test", "waiting", None, "")
    assert site.runs() == {"issued": 2}
    for name in ("one.test", "deep.two.test"):
        found, state = certificate_of(site, name), site.state(name)
        assert state.state == "issued" and not state.problem and not state.code
        life = found.not_valid_before_utc, found.not_valid_after_utc
        begins, expires = (round(one.timestamp() * 1000) for one in life)
        assert state.expires == expires
        third = expires - (expires - begins) // 3
        assert state.next == third or authority.says_when
    root = x509.load_pem_x509_certificate(authority.root(tmp_path).read_bytes())
    assert root.subject.rfc4514_string().startswith("CN=Pebble Root")
    assert "PRIVATE" not in kept(site)
    assert not site.runtime.catalog.challenges()
    issued = certificate_of(site, "one.test").serial_number
    assert [one.state for one in site.certificates.order(["one.test"], again=True)] == ["issued"]
    assert site.runs() == {}
    assert certificate_of(site, "one.test").serial_number == issued
    assert "a certificate for one.test, until " in caplog.text and "PRIVATE" not in caplog.text
    site.runtime.certificates.count()
    gauges = {key[1]: number for key, number in site.runtime.certificates.gauges()}
    assert gauges == {"waiting": 0, "ordering": 0, "issued": 2, "failed": 0}


def test_a_name_that_leads_elsewhere_is_refused_and_keeps_no_other(
    site: Site, authority: Pebble, caplog: pytest.LogCaptureFixture
) -> None:
    authority.leads("elsewhere.test", "127.0.0.9")
    authority.leads("nowhere.test", "")
    names = ["elsewhere.test", "nowhere.test", "here.test"]
    site.certificates.order(names)
    assert site.runs() == {"issued": 1, "failed": 2}
    for name in names[:2]:
        failed = site.state(name)
        assert (failed.state, failed.code, failed.expires) == ("failed", "connection", None)
        assert "acme-challenge" in failed.problem and name in failed.problem
        assert failed.next is not None and 0 < failed.next - site.clock() <= tries.MINUTE
    assert site.runs() == {}  # not before its time
    assert len([one for one in caplog.messages if "no certificate for" in one]) == 2
    # Somebody has set it right, and says so.
    authority.leads("elsewhere.test", "127.0.0.1")
    (again,) = site.certificates.order(["elsewhere.test"], again=True)
    assert again.next is not None and again.next <= site.clock()
    assert site.runs() == {"issued": 1}
    assert site.state("elsewhere.test").problem == ""
    # The other is tried no more than an authority allows, however often somebody asks.
    begun = [
        site.certificates.order(["nowhere.test"], again=True) and site.runs() for _ in range(6)
    ]
    assert begun == [{"failed": 1}] * 3 + [{}] * 3
    failed = site.state("nowhere.test")
    assert failed.next is not None and failed.next > site.clock() + tries.HOUR - 2 * tries.MINUTE


def test_it_is_renewed_and_shown_until_it_is_over_where_it_cannot_be(
    site: Site, authority: Pebble
) -> None:
    site.certificates.order(["renewed.test"])
    site.runs()
    first, state = certificate_of(site, "renewed.test"), site.state("renewed.test")
    assert state.next is not None and state.expires is not None
    site.ahead = state.next - site.clock() - tries.MINUTE
    assert authority.says_when or site.runs() == {}
    site.ahead += state.expires - site.clock() - tries.DAY
    authority.leads("renewed.test", "127.0.0.9")
    assert site.runs() == {"failed": 1}
    failed = site.state("renewed.test")
    assert failed.state == "failed" and failed.expires == state.expires
    assert certificate_of(site, "renewed.test") == first
    authority.leads("renewed.test", "127.0.0.1")
    site.ahead += 2 * tries.MINUTE
    assert site.runs() == {"issued": 1}
    assert certificate_of(site, "renewed.test").serial_number != first.serial_number
    site.certificates.release(["renewed.test"])
    assert site.state("renewed.test").next is None
    site.ahead += state.expires - site.clock() + tries.DAY
    assert site.runs() == {}  # it was released


def test_what_was_released_goes_when_it_is_over(site: Site) -> None:
    site.certificates.order(["released.test"])
    site.runs()
    site.certificates.release(["released.test"])
    expires = site.state("released.test").expires
    assert expires is not None
    site.ahead = expires - site.clock() - tries.DAY
    site.runs()
    certificate_of(site, "released.test")
    (again,) = site.certificates.order(["released.test"])
    assert again.state == "issued" and again.next is not None  # what there is counts again
    site.certificates.release(["released.test"])
    site.ahead += 3 * tries.DAY
    site.runs()
    assert not site.certificates.states(["released.test"])
    assert not site.runtime.catalog.certificates()[1]


def test_another_goes_on_where_one_was_killed(site: Site, authority: Pebble) -> None:
    """Each time it has taken one step."""
    site.certificates.order(["killed.test"])
    orders, steps = set[str](), 0
    while site.state("killed.test").state != "issued" and steps < 99:
        begun = site.job().run()
        if begun is not None:
            next(begun, None)
            begun.close()
        orders |= {one.url for one in site.runtime.catalog.orders().values() if one.url}
        steps += 1
    assert 4 <= steps < 99
    assert len(orders) == 1
    certificate_of(site, "killed.test")


def test_an_authority_that_is_away_and_one_that_has_forgotten_us(
    door: Door, make_site: MakeSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with pebble(tmp_path, door.port, port=port) as before:
        site = door.site = make_site(asks(before, email="who@example.com"))
        site.certificates.order(["first.test"])
        assert site.runs() == {"issued": 1}
    site.certificates.order(["second.test", "third.test"])
    assert site.runs() == {"away": 1}
    for name in ("second.test", "third.test"):
        away = site.state(name)
        assert (away.state, away.code) == ("failed", "away")
        assert away.problem == f"{before.directory} cannot be asked: there is no connection to it"
        assert away.next is not None and site.clock() < away.next <= site.clock() + tries.MINUTE
    assert site.runs() == {}
    assert site.state("first.test").state == "issued"
    site.ahead += 2 * tries.MINUTE
    assert site.runs() == {"away": 1}
    assert len([one for one in caplog.messages if "cannot be asked" in one]) == 1
    files = before.ca_file.read_bytes(), before.ca_file.with_suffix(".key").read_bytes()
    with pebble(tmp_path / "again", door.port, port=port) as after:
        before.ca_file.write_bytes(after.ca_file.read_bytes())
        assert files[0] != before.ca_file.read_bytes()
        site.ahead += 10 * tries.MINUTE
        assert site.runs() == {"away": 1}  # it does not know our account
        assert "does not know the account" in site.state("second.test").problem
        site.ahead += 20 * tries.MINUTE
        assert site.runs() == {"issued": 2}


def test_one_whose_certificate_nobody_knows_is_told_nothing(
    authority: Pebble, door: Door, make_site: MakeSite
) -> None:
    acme = asks(authority)
    del acme["ca_file"]
    site = make_site(acme)
    site.certificates.order(["one.test"])
    assert site.runs() == {"away": 1}
    assert site.state("one.test").problem.endswith("its certificate is not to be trusted")


def test_one_gateway_at_a_time_of_all_that_have_the_catalog(site: Site) -> None:
    site.certificates.order(["turn.test"])
    assert site.runtime.catalog.take_turn("another", site.clock(), site.clock() + tries.MINUTE)
    assert site.runs() == {} and site.state("turn.test").state == "waiting"
    site.runtime.catalog.give_turn("another")
    assert site.runs() == {"issued": 1}


def test_another_authority_is_asked_anew(
    site: Site, authority: Pebble, door: Door, tmp_path: Path
) -> None:
    """As after a try with one for staging."""
    site.certificates.order(["moved.test"])
    site.runs()
    first = certificate_of(site, "moved.test")
    with pebble(tmp_path, door.port) as other:
        assert site.configuration.acme is not None
        options = AcmeOptions(
            directory=WebUrl(other.directory), ca_file=other.ca_file, terms_agreed=True
        )
        object.__setattr__(site.configuration, "acme", options)
        assert site.runs() == {"issued": 1}
    assert certificate_of(site, "moved.test").issuer != first.issuer


def test_what_was_taken_away_is_ordered_anew(site: Site) -> None:
    site.certificates.order(["taken.test"])
    site.runs()
    site.runtime.catalog.remove_certificate(certificate_name("taken.test"))
    assert site.runs() == {"issued": 1}
    certificate_of(site, "taken.test")


def test_a_key_that_is_damaged_keeps_no_other_from_its_certificate(site: Site) -> None:
    catalog = site.runtime.catalog
    site.certificates.order(["damaged.test"])
    steps = site.job().run()
    assert steps is not None
    next(steps)
    steps.close()
    (row,) = catalog.orders().values()
    assert row.url
    catalog.set_order(replace(row, sealed=b"\0" * 64))
    site.certificates.order(["whole.test"])
    assert site.runs() == {"issued": 1, "failed": 1}
    failed = site.state("damaged.test")
    assert failed.code == "damaged" and "is damaged" in failed.problem
    assert site.state("whole.test").state == "issued"
    site.certificates.order(["damaged.test"], again=True)
    assert site.runs() == {"issued": 1}


def test_all_names_together_have_a_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "IN_THREE_HOURS", 2)
    site.certificates.order(["a.many.test", "b.many.test", "c.many.test"])
    assert site.runs() == {"issued": 2}
    (waits,) = [one for one in site.certificates.states() if one.state != "issued"]
    assert waits.state == "waiting" and not waits.problem
    assert waits.next is not None and waits.next > site.clock() + 9 * tries.MINUTE
    row = site.runtime.catalog.orders()["a.many.test"]
    if row.state == "issued":  # a renewal does not wait for others' new names
        site.runtime.catalog.set_order(replace(row, due=0))
        assert site.runs() == {"issued": 1}
    site.ahead = 4 * tries.HOUR
    assert site.runs() == {"issued": 1}


def test_an_authority_that_knows_its_customers(
    door: Door, make_site: MakeSite, tmp_path: Path
) -> None:
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    asked = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": key}}
    with pebble(tmp_path, door.port, settings=asked) as authority:
        for known, said in (({}, {"away": 1}), ({"eab_key_id": "kid-1", "eab_key": key}, None)):
            site = door.site = make_site(asks(authority, **known))
            site.certificates.order(["customer.test"])
            assert site.runs() == (said or {"issued": 1})
            if said:
                assert "it refuses an account: " in site.state("customer.test").problem
            assert key not in repr(site.configuration)

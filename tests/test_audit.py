"""The audit: each change has its entry, in its own transaction, and no entry has a secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from gateway.access.grants import Grant
from gateway.access.identity import Account
from gateway.catalog import AuditEntry, BindingRow, Catalog, sessions
from gateway.catalog.keys import Declarations
from gateway.catalog.secrets import Keyring, new_master
from gateway.common import actor
from gateway.common.actor import Program
from gateway.config import Declared
from gateway.config.decode import Decoder
from gateway.config.problems import Problems
from gateway.plugins.finding import Plugins
from gateway.plugins.options import describe, members, mentions, options_of, plain
from gateway.services.service_editor import _shown
from gateway.storage import AlreadyExists, Full, NotFound, Secret, Store
from gateway.telemetry.record import Record
from tests import catalogs
from tests.starting import Popen

START = 1_700_000_000_000


@pytest.fixture(params=catalogs.QUICK)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    catalogs.empty(request.param)
    moments = iter(range(START, START + 10_000))
    opened = catalogs.opened(
        request.param, tmp_path, Declarations(), lambda: next(moments), Keyring(new_master())
    )
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    """A request in this thread, of another test, is still its actor."""
    before = actor.current.set(Program("gateway"))
    yield
    actor.current.reset(before)


def said(catalog: Catalog) -> list[tuple[str, str, Any]]:
    """The oldest first."""
    return [(one.action, one.subject, one.detail) for one in reversed(catalog.audit())]


SECRET = "hunter2-secret"


def key(catalog: Catalog) -> None:
    made = catalog.add_credential(id="one", secret=Secret(SECRET), user_name="Alice", manages=True)
    number = made.info.number
    catalog.change_credential(number, active=False, description="", user_name="Bob")
    catalog.change_credential(number, access={"a": "read"}, manages=False, active=True)
    catalog.rotate_credential(number, Secret(f"{SECRET}-2"))
    catalog.revoke_key("one")


def account(catalog: Catalog) -> None:
    catalog.add_account(Account(id="a", name="Alice", email="a@example.com"))


def bucket(catalog: Catalog) -> None:
    row = catalog.add_service("bucket", "a", [Grant("*", "read")])
    catalog.set_grants(row.id, [])
    catalog.set_setting("bucket", "cors", "<document/>", decides=False, service=row.id)
    catalog.remove_setting("bucket", "cors")
    catalog.remove_setting("bucket", "cors")
    catalog.remove_service(row.id)
    catalog.remove_service(row.id)


def store(catalog: Catalog) -> None:
    options = {"endpoint": "https://one", "secret_key": SECRET, "region": "r"}
    shown = {"endpoint": "https://one", "region": "r"}
    catalog.add_store("up", "root", "s3", options, shown=shown, since=0)
    row = catalog.stores().services["up"]
    changed = {"endpoint": "https://two", "secret_key": f"{SECRET}-2"}
    catalog.change_store(row, changed, name="Up", shown={"endpoint": "https://two"}, since=1)
    catalog.remove_store(catalog.stores().services["up"], since=2)


def binding(catalog: Catalog) -> None:
    row = BindingRow("h.test", 80, "/p", "public", "bucket", {"listing": True})
    catalog.add_binding(row, since=0)
    catalog.remove_binding("h.test", 80, "/p", since=1)


def certificate(catalog: Catalog) -> None:
    catalog.set_certificate("zone", ["zone.test"], "CHAIN", Secret(SECRET), expires=7)
    catalog.remove_certificate("zone")


def encryption_key(catalog: Catalog) -> None:
    catalog.add_encryption_key("k")
    catalog.rotate_encryption_key("k")
    catalog.set_encryption_key_active("k", False)
    catalog.set_default_encryption_key("k")


def session(catalog: Catalog) -> None:
    catalog.make_first()
    (first,) = catalog.credentials()
    token = catalog.begin_session(first.id, address="192.0.2.1")
    catalog.end_session(token)
    catalog.end_session(token)
    catalog.begin_session(first.id)
    catalog.end_sessions(first.id)
    catalog.refuse_session(SECRET)


CHANGES: list[tuple[Callable[[Catalog], None], list[tuple[str, str, Any]]]] = [
    (
        key,
        [
            ("account.add", "Alice", {"name": "Alice"}),
            ("key.add", "one", {"account": "Alice", "access": "own", "manages": True}),
            ("key.change", "one", {"active": False}),
            ("account.change", "Alice", {"name": "Bob"}),
            ("key.change", "one", {"access": {"a": "read"}, "manages": False, "active": True}),
            ("key.rotate", "one", {}),
            ("key.revoke", "one", {}),
        ],
    ),
    (account, [("account.add", "a", {"name": "Alice"})]),
    (
        bucket,
        [
            ("bucket.add", "bucket", {"owner": "a", "grants": [["*", "read"]], "settings": []}),
            ("grants.put", "bucket", {"grants": []}),
            ("setting.put", "bucket", {"kind": "cors", "version": 1}),
            ("setting.remove", "bucket", {"kind": "cors"}),
            ("bucket.drop", "bucket", {}),
        ],
    ),
    (
        store,
        [
            (
                "service.add",
                "up",
                {
                    "owner": "root",
                    "driver": "s3",
                    "name": "",
                    "options": {"endpoint": "https://one", "secret_key": "changed", "region": "r"},
                },
            ),
            (
                "service.change",
                "up",
                {
                    "name": "Up",
                    "options": {
                        "endpoint": "https://two",
                        "secret_key": "changed",
                        "region": None,
                    },
                },
            ),
            ("service.remove", "up", {}),
        ],
    ),
    (
        binding,
        [
            (
                "binding.add",
                "h.test:80/p",
                {"mode": "public", "service": "bucket", "options": {"listing": True}},
            ),
            ("binding.remove", "h.test:80/p", {}),
        ],
    ),
    (
        certificate,
        [
            ("certificate.put", "zone", {"hosts": ["zone.test"], "expires": 7}),
            ("certificate.remove", "zone", {}),
        ],
    ),
    (
        encryption_key,
        [
            ("encryption-key.add", "k", {}),
            ("encryption-key.rotate", "k", {"version": 2}),
            ("encryption-key.change", "k", {"active": False}),
            ("encryption-key.change", "k", {"default": True}),
        ],
    ),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=[one.__name__ for one, _ in CHANGES])
def test_each_change_has_its_entry(
    catalog: Catalog,
    change: Callable[[Catalog], None],
    expected: list[tuple[str, str, Any]],
) -> None:
    change(catalog)
    assert said(catalog) == expected
    assert SECRET not in json.dumps([one.detail for one in catalog.audit()])


def test_sessions_are_told_and_what_is_typed_for_a_key_is_not(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_REFUSALS", 5)
    session(catalog)
    assert [(one, detail) for one, _, detail in said(catalog)[1:]] == [
        ("session.begin", {}),
        ("session.end", {}),
        ("session.begin", {}),
        ("session.end", {"sessions": 1}),
        ("session.refused", {}),
    ]
    assert catalog.audit()[0].subject == ""
    (first,) = catalog.credentials()
    typed = Record("01", "POST", "/", "192.0.2.1", "console", key_id=SECRET)
    token = actor.current.set(typed)
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "audit", None)  # which is long, and not looked through
        for _ in range(7):
            catalog.refuse_session(first.id)
    actor.current.reset(token)
    refused = catalog.audit(limit=1000, action="session.refused")
    assert len(refused) == 5 and refused[0].subject == first.id
    assert (refused[0].key, refused[0].client, refused[0].request) == ("", "192.0.2.1", "01")
    monkeypatch.setattr(catalog, "_clock", lambda: START + 3_600_000)
    catalog.refuse_session(first.id)
    assert len(catalog.audit(limit=1000, action="session.refused")) == 6


def test_what_was_not_done_has_no_entry(catalog: Catalog) -> None:
    catalog.add_key(id="one")
    before = said(catalog)
    with pytest.raises(AlreadyExists):
        catalog.add_key(id="one", account="new")
    with pytest.raises(NotFound):
        catalog.revoke_key("two")
    with pytest.raises(NotFound):
        catalog.remove_certificate("none")
    assert said(catalog) == before


def test_who_changed_it_is_told(catalog: Catalog) -> None:
    record = Record("00FF", "PUT", "/b", "192.0.2.1", "s3", key_id="GWKEY", account="alice")
    for by in (record, Program("command line", client="alice@nas")):
        token = actor.current.set(by)
        catalog.add_account(Account(id=f"made by {by.mode}"))
        actor.current.reset(token)
    catalog.add_account(Account(id="by nobody"))
    assert [one[2:8] for one in catalog.audit()] == [
        ("", "", "", "gateway", "", "account.add"),
        ("", "", "alice@nas", "command line", "", "account.add"),
        ("GWKEY", "alice", "192.0.2.1", "s3", "00FF", "account.add"),
    ]
    for who in ("GWKEY", "alice", "192.0.2.1"):
        assert [one.request for one in catalog.audit(actor=who)] == ["00FF"]
    assert not catalog.audit(actor="nobody\0")


def test_entries_are_found_in_pages_by_action_subject_and_time(catalog: Catalog) -> None:
    for number in range(5):
        catalog.add_account(Account(id=f"a{number}"))
        catalog.add_encryption_key(f"a{number}")
    everything = catalog.audit()
    assert [one.id for one in everything] == sorted((one.id for one in everything), reverse=True)
    pages: list[AuditEntry] = []
    while page := catalog.audit(pages[-1].id if pages else None, 3):
        pages += page
    assert pages == everything
    assert {one.action for one in catalog.audit(action="account")} == {"account.add"}
    assert len(catalog.audit(action="encryption-key.add")) == 5
    assert not catalog.audit(action="acc")
    catalog.rotate_encryption_key("a1")
    found = catalog.audit(action="encryption-key", limit=3)
    assert [one.action.partition(".")[2] for one in found] == ["rotate", "add", "add"]
    assert found == [one for one in catalog.audit() if one.action.startswith("encryption-key")][:3]
    assert [one.subject for one in catalog.audit(found[1].id, 1, action="encryption-key")] == ["a3"]
    assert len(catalog.audit(subject="a3")) == 2
    assert not catalog.audit(subject="%") and not catalog.audit(subject="A3")
    catalog.add_account(Account(id="last", name="\U0010ffff"))
    assert not catalog.audit(subject="\U0010ffff")
    newest = catalog.audit()[0]
    assert catalog.audit(since=newest.time) == [newest]


@pytest.mark.parametrize("action", ["account", "account.add"])
def test_actions_are_looked_up_and_never_sorted(tmp_path: Path, action: str) -> None:
    asked: list[tuple[str, Any]] = []
    catalog = catalogs.opened(
        "memory", tmp_path, Declarations(), lambda: START, Keyring(new_master())
    )
    try:
        catalog.add_account(Account(id="one"))
        engine = catalog._database._engine
        event.listen(engine, "before_cursor_execute", lambda *said: asked.append(said[2:4]))
        assert len(catalog.audit(1000, action=action)) == 1
        with catalog._database.reading() as connection:
            for statement, parameters in [*asked]:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps = [row.detail for row in plan]
                assert len(steps) == 1 and "INDEX audit_by_action (action" in steps[0], steps
    finally:
        catalog.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET action = 'none'", "DELETE FROM audit", "DELETE FROM audit WHERE id = 1"],
)
def test_no_entry_is_changed_or_removed(catalog: Catalog, statement: str) -> None:
    catalog.add_account(Account(id="one"))
    before = catalog.audit()
    with pytest.raises(DBAPIError, match="append-only"), catalog._database.writing() as connection:
        connection.execute(text(statement))
    assert catalog.audit() == before


DRIVERS = Plugins.load(lenient=True).drivers
URLS = ("https://host.test", f"https://me:{SECRET}@host.test/a", f"https://host.test/?sig={SECRET}")
"""By which a secret may come into an option that is not for secrets."""


def written(kind: object, url: str) -> object:
    """What somebody could write for an option of that kind."""
    (base, _), *_ = map(plain, members(kind))
    if mentions(kind, Secret):
        return SECRET
    if is_dataclass(base) and isinstance(base, type):
        options = options_of(base).items()
        return {name: written(one.kind, url) for name, one in options if one.required}
    if "table" in describe(kind):
        return {"password": SECRET, "deep": {"token": SECRET}}
    return url


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_no_option_of_a_driver_brings_a_secret_into_it(name: str) -> None:
    driver, came = DRIVERS[name], 0
    for option, one in driver.options.items():
        if mentions(one.kind, Store) or mentions(one.kind, Path):
            continue
        for url in URLS:
            given = {option: written(one.kind, url)}
            problems = Problems()
            decoder = Decoder(problems=problems, folder=Path(), environ={})
            values = decoder.table(driver.kind, given, "up", optional=driver.options)
            if not problems:
                came += 1
                declared = Declared(
                    sid="up", place="up", driver=driver.kind, options=values, links={}
                )
                assert SECRET not in json.dumps(_shown(declared, given)), (option, given)
    assert came or not any(mentions(one.kind, Secret) for one in driver.options.values())


def test_two_processes_write_one_audit(tmp_path: Path, processes: None) -> None:
    """Also beside a gateway: none waits in vain, and nothing is missing."""
    master = new_master()
    catalog = catalogs.opened("sqlite", tmp_path, Declarations(), lambda: START, Keyring(master))
    program = (
        "import sys; from pathlib import Path\n"
        "from gateway.catalog.keys import Declarations\n"
        "from gateway.catalog.secrets import Keyring\n"
        "from gateway.storage import Secret; from tests import catalogs\n"
        "one = catalogs.opened('sqlite', Path(sys.argv[1]), Declarations(), lambda: 1,"
        " Keyring(Secret(bytes.fromhex(sys.argv[2]))))\n"
        "for number in range(10): one.add_key(id=f'other-{number:02}')\n"
        "one.close()\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path), master.reveal_bytes().hex()]
    with Popen(arguments) as other:
        for number in range(10):
            catalog.add_key(id=f"own-{number:02}")
        assert other.wait() == 0
    told = [one.subject for one in catalog.audit(action="key.add")]
    assert sorted(told) == sorted([f"{who}-{n:02}" for who in ("own", "other") for n in range(10)])
    catalog.close()


def test_a_key_is_revoked_though_there_is_no_room_for_the_entry(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    catalog.add_key(id="one")
    entries = len(catalog.audit())

    def full(*_: object, **__: object) -> None:
        raise Full

    monkeypatch.setattr(catalog, "_note", full)
    with caplog.at_level(logging.WARNING, "gateway.audit"):
        catalog.revoke_key("one")
    assert catalog.credential("one") is None
    assert "key.revoke 'one'" in caplog.text
    assert len(catalog.audit()) == entries

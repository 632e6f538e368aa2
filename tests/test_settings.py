"""Settings of services: what the catalog keeps, and what the runtime makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from sqlalchemy import insert, inspect, text

from gateway.access.actions import ALL
from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import ANYBODY, Rule
from gateway.access.settings import SettingKind
from gateway.catalog import Catalog, database, open_catalog, schema
from gateway.catalog.settings import NONE_STORED, NewSetting
from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.services.chain import Chain
from gateway.services.runtime import Runtime
from gateway.services.settings import ServiceSettings
from gateway.storage import (
    AlreadyExists,
    BytesBody,
    Conflict,
    Forbidden,
    NoSuchStore,
    Put,
    Secret,
    Unavailable,
)
from tests import catalogs

ALICE = Identity(key="a", account="alice")
ROOT = Identity(key="r", account="root", access="admin")
GUARD = 60
SERVICES = """
[services.archive]
driver = "memory"
"""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


@pytest.fixture
def configure(tmp_path: Path, plugins: Plugins) -> Callable[[str], Configuration]:
    def configure(kind: str) -> Configuration:
        file = tmp_path / "gateway.toml"
        memory = str(kind == "memory").lower()
        table = catalogs.table(kind)
        file.write_text(f'[server]\ndata = "data"\nmemory = {memory}\n{table}{SERVICES}')
        return load(file, environ={}, plugins=plugins)

    return configure


@pytest.fixture(params=catalogs.KINDS)
def catalog(
    request: pytest.FixtureRequest, configure: Callable[[str], Configuration]
) -> Iterator[Catalog]:
    opened = open_catalog(configure(request.param), {})
    yield opened
    opened.close()


def put(catalog: Catalog, sid: str, document: str, kind: str = "cors", **more: Any) -> int:
    return catalog.set_setting(sid, kind, document, **{"decides": False, "service": None, **more})


def documents(catalog: Catalog, sid: str) -> dict[str, str]:
    return {kind: one.document for kind, one in catalog.settings_of(sid).by_kind.items()}


# the catalog


def test_a_setting_is_kept_replaced_and_removed(catalog: Catalog) -> None:
    assert catalog.settings_of("archive") is NONE_STORED
    first = put(catalog, "archive", "one")
    other = put(catalog, "archive", "ä€", "website")
    second = put(catalog, "archive", "two")
    assert first < other < second
    assert documents(catalog, "archive") == {"cors": "two", "website": "ä€"}
    assert catalog.settings_of("archive").by_kind["cors"].version == second
    assert catalog.remove_setting("archive", "cors")
    assert not catalog.remove_setting("archive", "cors")
    assert documents(catalog, "archive") == {"website": "ä€"}
    assert put(catalog, "archive", "three") > second, "no version comes twice"
    assert documents(catalog, "elsewhere") == {}


def test_a_setting_replaces_the_one_that_was_seen(catalog: Catalog) -> None:
    first = put(catalog, "archive", "one", since=0)
    for since in (0, first + 1):
        with pytest.raises(Conflict, match="meanwhile"):
            put(catalog, "archive", "two", since=since)
        with pytest.raises(Conflict, match="meanwhile"):
            catalog.remove_setting("archive", "cors", since=since)
    assert documents(catalog, "archive") == {"cors": "one"}
    second = put(catalog, "archive", "two", since=first)
    with pytest.raises(Conflict, match="meanwhile"):
        put(catalog, "archive", "three", since=first)
    assert catalog.remove_setting("archive", "cors", since=second)
    assert documents(catalog, "archive") == {}


def test_what_was_loaded_stays_while_other_things_change(catalog: Catalog) -> None:
    put(catalog, "archive", "one")
    before = catalog.settings_of("archive")
    catalog.add_key(account="alice")
    catalog.add_service("bucket", "alice")
    assert catalog.settings_of("archive") is before
    put(catalog, "other", "one")
    assert catalog.settings_of("archive") is not before


def test_those_of_many_are_loaded_at_once(catalog: Catalog) -> None:
    for number in range(5):
        put(catalog, f"service-{number}", str(number))
    asked: list[str] = []
    catalog.load_settings(f"service-{number}" for number in range(2000))
    catalog._load = lambda services, sids: asked.extend(sids)  # type: ignore[method-assign]
    assert documents(catalog, "service-3") == {"cors": "3"}
    assert documents(catalog, "service-1999") == {}
    assert not asked
    assert documents(catalog, "service-2000") == {}
    assert asked == ["service-2000"]


def test_the_settings_of_a_made_service_end_with_it(catalog: Catalog) -> None:
    row = catalog.add_service("bucket", "alice")
    put(catalog, "bucket", "one", service=row.id)
    assert catalog.remove_service(row.id)
    assert documents(catalog, "bucket") == {}
    with pytest.raises(NoSuchStore):
        put(catalog, "bucket", "late", service=row.id)
    again = catalog.add_service("bucket", "bob")
    with pytest.raises(NoSuchStore):
        put(catalog, "bucket", "late", service=row.id)
    put(catalog, "bucket", "two", service=again.id)
    replaced = catalog.add_service("bucket", "bob", replaces=again.id)
    assert documents(catalog, "bucket") == {}
    assert catalog.remove_service(replaced.id)


def test_a_service_is_made_with_its_settings(catalog: Catalog) -> None:
    new = [NewSetting("cors", "rules", decides=False)]
    left = catalog.add_service("bucket", "alice", settings=new)
    assert documents(catalog, "bucket") == {"cors": "rules"}
    catalog.add_service("bucket", "alice", replaces=left.id)
    assert documents(catalog, "bucket") == {}, "what a crash left of one is not another's"


def test_settings_of_a_service_that_is_not_here_keep_its_name(catalog: Catalog) -> None:
    """As its contents do: whoever made it anew would have them."""
    put(catalog, "declared-once", "allow")
    with pytest.raises(AlreadyExists, match="settings"):
        catalog.add_service("declared-once", "alice")
    assert catalog.service("declared-once") is None


def test_an_account_is_shown_what_a_setting_may_give_it(catalog: Catalog) -> None:
    row = catalog.add_service("bucket", "alice")
    catalog.add_service("private", "alice")
    assert catalog.services(for_account="bob") == []
    put(catalog, "bucket", "rules", decides=True, service=row.id)
    put(catalog, "private", "no rules", decides=False)
    assert [one.sid for one in catalog.services(for_account="bob")] == ["bucket"]


@pytest.mark.parametrize("kind", catalogs.SHARED)
def test_another_process_sees_each_change_at_once(
    configure: Callable[[str], Configuration], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogs.without_delay(monkeypatch)
    configuration = configure(kind)
    one, other = (open_catalog(configuration, {}) for _ in range(2))
    for document in ("one", "two"):
        put(one, "archive", document)
        assert documents(other, "archive") == {"cors": document}
    one.remove_setting("archive", "cors")
    assert documents(other, "archive") == {}
    one.close()
    other.close()


@pytest.mark.parametrize("kind", catalogs.SHARED)
def test_a_catalog_of_the_version_before_is_upgraded_with_all_that_is_in_it(
    configure: Callable[[str], Configuration], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configure(kind)
    with monkeypatch.context() as before:
        for module in (schema, database):
            before.setattr(module, "MIGRATIONS", schema.MIGRATIONS[:1])
        old = open_catalog(configuration, {})
        key = {
            "id": "of-alice",
            "account": "alice",
            "access": "own",
            "sealed": old.keyring.seal("of-alice", Secret("secret")),
            "lookup": old.keyring.index("secret"),
            "active": True,
            "created": 1,
            "description": "",
        }
        old.close()
    engine = catalogs.engine(kind, configuration.data)
    assert "service_settings" not in inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.execute(insert(schema.KEYS).values(key))
        connection.execute(
            text(
                "INSERT INTO services (namespace, sid, owner, created, granted, grants, settings)"
                " VALUES ('', 'bucket', 'alice', 1, true, :grants, '{}')"
            ),
            {"grants": '[["*", "read"]]'},
        )
    engine.dispose()
    upgraded = open_catalog(configuration, {})
    row = upgraded.service("bucket")
    assert row is not None
    assert (row.owner, row.grants) == ("alice", (Grant("*", "read"),))
    alice = upgraded.credential("of-alice")
    assert alice is not None
    assert alice.secret.reveal() == "secret"
    put(upgraded, "bucket", "one", service=row.id)
    assert documents(upgraded, "bucket") == {"cors": "one"}
    upgraded.close()


# the runtime


def parsed(document: str) -> frozenset[Any]:
    """Actions that everybody is denied."""
    found = frozenset(document.split())
    if found - ALL:
        raise ValueError(f"no actions: {document}")
    return found


def denied(value: frozenset[Any], _: str) -> Iterable[Rule]:
    yield Rule(effect="deny", who=ANYBODY, actions=value)


DENIALS = SettingKind(
    name="denials",
    read="read-policy",
    write="write-policy",
    remove="remove-policy",
    parse=parsed,
    rules=denied,
)
NOTES = SettingKind(
    name="notes", read="read-cors", write="write-cors", remove="write-cors", parse=str
)


def named(text: str) -> str:
    if not text:
        raise ValueError("no name")
    return text


def given(name: str, said: Put, time: int) -> Put:
    return replace(said, storage_class=name) if said.storage_class == "STANDARD" else said


DEFAULTS = SettingKind(
    name="defaults",
    read="read-encryption",
    write="write-encryption",
    remove="write-encryption",
    parse=named,
    defaults=given,
)


@pytest.fixture
def runtime(configure: Callable[[str], Configuration]) -> Iterator[Runtime]:
    runtime = opened(configure("memory"), [DENIALS, NOTES, DEFAULTS])
    yield runtime
    runtime.close()


def opened(
    configuration: Configuration,
    kinds: Iterable[SettingKind[Any]],
    declared: dict[str, dict[str, str]] | None = None,
) -> Runtime:
    chain, catalog = Chain(configuration), open_catalog(configuration, {})
    chain.open(folder=configuration.data, master_key=catalog.keyring.storage)
    chain.date(catalog.declared_since(chain.services, 1))
    settings = ServiceSettings(catalog, kinds, declared or {})
    return Runtime(chain, catalog, configuration.mode_options(), service_settings=settings)


@pytest.mark.parametrize("sid", ["archive", "bucket"])
def test_any_service_has_settings(runtime: Runtime, sid: str) -> None:
    runtime.create(ALICE, "bucket")
    owner = ROOT if sid == "archive" else ALICE
    access = runtime.access(owner, sid)
    assert runtime.setting(access, NOTES) is None
    done = runtime.set_setting(access, NOTES, NOTES.parsed("some text"))
    assert runtime.setting(access, NOTES) == done == ("some text", "some text", done.version)
    assert runtime.remove_setting(access, NOTES)
    assert runtime.setting(access, NOTES) is None


def test_who_has_one_is_known_and_told_of_changes(
    configure: Callable[[str], Configuration],
) -> None:
    runtime = opened(configure("memory"), [NOTES], {"archive": {"notes": "declared"}})
    seen: Queue[list[str]] = Queue()

    def told(*sids: str) -> None:
        while seen.get(timeout=GUARD) != [*sids]:
            pass

    try:
        runtime.create(ALICE, "bucket")
        runtime.create(ALICE, "other")
        runtime.keep_up_with(lambda: seen.put(list(runtime.having(NOTES))))
        runtime.keep_up(lambda _: None)
        told("archive")
        runtime.set_setting(runtime.access(ALICE, "bucket"), NOTES, NOTES.parsed("some text"))
        told("archive", "bucket")
        runtime.drop(ALICE, "bucket")
        told("archive")
    finally:
        runtime.close()


def test_who_may_not_sets_sees_and_removes_nothing(runtime: Runtime) -> None:
    runtime.create(ALICE, "bucket")
    runtime.set_setting(runtime.access(ALICE, "bucket"), NOTES, NOTES.parsed("secret"))
    for who in (
        Identity(key="b", account="bob"),
        Identity(key="k", account="x", access="write-all"),
    ):
        access = runtime.access(who, "bucket")
        with pytest.raises(Forbidden):
            runtime.set_setting(access, DENIALS, DENIALS.parsed("list read"))
        with pytest.raises(Forbidden):
            runtime.setting(access, NOTES)
        with pytest.raises(Forbidden):
            runtime.remove_setting(access, NOTES)


def test_rules_count_at_once_and_end_at_once(runtime: Runtime) -> None:
    access = runtime.access(ROOT, "archive")
    runtime.set_setting(access, DENIALS, DENIALS.parsed("list read"))
    denied = runtime.access(ROOT, "archive")
    assert not denied.may("list", "") and denied.may("write", "key")
    runtime.remove_setting(denied, DENIALS)
    assert runtime.access(ROOT, "archive").may("list", "")


def test_what_new_objects_have_by_default_they_have_through_every_door(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    access = runtime.access(ROOT, "archive")
    assert access.settings == frozenset()
    runtime.set_setting(access, DEFAULTS, DEFAULTS.parsed("GLACIER"))
    access = runtime.access(ROOT, "archive")
    assert access.settings == {"defaults"}
    made = [
        access.put("put", BytesBody(b"data"), Put(size=4)),
        access.copy(access, "put", "copied"),
        access.begin("begun").options,
    ]
    assert [one.storage_class for one in made] == ["GLACIER"] * 3
    said = access.put("said", BytesBody(b""), Put(size=0, storage_class="STANDARD_IA"))
    assert said.storage_class == "STANDARD_IA"
    with caplog.at_level(logging.ERROR):
        runtime.catalog.set_setting("archive", "defaults", "", decides=False, service=None)
        access = runtime.access(ROOT, "archive")
    assert "no writes" in caplog.text
    assert access.may("read", "key") and not access.may("write", "key")


def test_a_service_that_is_dropped_takes_nothing_more(runtime: Runtime) -> None:
    runtime.create(ALICE, "bucket")
    before = runtime.access(ALICE, "bucket")
    runtime.drop(ALICE, "bucket")
    runtime.create(ALICE, "bucket")
    with pytest.raises(NoSuchStore):
        runtime.set_setting(before, DENIALS, DENIALS.parsed("list"))


def test_a_setting_that_nobody_can_read_closes_its_service(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """Its mode is not installed, or knows less than it did."""
    for kind, document in (("strange", "whatever"), ("denials", "an action of tomorrow")):
        with caplog.at_level(logging.ERROR):
            runtime.catalog.set_setting("archive", kind, document, decides=True, service=None)
            access = runtime.access(ROOT, "archive")
        assert repr(kind) in caplog.text
        assert not any(access.may(action, "key") for action in ("list", "read", "write", "drop"))
        assert access.may("read-policy") and access.may("remove-policy"), "its owner's account"
        assert not access.visible
        caplog.clear()
        runtime.catalog.remove_setting("archive", kind)
        assert runtime.access(ROOT, "archive").may("list", "")
    runtime.catalog.set_setting("archive", "strange", "no rules", decides=False, service=None)
    assert runtime.access(ROOT, "archive").may("list", "")


def test_what_is_declared_goes_on_by_what_was_last_known_without_a_catalog(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.create(ALICE, "bucket")
    runtime.set_setting(runtime.access(ROOT, "archive"), DENIALS, DENIALS.parsed("list"))
    assert not runtime.access(ROOT, "archive").may("list", "")

    def gone() -> int:
        raise Unavailable

    monkeypatch.setattr(runtime.catalog, "version", gone)
    access = runtime.access(ROOT, "archive")
    assert access.may("read", "key") and not access.may("list", "")
    with pytest.raises(Unavailable):
        runtime.access(ALICE, "bucket")


def test_what_the_configuration_says_wins_over_the_catalog(
    configure: Callable[[str], Configuration],
) -> None:
    runtime = opened(configure("memory"), [DENIALS, NOTES], {"archive": {"denials": "read"}})
    runtime.catalog.set_setting("archive", "denials", "list", decides=True, service=None)
    access = runtime.access(ROOT, "archive")
    assert access.may("list", "") and not access.may("read", "key")
    setting = runtime.setting(access, DENIALS)
    assert setting is not None
    assert (setting.document, setting.value, setting.version) == ("read", frozenset({"read"}), 0)
    for attempt in (
        lambda: runtime.set_setting(access, DENIALS, DENIALS.parsed("list")),
        lambda: runtime.remove_setting(access, DENIALS),
    ):
        with pytest.raises(Conflict, match=r"services\.archive\.settings\.denials"):
            attempt()
    runtime.set_setting(access, NOTES, NOTES.parsed("a kind that it does not say"))
    runtime.close()


def test_a_kind_of_rules_that_could_lock_its_owner_out_is_refused() -> None:
    with pytest.raises(ValueError, match="lock its owner out"):
        SettingKind(
            name="x", read="read-cors", write="write-cors", remove="write-cors",
            parse=parsed, rules=denied,
        )  # fmt: skip

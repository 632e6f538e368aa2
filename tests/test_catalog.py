"""The catalog: keys, accounts and services that are made while the gateway runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from gateway.access.grants import Grant
from gateway.access.identity import Account
from gateway.access.sessions import CALLS
from gateway.catalog import (
    BindingRow,
    Catalog,
    CatalogError,
    open_catalog,
    postgres,
    prepare,
    schema,
)
from gateway.catalog.cache import LIMIT, Kept
from gateway.catalog.database import Database
from gateway.catalog.postgres import Polled
from gateway.catalog.secrets import Keyring, find_master, make_master, new_master
from gateway.config import Configuration, load
from gateway.plugins.finding import Plugins
from gateway.storage import (
    AlreadyExists,
    Busy,
    Conflict,
    InvalidRequest,
    NotFound,
    Secret,
    Unavailable,
)
from tests import catalogs

PATIENCE = 120

DECLARED = """
[[accounts]]
id = "photos"
name = "Photo team"
[[keys]]
id = "reader"
secret = "declared-secret"
account = "photos"
access = { archive = "read" }
[services.archive]
driver = "memory"
"""


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


@pytest.fixture
def configure(tmp_path: Path, plugins: Plugins) -> Callable[..., Configuration]:
    def configure(text: str = DECLARED, **environ: str) -> Configuration:
        file = tmp_path / "gateway.toml"
        file.write_text(f'[server]\ndata = "data"\n{text}')
        return load(file, environ=environ, plugins=plugins)

    return configure


@pytest.fixture
def configuration(configure: Callable[..., Configuration]) -> Configuration:
    return configure()


@dataclass(frozen=True)
class Shared:
    """A catalog that several processes have."""

    kind: str
    configuration: Configuration

    def execute(self, statement: str) -> list[Any]:
        engine = catalogs.engine(self.kind, self.configuration.data)
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            rows: list[Any] = list(found.all()) if found.returns_rows else []
        engine.dispose()
        return rows


@pytest.fixture(params=catalogs.SHARED)
def shared(
    request: pytest.FixtureRequest,
    configure: Callable[..., Configuration],
    monkeypatch: pytest.MonkeyPatch,
) -> Shared:
    catalogs.without_delay(monkeypatch)
    return Shared(request.param, configure(catalogs.table(request.param) + DECLARED))


@pytest.fixture(params=catalogs.KINDS)
def catalog(request: pytest.FixtureRequest, tmp_path: Path, plugins: Plugins) -> Iterator[Catalog]:
    file = tmp_path / "gateway.toml"
    memory = str(request.param == "memory").lower()
    table = catalogs.table(request.param)
    file.write_text(f'[server]\ndata = "data"\nmemory = {memory}\n{table}{DECLARED}')
    opened = open_catalog(load(file, environ={}, plugins=plugins), {})
    yield opened
    opened.close()


# keys


def test_a_key_is_found_by_id_and_by_secret(catalog: Catalog) -> None:
    made = catalog.add_key(account="photos", access={"archive": "write"}, description="for x")
    for found in (catalog.credential(made.id), catalog.credential_by_secret(made.secret.reveal())):
        assert found is not None
        assert found.secret.reveal() == made.secret.reveal()
        assert found.identity == made.identity
    assert catalog.credential("nobody") is None
    assert catalog.credential_by_secret("nothing") is None
    assert catalog.credential_by_secret("\udcff") is None


def test_declared_keys_come_first_and_cannot_be_changed(catalog: Catalog) -> None:
    declared = catalog.credential("reader")
    assert declared is not None and declared.identity.access == {"archive": "read"}
    assert catalog.credential_by_secret("declared-secret") == declared
    with pytest.raises(Conflict):
        catalog.revoke_key("reader")
    with pytest.raises(Conflict):
        catalog.add_key(id="reader")
    with pytest.raises(AlreadyExists):
        catalog.add_key(secret=Secret("declared-secret"))


def test_a_revoked_key_is_gone_and_its_id_is_not_given_again(catalog: Catalog) -> None:
    made = catalog.add_key(id="short")
    assert catalog.credential("short") is not None
    catalog.revoke_key("short")
    assert catalog.credential("short") is None
    assert catalog.credential_by_secret(made.secret.reveal()) is None
    with pytest.raises(AlreadyExists):
        catalog.add_key(id="short")
    listed = {one.id: one.active for one in catalog.all_keys()}
    assert listed == {"reader": True, "short": False}
    with pytest.raises(NotFound):
        catalog.revoke_key("never")


def test_two_keys_do_not_have_one_secret(catalog: Catalog) -> None:
    catalog.add_key(id="one", secret=Secret("the same"))
    with pytest.raises(AlreadyExists):
        catalog.add_key(id="two", secret=Secret("the same"))
    assert catalog.credential("two") is None


def test_accounts_are_declared_made_or_made_with_a_key(catalog: Catalog) -> None:
    assert catalog.account("root") == Account(id="root", name="root")
    assert catalog.account("photos") == Account(id="photos", name="Photo team")
    assert catalog.account("alice") is None
    catalog.add_account(Account(id="alice", name="Alice", email="a@example.com"))
    assert catalog.account("alice") == Account(id="alice", name="Alice", email="a@example.com")
    catalog.add_key(account="bob")
    assert catalog.account("bob") == Account(id="bob", name="bob")
    for taken in ("alice", "photos"):
        with pytest.raises(AlreadyExists):
            catalog.add_account(Account(id=taken))


def test_an_account_is_found_by_its_email_address_when_one_has_it(catalog: Catalog) -> None:
    alice = Account(id="alice", email="A@example.com")
    assert catalog.account_by_email("a@example.com") is None
    catalog.add_account(alice)
    for same in ("a@example.com", "A@EXAMPLE.COM", " A@example.com "):
        assert catalog.account_by_email(same) == alice
    for other in ("", " ", "b@example.com", "%", "a_example.com"):
        assert catalog.account_by_email(other) is None  # most accounts have no address
    catalog.add_account(Account(id="impostor", email="a@Example.com"))
    assert catalog.account_by_email("a@example.com") is None


def test_the_one_account_without_an_address_is_not_found_by_none(
    configure: Callable[..., Configuration],
) -> None:
    opened = open_catalog(configure("memory = true\n"), {})
    try:
        assert opened.account("root") is not None
        assert opened.account_by_email("") is None
    finally:
        opened.close()


def test_a_declared_account_hides_the_catalogs_address(
    configure: Callable[..., Configuration],
) -> None:
    opened = open_catalog(configure(), {})
    opened.add_account(Account(id="alice", email="old@example.com"))
    opened.close()
    declared = '[[accounts]]\nid = "alice"\nemail = "new@example.com"\n'
    opened = open_catalog(configure(declared), {})
    try:
        assert opened.account_by_email("old@example.com") is None
        found = opened.account_by_email("new@example.com")
        assert found is not None and found.id == "alice"
    finally:
        opened.close()


# services


def test_services_have_an_owner_and_grants(catalog: Catalog) -> None:
    row = catalog.add_service("my-bucket", "alice", [Grant("*", "read")])
    assert catalog.service("my-bucket") == row == catalog.read_service("my-bucket")
    assert row.grants == (Grant("*", "read"),)
    assert catalog.set_grants(row.id, [Grant("bob", "full")])
    changed = catalog.service("my-bucket")
    assert changed is not None and changed.grants == (Grant("bob", "full"),)
    for taken in ("my-bucket", "archive"):
        with pytest.raises(AlreadyExists):
            catalog.add_service(taken, "bob")
    assert catalog.remove_service(row.id)
    assert catalog.service("my-bucket") is None
    assert not catalog.remove_service(row.id)
    assert not catalog.set_grants(row.id, [])


def test_a_row_that_is_replaced_gets_another_id(catalog: Catalog) -> None:
    old = catalog.add_service("name", "alice")
    new = catalog.add_service("name", "alice", replaces=old.id)
    assert new.id != old.id
    assert not catalog.remove_service(old.id)
    assert catalog.service("name") == new
    with pytest.raises(Conflict):
        catalog.add_service("name", "alice", replaces=old.id)
    assert catalog.service("name") == new


def test_services_come_in_pages_in_the_order_of_bytes(catalog: Catalog) -> None:
    names = sorted(["a.b", "a-b", "ab1", "a1b", "b--"])
    for name in names:
        catalog.add_service(name, "alice" if name < "ab" else "bob")
    catalog.add_service("public", "eve", [Grant("*", "read")])
    assert [one.sid for one in catalog.services()] == [*names, "public"]
    assert [one.sid for one in catalog.services("a1b", 2)] == ["ab1", "b--"]
    assert [one.sid for one in catalog.services(for_account="bob")] == ["ab1", "b--", "public"]


def test_what_strangers_ask_for_is_not_there(catalog: Catalog) -> None:
    """A NUL comes with `%00` in a path or a query; PostgreSQL's text has none."""
    asked = "a\0b"
    assert catalog.credential(asked) is None
    assert catalog.credential_by_secret(asked) is None
    assert catalog.account(asked) is None
    assert catalog.account_by_email(asked) is None
    assert catalog.service(asked) is None


def test_of_many_that_want_a_name_one_gets_it(catalog: Catalog) -> None:
    barrier = threading.Barrier(8)

    def want(number: int) -> bool:
        barrier.wait()
        try:
            catalog.add_service("wanted", f"account{number}")
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(want, range(8))) == 1


# currency


def test_another_catalog_of_the_same_folder_sees_each_change_at_once(shared: Shared) -> None:
    mine, other = (open_catalog(shared.configuration, {}) for _ in range(2))
    try:
        made = other.add_key(id="new", account="alice")
        assert mine.credential("new") is not None  # and remembers it
        assert mine.credential_by_secret(made.secret.reveal()) is not None
        other.revoke_key("new")
        assert mine.credential("new") is None
        assert mine.credential_by_secret(made.secret.reveal()) is None
        row = other.add_service("bucket", "alice")
        assert mine.service("bucket") == row
        other.set_grants(row.id, [Grant("*", "read")])
        seen = mine.service("bucket")
        assert seen is not None and seen.grants == (Grant("*", "read"),)
    finally:
        mine.close()
        other.close()


@pytest.mark.usefixtures("processes")
def test_another_process_is_seen_too(shared: Shared) -> None:
    catalog = open_catalog(shared.configuration, {})
    try:
        catalog.add_key(id="doomed")
        assert catalog.credential("doomed") is not None
        command = [sys.executable, "-m", "gateway", "keys", "revoke", "doomed"]
        place = ["--config", str(shared.configuration.origin.path)]
        subprocess.run([*command, *place], check=True, capture_output=True)
        assert catalog.credential("doomed") is None
    finally:
        catalog.close()


def test_what_was_loaded_before_a_change_is_not_remembered_after_it(catalog: Catalog) -> None:
    """A thread that reads a row, and is overtaken by a change before it remembers it."""
    catalog.add_key(id="slow")
    unseal = catalog.keyring.unseal

    class Overtaken(Keyring):
        __slots__ = ()

        def unseal(self, key: str, sealed: bytes) -> Secret:
            catalog.keyring = keyring
            catalog.revoke_key("slow")
            catalog.credential("other")
            return unseal(key, sealed)

    keyring, catalog.keyring = catalog.keyring, Overtaken(new_master())
    assert catalog.credential("slow") is not None  # it began before
    assert catalog.credential("slow") is None


def test_what_is_remembered_is_bounded() -> None:
    kept: Kept[int] = Kept()
    for number in range(LIMIT + 10):
        kept.keep(number, number)
    assert len(kept) == LIMIT
    assert (kept.get(0), kept.get(LIMIT + 9)) == (None, LIMIT + 9)


# the first credential


def test_the_first_credential_is_made_once(shared: Shared) -> None:
    configuration = shared.configuration
    first = prepare(configuration, {})
    assert first is not None
    assert prepare(configuration, {}) is None
    catalog = open_catalog(configuration, {})
    found = catalog.credential(first.id)
    catalog.close()
    assert found is not None and found.secret.reveal() == first.secret.reveal()
    assert (found.identity.access, found.identity.account) == ("admin", "root")


ROOT = {"GATEWAY_ROOT_ACCESS_KEY": "me", "GATEWAY_ROOT_SECRET_KEY": "environment-secret"}


def test_the_environments_root_key_overrides_and_is_never_written(
    configure: Callable[..., Configuration],
) -> None:
    first = prepare(configure(), {})
    assert first is not None
    configuration = configure(**ROOT)
    assert prepare(configuration, {}) is None
    catalog = open_catalog(configuration, {})
    root = catalog.credential("me")
    assert root is not None and root.identity.access == "admin"
    assert catalog.credential(first.id) is None
    assert catalog.credential_by_secret(first.secret.reveal()) is None
    assert [one.set_aside for one in catalog.all_keys() if one.id == first.id] == [True]
    catalog.close()
    again = open_catalog(configure(), {})
    assert again.credential("me") is None
    assert again.credential(first.id) is not None
    again.close()
    assert configuration.data is not None
    stored = b"".join(one.read_bytes() for one in configuration.data.iterdir())
    assert b"environment-secret" not in stored


def test_with_the_environments_root_key_no_first_one_is_made(
    configure: Callable[..., Configuration],
) -> None:
    assert prepare(configure(**ROOT), {}) is None
    catalog = open_catalog(configure(), {})
    assert [one.id for one in catalog.all_keys()] == ["reader"]
    catalog.close()


def test_in_memory_the_first_credential_reaches_the_serving_process(
    configure: Callable[..., Configuration], plugins: Plugins
) -> None:
    origin = configure().origin
    configuration = load(origin.path, overrides={"memory": True}, environ={}, plugins=plugins)
    environ: dict[str, str] = {}
    first = prepare(configuration, environ)
    assert first is not None
    assert not environ  # which processes that are started later would have, too
    catalog = open_catalog(configuration.with_root(first.root), environ)
    found = catalog.credential(first.id)
    assert found is not None and found.secret.reveal() == first.secret.reveal()
    assert found.identity.access == "admin"
    catalog.close()
    assert not (Path(origin.path or "").parent / "data").exists()


# secrets and the master key


def test_no_secret_lies_in_the_folder_readable(configuration: Configuration) -> None:
    catalog = open_catalog(configuration, {})
    made = catalog.add_key(secret=Secret("the-secret-itself"))
    catalog.close()
    assert configuration.data is not None
    stored = b"".join(one.read_bytes() for one in configuration.data.iterdir())
    assert made.id.encode() in stored
    assert b"the-secret-itself" not in stored
    assert b"declared-secret" not in stored


def test_a_sealed_secret_cannot_be_moved_to_another_key() -> None:
    keyring = Keyring(new_master())
    sealed = keyring.seal("one", Secret("s"))
    assert keyring.unseal("one", sealed).reveal() == "s"
    with pytest.raises(CatalogError):
        keyring.unseal("two", sealed)
    assert keyring.seal("one", Secret("s")) != sealed


def test_the_derived_keys_tell_nothing_of_each_other() -> None:
    master = new_master()
    one, two = Keyring(master), Keyring(master)
    assert one.storage.reveal_bytes() == two.storage.reveal_bytes()
    assert one.index("s") == two.index("s") != Keyring(new_master()).index("s")
    assert len({master.reveal_bytes(), one.storage.reveal_bytes(), bytes.fromhex(one.token)}) == 3


def open_and_close(configuration: Configuration, environ: dict[str, str]) -> None:
    open_catalog(configuration, environ).close()


def test_the_master_key_is_a_file_of_the_owner(configuration: Configuration) -> None:
    open_and_close(configuration, {})
    assert configuration.data is not None
    path = configuration.data / "gateway.key"
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        with pytest.raises(CatalogError, match="chmod 600"):
            open_and_close(configuration, {})
        path.chmod(0o600)
    open_and_close(configuration, {})


def test_a_wrong_or_missing_master_key_is_said_at_start(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = shared.configuration
    monkeypatch.setattr("gateway.catalog.secrets._PATIENCE", 0.02)
    open_and_close(configuration, {})
    assert configuration.data is not None
    path = configuration.data / "gateway.key"
    with pytest.raises(CatalogError, match="not the one") as caught:
        open_and_close(configuration, {"GATEWAY_MASTER_KEY": "ab" * 32})
    assert "abab" not in str(caught.value)
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(CatalogError, match="is missing"):
        open_and_close(configuration, {})
    assert not path.exists()
    for broken in (b"", b"short\n"):
        path.write_bytes(broken)
        path.chmod(0o600)
        with pytest.raises(CatalogError, match="no master key"):
            find_master(configuration.data, {})
    path.write_bytes(kept)
    open_and_close(configuration, {})


@pytest.mark.parametrize("text", ["ab" * 32, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="])
def test_the_environment_gives_the_master_key_in_hex_or_base64(
    configuration: Configuration, text: str
) -> None:
    found = find_master(configuration.data, {"GATEWAY_MASTER_KEY": text})
    assert found is not None and found.reveal_bytes() == b"\xab" * 32
    open_and_close(configuration, {"GATEWAY_MASTER_KEY": text})
    assert configuration.data is not None
    assert not (configuration.data / "gateway.key").exists()


def test_processes_that_start_at_once_agree_on_the_master_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def make(_: int) -> bytes:
        barrier.wait()
        return make_master(tmp_path).reveal_bytes()

    with ThreadPoolExecutor(8) as pool:
        (agreed,) = set(pool.map(make, range(8)))
    assert make_master(tmp_path).reveal_bytes() == agreed  # who comes later makes no other


def test_catalogs_that_are_opened_at_once_are_one(shared: Shared) -> None:
    barrier = threading.Barrier(6)

    def start(_: int) -> object:
        barrier.wait()
        return prepare(shared.configuration, {})

    with ThreadPoolExecutor(6) as pool:
        assert len([one for one in pool.map(start, range(6)) if one is not None]) == 1


# PostgreSQL


@pytest.fixture
def postgres_only(configure: Callable[..., Configuration]) -> Configuration:
    if "postgres" not in catalogs.SHARED:
        pytest.skip("GATEWAY_TEST_POSTGRES names no database")
    return configure(catalogs.table("postgres") + DECLARED)


def test_what_postgres_has_no_place_for_is_the_requests_fault(postgres_only: Configuration) -> None:
    catalog = open_catalog(postgres_only, {})
    try:
        with pytest.raises(InvalidRequest):
            catalog.add_account(Account(id="a", name="a\0b"))
        assert catalog.account("a") is None
    finally:
        catalog.close()


def test_a_standby_is_unavailable_for_changes(
    postgres_only: Configuration, configure: Callable[..., Configuration]
) -> None:
    """As after a failover, for who is still connected to the one that wrote before."""
    open_and_close(postgres_only, {})
    catalog = open_catalog(configure(catalogs.read_only() + DECLARED), {})
    try:
        assert catalog.credential("reader") is not None
        with pytest.raises(Unavailable):
            catalog.add_service("bucket", "alice")
    finally:
        catalog.close()


# the schema


def stored_version(shared: Shared) -> str:
    ((version,),) = shared.execute("SELECT value FROM meta WHERE name = 'schema'")
    return str(version)


def test_a_newer_catalog_is_refused(shared: Shared) -> None:
    open_and_close(shared.configuration, {})
    shared.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    with pytest.raises(CatalogError, match="schema version 99"):
        open_and_close(shared.configuration, {})


def test_an_older_catalog_is_upgraded_step_by_step(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = shared.configuration
    open_and_close(configuration, {})
    taken: list[int] = []
    now = len(schema.MIGRATIONS)
    steps = tuple((lambda _, number=number: taken.append(number)) for number in range(now + 2))
    from gateway.catalog import database

    for module in (schema, database):
        monkeypatch.setattr(module, "MIGRATIONS", steps)
    open_and_close(configuration, {})
    assert taken == [now, now + 1]
    assert stored_version(shared) == str(now + 2)
    open_and_close(configuration, {})
    assert taken == [now, now + 1]


def test_one_that_is_made_at_once_is_as_one_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.catalog import database

    def made() -> list[str]:
        opened = database.open_memory()
        try:
            with opened.reading() as connection:
                driver: Any = connection.connection.driver_connection
                return list(driver.iterdump())
        finally:
            opened.close()

    taken: list[int] = []
    steps = (*schema.MIGRATIONS, lambda _: taken.append(1))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    by_steps, at_once = made(), made()
    assert taken == [1]
    assert at_once == by_steps


def test_what_is_no_catalog_is_said(configuration: Configuration) -> None:
    assert configuration.data is not None
    configuration.data.mkdir()
    (configuration.data / "catalog.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(CatalogError, match=r"catalog\.db cannot be opened"):
        open_and_close(configuration, {})


def test_a_data_folder_that_cannot_be_made_is_said(configuration: Configuration) -> None:
    assert configuration.data is not None
    configuration.data.write_text("a file is in its place")
    with pytest.raises(CatalogError, match="data folder"):
        open_and_close(configuration, {})


@pytest.mark.usefixtures("sockets", "seconds")
def test_a_postgres_that_says_nothing_is_given_up(
    configure: Callable[..., Configuration],
) -> None:
    """Something listens there, and never answers."""
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/none?connect_timeout=2"
        with pytest.raises(CatalogError, match="timeout"):
            open_and_close(configure(f'[catalog]\nurl = "{url}"\n'), {})


def test_nothing_waits_for_postgres_without_an_end() -> None:
    pytest.importorskip("psycopg")
    asked: list[dict[str, Any]] = []

    def connect(_dialect: object, _record: object, _arguments: object, options: Any) -> None:
        asked.append(dict(options))
        raise ConnectionRefusedError

    for url in ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d?connect_timeout=60"):
        engine = postgres._engine(Secret(url))
        event.listen(engine, "do_connect", connect)
        with pytest.raises(ConnectionRefusedError):
            engine.connect()
    defaults, given = asked
    assert {"connect_timeout": 5, "tcp_user_timeout": 15_000, "keepalives_idle": 10}.items() <= (
        defaults.items()
    )
    assert int(given["connect_timeout"]) == 60


class Asked:
    """In the place of an engine: each question waits until it is `allowed`, and may fail."""

    def __init__(self) -> None:
        self.questions, self.fails = 0, False
        self.allowed, self.reached = threading.Event(), threading.Event()

    @contextmanager
    def connect(self) -> Iterator[Asked]:
        self.questions += 1
        self.reached.set()
        assert self.allowed.wait(PATIENCE)
        if self.fails:
            raise OperationalError("SELECT", {}, Exception("gone"))
        yield self

    def scalar(self, _: object) -> int:
        return 7


def test_one_asks_postgres_for_all_and_its_failure_is_all_of_theirs() -> None:
    database, now = Asked(), [0.0]
    polled = Polled(database, lambda: now[0], PATIENCE)  # type: ignore[arg-type]
    with ThreadPoolExecutor(8) as pool:

        def asked() -> list[object]:
            """What eight get who come at once."""
            database.questions = 0
            found = [pool.submit(polled.version) for _ in range(8)]
            assert database.reached.wait(PATIENCE)
            database.allowed.set()
            return [one.exception() or one.result() for one in found]

        now[0] += 1
        assert asked() == [7] * 8
        assert database.questions == 1
        now[0] += 1
        database.fails = True
        database.reached.clear()
        database.allowed.clear()
        assert {type(one) for one in asked()} == {Unavailable}
        assert database.questions == 1, "nobody asks again who has waited"

        now[0] += 1
        database.reached.clear()
        database.allowed.clear()
        back = pool.submit(polled.version)
        assert database.reached.wait(PATIENCE)
        for _ in range(3):  # while it is being tried, nobody else waits
            with pytest.raises(Unavailable):
                polled.version()
        database.fails = False
        database.allowed.set()
        assert back.result() == 7
        assert polled.version() == 7


def test_a_postgres_that_stands_still_holds_one_thread() -> None:
    database, now = Asked(), [1.0]
    polled = Polled(database, lambda: now[0], patience=0.01)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(polled.version)
        assert database.reached.wait(PATIENCE)
        for _ in range(3):
            with pytest.raises(Unavailable):
                polled.version()
        database.allowed.set()
        assert held.result() == polled.version() == 7
    assert database.questions == 1


def test_too_many_who_ask_the_catalog_are_refused(tmp_path: Path) -> None:
    engine = create_engine(
        f"sqlite:///{tmp_path / 'few.db'}", pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    database = Database(engine, Watched(), begin="BEGIN")
    with database.reading(), pytest.raises(Busy), database.reading():
        pass
    database.close()


class Watched:
    def version(self) -> int:
        return 0

    def wrote(self) -> None:
        """Nobody asks."""

    def close(self) -> None:
        """Nothing is open."""


def test_a_postgres_that_is_not_there_is_said_without_the_password(
    configure: Callable[..., Configuration],
) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:1/none"
    with pytest.raises(CatalogError, match="PostgreSQL cannot be used") as caught:
        open_and_close(configure(f'[catalog]\nurl = "{url}"\n'), {})
    assert "hunter2" not in str(caught.value)


# services of any driver


def test_a_store_has_options_that_only_it_can_read(catalog: Catalog) -> None:
    catalog.add_service("bucket", "photos")
    catalog.add_store("one", "photos", "s3", {"key": "hunter2"}, name="One", since=0)
    stores = catalog.stores()
    assert (stores.number, list(stores.services)) == (1, ["one"])
    row = catalog.service("one")
    assert row == stores.services["one"] and row is not None and row.store is not None
    assert (row.owner, row.store.driver, row.store.name) == ("photos", "s3", "One")
    assert catalog.options(row) == {"key": "hunter2"}
    assert b"hunter2" not in row.store.sealed
    bucket = catalog.service("bucket")
    assert bucket is not None and bucket.store is None
    with pytest.raises(CatalogError, match="options of the service 'two' is damaged"):
        catalog.options(row._replace(sid="two"))
    with pytest.raises(AlreadyExists):
        catalog.add_store("bucket", "photos", "s3", {}, since=1)
    with pytest.raises(AlreadyExists, match="declared"):
        catalog.add_store("archive", "photos", "s3", {}, since=1)
    assert catalog.stores_number() == 1


def test_a_store_is_changed_and_removed_by_who_has_seen_it_as_it_is(catalog: Catalog) -> None:
    catalog.add_store("one", "photos", "s3", {}, since=0)
    row = catalog.stores().services["one"]
    catalog.change_store(row, {"bucket": "b"}, name="", since=1)
    changed = catalog.stores().services["one"]
    assert catalog.options(changed) == {"bucket": "b"}
    assert row.store is not None and changed.store is not None
    assert (changed.id, changed.store.revision > row.store.revision) == (row.id, True)
    changes: tuple[Callable[[], object], ...] = (
        lambda: catalog.change_store(row, {}, name="", since=1),
        lambda: catalog.remove_store(row, since=1),
        lambda: catalog.add_store("two", "photos", "s3", {}, since=1),
        lambda: catalog.add_binding(BindingRow("h", 0, "", "s3", ""), since=1),
    )
    for late in changes:
        with pytest.raises(Conflict):
            late()
    catalog.remove_store(changed, since=2)
    assert catalog.service("one") is None
    catalog.add_store("one", "photos", "s3", {}, since=3)
    again = catalog.stores().services["one"]
    assert again.id != row.id


def test_bindings_are_added_once(catalog: Catalog) -> None:
    one = BindingRow("img.example.com", 0, "", "s3", "archive", {"cors": ["*"], "n": 1})
    other = BindingRow("img.example.com", 0, "/x", "s3", "")
    catalog.add_binding(one, since=0)
    catalog.add_binding(other, since=1)
    with pytest.raises(AlreadyExists):
        catalog.add_binding(one._replace(mode="standard"), since=2)
    assert catalog.stores().bindings == (one, other)
    catalog.remove_binding("img.example.com", 0, "", since=2)
    with pytest.raises(NotFound):
        catalog.remove_binding("img.example.com", 0, "", since=3)
    assert catalog.stores().bindings == (other,)
    catalog.add_binding(one._replace(options={}), since=3)  # what was removed left nothing
    assert [row.options for row in catalog.stores().bindings] == [{}, {}]


def test_a_secret_of_a_binding_is_kept_sealed(catalog: Catalog) -> None:
    options = {"links": {"secret": "hunter2", "form": "x"}, "n": 1}
    row = BindingRow("img.example.com", 0, "/x", "s3", "archive", options)
    catalog.add_binding(row, shown={"links": {"form": "x"}, "n": 1}, since=0)
    (kept,) = catalog.stores().bindings
    assert kept.options == {"links": {"form": "x"}, "n": 1}
    assert b"hunter2" not in kept.sealed != b""
    assert catalog.binding_options(kept) == options
    with pytest.raises(CatalogError, match=r"options of 'img\.example\.com' is damaged"):
        catalog.binding_options(kept._replace(prefix=""))  # it was sealed for another door
    (entry,) = catalog.audit(action="binding.add")
    assert "hunter2" not in str(entry)
    catalog.remove_binding("img.example.com", 0, "/x", since=1)
    catalog.add_binding(row._replace(options={}), since=2)  # what was removed left nothing
    (again,) = catalog.stores().bindings
    assert (again.options, again.sealed) == ({}, b"")


def test_a_catalog_of_the_version_before_is_upgraded(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.catalog import database

    configuration = shared.configuration
    for module in (schema, database):
        monkeypatch.setattr(module, "MIGRATIONS", schema.MIGRATIONS[:1])
    open_and_close(configuration, {})
    assert stored_version(shared) == "1"
    monkeypatch.undo()
    catalog = open_catalog(configuration, {})
    try:
        catalog.add_store("one", "root", "s3", {}, since=0)
        assert list(catalog.stores().services) == ["one"]
    finally:
        catalog.close()


# certificates


def test_a_certificate_is_kept_sealed_replaced_and_removed(catalog: Catalog) -> None:
    assert catalog.certificates() == (0, [])
    key, other = Secret("hunter2-key"), Secret("hunter2-other")
    assert not catalog.set_certificate("zone", ["*.zone.test"], "CHAIN", key, expires=7)
    assert not catalog.set_certificate("first", ["first.test"], "FIRST", key, expires=8)
    number, (first, zone) = catalog.certificates()
    assert (number, catalog.certificates_number()) == (2, 2)
    assert (zone.name, zone.hosts, zone.chain, zone.expires) == (
        *("zone", ("*.zone.test",), "CHAIN", 7),
    )
    assert zone.revision < first.revision
    assert b"hunter2" not in zone.sealed
    assert catalog.keyring.unseal_private_key("zone", zone.sealed).reveal() == "hunter2-key"
    with pytest.raises(CatalogError, match="key of the certificate 'first' is damaged"):
        catalog.keyring.unseal_private_key("first", zone.sealed)
    assert catalog.set_certificate("zone", ["zone.test"], "AGAIN", other, expires=9)
    _, (first, again) = catalog.certificates()
    assert (again.hosts, again.chain, again.created) == (("zone.test",), "AGAIN", zone.created)
    assert again.revision > first.revision
    catalog.remove_certificate("zone")
    with pytest.raises(NotFound):
        catalog.remove_certificate("zone")
    assert catalog.certificates() == (4, [first])


@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_a_catalog_of_any_version_before_takes_what_came_later(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    from gateway.catalog import database

    for module in (schema, database):
        monkeypatch.setattr(module, "MIGRATIONS", schema.MIGRATIONS[:version])
    open_and_close(shared.configuration, {})
    assert stored_version(shared) == str(version)
    monkeypatch.undo()
    catalog = open_catalog(shared.configuration, {})
    try:
        catalog.set_certificate("zone", ["zone.test"], "CHAIN", Secret("key"), expires=7)
        assert [one.name for one in catalog.certificates()[1]] == ["zone"]
        row = BindingRow("h", 0, "", "public", "archive", {"listing": True})
        catalog.add_binding(row, since=0)
        assert catalog.stores().bindings == (row,)
    finally:
        catalog.close()
    assert stored_version(shared) == str(len(schema.MIGRATIONS))


def test_sessions_of_a_catalog_without_purposes_are_of_pages(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.catalog import database

    before = schema.MIGRATIONS.index(schema._add_account_numbers)
    for module in (schema, database):
        monkeypatch.setattr(module, "MIGRATIONS", schema.MIGRATIONS[:before])
    catalog = open_catalog(shared.configuration, {})
    token = catalog.begin_session(catalog.add_key().id)
    with catalog._database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE sessions DROP COLUMN purpose")
    catalog.close()
    monkeypatch.undo()
    catalog = open_catalog(shared.configuration, {})
    try:
        assert catalog.session(token) is not None
        assert catalog.session(token, CALLS) is None
        assert [catalog.account_number(one) for one in ("root", "other", "root")] == [1, 2, 1]
        assert [catalog.numbered_account(one) for one in (2, 3)] == ["other", None]
    finally:
        catalog.close()

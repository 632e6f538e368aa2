"""Storages (`services.storages`): files of an account, and the key that reaches them and nothing
else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import insert

from gateway.access.identity import ANONYMOUS, Identity, KeyAccess, proved
from gateway.catalog.schema import ZONES
from gateway.config import load
from gateway.modes.storages import Storage
from gateway.plugins.finding import Plugins
from gateway.services import storages
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import BytesBody, Secret, StorageError
from tests import catalogs


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"{account}-key", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")

CONFIGURATION = """
[server]
data = "data"
memory = {memory}
[services.declared]
driver = "local"
"""


@cache
def _plugins() -> Plugins:
    return Plugins.load()


@pytest.fixture(params=catalogs.QUICK)
def runtime(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    catalogs.without_delay(monkeypatch)
    opened = started(tmp_path, request.param)
    yield opened
    opened.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[[], Runtime]]:
    """Opens a gateway of one folder, again and again."""
    opened = list[Runtime]()

    def open_one() -> Runtime:
        opened.append(started(tmp_path, "sqlite"))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def started(folder: Path, kind: str) -> Runtime:
    file = folder / "gateway.toml"
    memory = str(kind == "memory").lower()
    file.write_text(CONFIGURATION.format(memory=memory) + catalogs.table(kind))
    return open_runtime(load(file, environ={}, plugins=_plugins()), environ={})


def outcome(act: Callable[..., object], *arguments: object) -> str:
    try:
        act(*arguments)
    except StorageError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def make(runtime: Runtime, name: str = "level-3-logs", identity: Identity = ALICE) -> Storage:
    return runtime.storages.make(identity, name, "europe")


def put(runtime: Runtime, sid: str, identity: Identity = ALICE) -> None:
    runtime.access(identity, sid).put("a/b.txt", BytesBody(b"bytes"))


def user(runtime: Runtime, one: Storage) -> Identity:
    found = runtime.keys.credential(one.user)
    assert found is not None
    return found.identity


def secret(runtime: Runtime, one: Storage) -> str:
    found = runtime.keys.credential(one.user)
    assert found is not None
    return found.secret.reveal()


def test_one_is_made_filled_and_dropped(runtime: Runtime) -> None:
    made = make(runtime)
    number = runtime.catalog.account_number("alice")
    assert made.user == f"{1_000_000 + number}.{1_000_000 + made.number}"
    assert (made.account, made.sid, made.region) == ("alice", "level-3-logs", "europe")
    assert made.password is not None
    assert len(made.password.reveal()) >= 18
    assert made.password.reveal() == secret(runtime, made)
    assert runtime.storages.list(ALICE) == [runtime.storages.find(ALICE, made.number)] == [made]
    put(runtime, made.sid, user(runtime, made))
    size = runtime.storages.size(ALICE, made.number)
    assert (size.objects, size.bytes) == (1, 5)
    full = outcome(runtime.storages.drop, ALICE, made.number)
    assert full == f"NotEmpty: The storage {made.number} is not empty."
    runtime.access(ALICE, made.sid).delete("a/b.txt")  # versions are not kept: nothing is left
    runtime.storages.drop(ALICE, made.number)
    assert runtime.storages.list(ALICE) == []
    assert runtime.keys.credential(made.user) is None
    for call in (runtime.storages.drop, runtime.storages.find, runtime.storages.size):
        gone = outcome(call, ALICE, made.number)
        assert gone == f"NotFound: There is no storage {made.number}."
    assert outcome(runtime.access, ALICE, made.sid).startswith("NoSuchStore")
    again = make(runtime)
    assert again.number > made.number
    assert again.user != made.user
    assert made.password.reveal() not in repr(runtime.catalog.audit())


def test_the_key_reaches_the_storage_and_nothing_else(runtime: Runtime) -> None:
    one, other = make(runtime, "one-one"), make(runtime, "two-two")
    put(runtime, one.sid, user(runtime, one))
    assert outcome(put, runtime, other.sid, user(runtime, one)).startswith("Forbidden")
    assert runtime.keys.credential_by_secret(secret(runtime, one)) is None
    assert runtime.keys.credential_by_secret(f"{one.user}/{secret(runtime, one)}") is None
    found = proved(runtime.keys, one.user, secret(runtime, one))
    assert found is not None
    assert found.id == one.user
    for id, text in (
        (other.user, secret(runtime, one)),
        (one.user, secret(runtime, other)),
        (one.user, f"{one.user}/{secret(runtime, one)}"),
        ("", f"{one.user}/{secret(runtime, one)}"),
        (one.user, ""),
    ):
        assert proved(runtime.keys, id, text) is None
    assert outcome(runtime.storages.list, user(runtime, one)).startswith("Forbidden")


def test_a_password_is_changed_for_a_region(runtime: Runtime) -> None:
    one, two = make(runtime, "one-one"), make(runtime, "two-two")
    far = runtime.storages.make(ALICE, "far-far", "north-america")
    theirs = make(runtime, "theirs", BOB)
    before = {each.number: secret(runtime, each) for each in (one, two, far, theirs)}
    assert len(set(before.values())) == 4
    told = runtime.storages.change_password(ALICE, "europe").reveal()
    assert [secret(runtime, each) == told for each in (one, two, far, theirs)] == [
        True,
        True,
        False,
        False,
    ]
    assert runtime.storages.find(ALICE, one.number).password == Secret(told)
    assert [secret(runtime, each) == before[each.number] for each in (far, theirs)] == [True] * 2
    none = outcome(runtime.storages.change_password, who("carol"), "europe")
    assert none == "NotFound: There is no storage in the region 'europe'."


def test_who_may_see_and_change_which(runtime: Runtime) -> None:
    made, those = make(runtime), runtime.storages
    calls: dict[str, Callable[[Identity], object]] = {
        "find": lambda one: those.find(one, made.number),
        "size": lambda one: those.size(one, made.number),
        "drop": lambda one: those.drop(one, made.number),
    }
    for name, call in calls.items():
        assert outcome(call, BOB) == f"NotFound: There is no storage {made.number}.", name
        for other in (ANONYMOUS, who("alice", "write-all"), who("alice", {made.sid: "admin"})):
            assert outcome(call, other).startswith("Forbidden"), name
        assert outcome(call, ROOT) == "done", name
    assert those.list(BOB) == those.list(ROOT) == []
    for other in (ANONYMOUS, who("alice", "read-all")):
        assert outcome(those.make, other, "new-one", "europe").startswith("Forbidden")
        assert outcome(those.change_password, other, "europe").startswith("Forbidden")


def test_names(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    make(runtime)
    runtime.create(BOB, "bucket")
    dropped = make(runtime, "was-alices")
    runtime.storages.drop(ALICE, dropped.number)
    for name in ("level-3-logs", "declared", "bucket", "was-alices"):
        said = outcome(make, runtime, name, BOB)
        assert said == f"AlreadyExists: The name {name!r} is taken.", name
    for name in ("ab", "Capitals", "a b", "-abc", "1.2.3.4", "a" * 64, "é" * 4, ""):
        assert outcome(make, runtime, name).startswith("BadKey: A storage's name has 3 to"), name
    assert runtime.catalog.storages("bob") == []
    make(runtime, "was-alices")  # she may have it again
    monkeypatch.setattr(storages, "MOST", 2)
    most = outcome(make, runtime, "third")
    assert most == "InvalidRequest: An account has at most 2 storages."


def test_a_key_of_that_id_is_in_nobodys_way(runtime: Runtime) -> None:
    made, number = make(runtime), runtime.catalog.account_number("alice")
    taken = f"{1_000_000 + number}.{1_000_001 + made.number}"
    runtime.catalog.add_key(account="bob", id=taken)
    assert make(runtime, "second").user == f"{taken}.2"


def test_a_storage_is_changed_as_a_storage_alone(runtime: Runtime) -> None:
    made = make(runtime)
    editor = ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=Path())
    for change in (lambda: editor.remove(made.sid), lambda: editor.change(made.sid, {"quota": 1})):
        said = outcome(change)
        assert said == (
            f"Conflict: The service {made.sid!r} is part of the storage {made.number}: change that."
        )


def test_one_that_something_needs_is_not_dropped(runtime: Runtime) -> None:
    made = make(runtime)
    editor = ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=Path())
    editor.add("front", "cache", {"source": made.sid, "refresh_after": "1d"})
    said = outcome(runtime.storages.drop, ALICE, made.number)
    assert said == (
        f"Conflict: The service {made.sid!r} cannot be removed: the service 'front' in front of"
        " it needs it."
    )
    editor.remove("front")
    row = {"number": 7, "account": "alice", "document": {}, "sealed": b"", "active": False}
    row |= {"storage": made.number, "created": 0, "changed": 0, "revision": 0}
    with runtime.catalog._database.writing() as connection:
        connection.execute(insert(ZONES).values(row))
    said = outcome(runtime.storages.drop, ALICE, made.number)
    assert said == f"Conflict: The zone 7 has the storage {made.number} as its origin."
    assert runtime.keys.credential(made.user) is not None


def test_one_whose_key_was_switched_off_has_no_password(runtime: Runtime) -> None:
    made = make(runtime)
    runtime.catalog.revoke_key(made.user)
    assert runtime.storages.find(ALICE, made.number).password is None
    runtime.storages.change_password(ALICE, "europe")
    assert runtime.keys.credential(made.user) is None
    runtime.storages.drop(ALICE, made.number)


def test_another_worker_and_a_restart_have_it_too(kept: Callable[[], Runtime]) -> None:
    first, second = kept(), kept()
    made = make(first)
    put(second, made.sid, user(second, made))
    assert first.storages.size(ALICE, made.number).objects == 1
    first.storages.change_password(ALICE, "europe")
    third = kept()
    assert second.storages.list(ALICE) == third.storages.list(ALICE) == first.storages.list(ALICE)
    assert third.storages.size(ALICE, made.number).objects == 1

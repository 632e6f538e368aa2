"""Who may do what: levels of keys, owners, grants; and what a refusal does not tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from drivers.memory import Memory
from gateway.access.access import Access
from gateway.access.grants import GRANTS, Grant
from gateway.access.identity import ANONYMOUS, Identity, KeyAccess
from gateway.access.rules import AUTHENTICATED, EVERYONE
from gateway.services.service import Identification, Service
from gateway.storage import (
    BytesBody,
    Conditions,
    Context,
    Delete,
    Forbidden,
    Get,
    ListPage,
    ListQuery,
    NoSuchKey,
    Put,
    Range,
    Unavailable,
    UploadPage,
    UploadQuery,
    VersionPage,
    VersionQuery,
)

OWNER = Identity(key="k", account="photos")
STRANGER = Identity(key="s", account="others")


def identity(access: KeyAccess, account: str = "others") -> Identity:
    return Identity(key="key", account=account, access=access)


@pytest.fixture
def store() -> Iterator[Memory]:
    memory = Memory()
    memory.open(Context(sid="archive"))
    yield memory
    memory.close()


def seen(store: Memory, who: Identity, *grants: Grant) -> Access:
    about = Identification(sid="archive", driver="memory", owner="photos", grants=grants)
    return Access(Service(about, store), who)


def put(access: Access, key: str = "key", **attributes: object) -> None:
    access.put(key, BytesBody(b"bytes"), Put(size=5, attributes=attributes))


def can(access: Access) -> set[str]:
    """Which of the things below are not refused."""
    attempts: dict[str, Callable[[], object]] = {
        "list": access.list,
        "read": lambda: access.get("key").close(),
        "write": lambda: put(access, "other"),
        "admin": lambda: access.set_versioning("on"),
    }
    allowed = set()
    for name, attempt in attempts.items():
        try:
            attempt()
        except Forbidden:
            continue
        allowed.add(name)
    return allowed


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (OWNER, {"list", "read", "write", "admin"}),
        (STRANGER, set()),
        (ANONYMOUS, set()),
        (identity("admin"), {"list", "read", "write", "admin"}),
        (identity("read-all"), {"list", "read"}),
        (identity("write-all"), {"list", "read", "write"}),
        (identity({"archive": "read"}), {"list", "read"}),
        (identity({"archive": "write"}), {"list", "read", "write"}),
        (identity({"archive": "admin"}), {"list", "read", "write", "admin"}),
        (identity({"elsewhere": "admin"}), set()),
        (identity({"elsewhere": "admin"}, account="photos"), set()),
        (identity("read-all", account="photos"), {"list", "read"}),
        (identity("write-all", account="photos"), {"list", "read", "write"}),
    ],
)
def test_a_key_may_do_what_its_access_says(store: Memory, who: Identity, allowed: set[str]) -> None:
    put(seen(store, OWNER))
    assert can(seen(store, who)) == allowed


@pytest.mark.parametrize(
    ("grant", "who", "allowed"),
    [
        (Grant(EVERYONE, "read"), ANONYMOUS, {"list"}),
        (Grant(EVERYONE, "write"), ANONYMOUS, {"write"}),
        (Grant(AUTHENTICATED, "read"), ANONYMOUS, set()),
        (Grant(AUTHENTICATED, "read"), STRANGER, {"list"}),
        (Grant("others", "full"), STRANGER, {"list", "write"}),
        (Grant("nobody", "full"), STRANGER, set()),
    ],
)
def test_a_grant_on_a_service_gives_what_it_says(
    store: Memory, grant: Grant, who: Identity, allowed: set[str]
) -> None:
    put(seen(store, OWNER))
    assert can(seen(store, who, grant)) == allowed


@pytest.mark.parametrize("access", [{"archive": "read"}, {"elsewhere": "read"}, "read-all"])
def test_a_key_with_less_than_its_account_gets_nothing_by_grants_to_the_account(
    store: Memory, access: KeyAccess
) -> None:
    put(seen(store, OWNER), "key", **{GRANTS: [["photos", "full"]]})
    key = seen(store, identity(access, account="photos"), Grant("photos", "full"))
    assert "write" not in can(key)
    with pytest.raises(Forbidden):
        key.set_attributes("key", None, {GRANTS: [[EVERYONE, "read"]]})


def test_a_grant_on_a_service_gives_nothing_on_the_lists_of_its_objects(store: Memory) -> None:
    put(seen(store, OWNER), "private")
    granted = seen(store, STRANGER, Grant("others", "full"))
    with pytest.raises(Forbidden):
        granted.set_attributes("private", None, {GRANTS: [[EVERYONE, "read"]]})
    with pytest.raises(Forbidden):
        granted.grants("private")


def test_a_grant_to_write_hides_objects_and_never_removes_a_version(store: Memory) -> None:
    put(seen(store, OWNER), "kept")
    version = store.stat("kept").version
    granted = seen(store, STRANGER, Grant("others", "write"))
    with pytest.raises(Forbidden):
        granted.delete("kept", Delete(version=version))
    assert granted.delete("kept").marker
    assert store.stat("kept", Get(version=version)).size == 5


def test_a_grant_on_an_object_lets_it_be_read_and_no_other(store: Memory) -> None:
    put(seen(store, OWNER), "public", **{GRANTS: [[EVERYONE, "read"]]})
    put(seen(store, OWNER), "private")
    anonymous = seen(store, ANONYMOUS)
    with anonymous.get("public") as opened:
        assert opened.body.read() == b"bytes"
    with pytest.raises(Forbidden):
        anonymous.get("private")


@pytest.mark.parametrize(
    "want",
    [
        Get(),
        Get(range=Range(100, None)),
        Get(conditions=Conditions(if_match=("another",))),
        Get(conditions=Conditions(if_none_match=("*",))),
        Get(version="null"),
        Get(part=7),
    ],
)
def test_a_private_key_and_a_missing_one_look_the_same(store: Memory, want: Get) -> None:
    put(seen(store, OWNER), "private")
    anonymous = seen(store, ANONYMOUS)
    told = []
    for key in ("private", "missing"):
        for attempt in (anonymous.get, anonymous.stat):
            with pytest.raises(Forbidden) as refused:
                attempt(key, want)
            told.append((type(refused.value), refused.value.message))
    assert len(set(told)) == 1


def test_who_may_list_is_told_that_a_key_is_missing(store: Memory) -> None:
    with pytest.raises(NoSuchKey):
        seen(store, ANONYMOUS, Grant(EVERYONE, "read")).get("missing")


def test_the_writer_of_an_object_may_read_it(store: Memory) -> None:
    put(seen(store, STRANGER, Grant("others", "write")), "theirs")
    with seen(store, STRANGER).get("theirs") as opened:
        assert opened.info.owner == "others"


def test_a_copy_needs_the_source_to_be_readable(store: Memory) -> None:
    put(seen(store, OWNER), "private")
    writer = seen(store, STRANGER, Grant("others", "write"))
    with pytest.raises(Forbidden):
        writer.copy(writer, "private", "stolen")


def test_only_who_administers_may_override_a_retention(store: Memory) -> None:
    put(seen(store, OWNER), "kept")
    with pytest.raises(Forbidden):
        seen(store, identity("write-all")).delete("kept", Delete(bypass=True))
    assert seen(store, OWNER).delete("kept", Delete(bypass=True)).marker


class Circling(Memory):
    """Says that there is more behind a place which is none behind the page."""

    to: tuple[str, str] = ("", "")

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        return ListPage(prefixes=("a/",), next=self.to[0])

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        return VersionPage(prefixes=("a/",), next=self.to[0], next_version=self.to[1])

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        return UploadPage(prefixes=("a/",), next=self.to[0], next_upload=self.to[1])


@pytest.mark.parametrize("to", [("", ""), ("b", "1"), ("c", "1")])
def test_a_list_that_does_not_move_on_is_an_error(to: tuple[str, str]) -> None:
    store = Circling()
    store.open(Context(sid="archive"))
    store.to = to
    access = seen(store, OWNER)
    asked: list[Callable[[], object]] = [
        lambda: access.versions(VersionQuery(after="c", after_version="1")),
        lambda: access.uploads(UploadQuery(after="c", after_upload="1")),
        lambda: access.list(ListQuery(after="c")),
    ]
    try:
        for ask in asked:
            with pytest.raises(Unavailable, match="does not move on"):
                ask()
        store.to = ("d", "")
        for ask in asked:
            ask()
    finally:
        store.close()

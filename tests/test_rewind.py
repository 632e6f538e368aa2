"""Rewinding: by a model, under writers, and what the command says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.memory import Memory
from gateway.config import load
from gateway.services.history import check_point
from gateway.services.rewind import carrying_out
from gateway.services.rewind.carrying_out import Rewind
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service import Identification, Service
from gateway.storage import (
    Annotate,
    BytesBody,
    Change,
    ChangePage,
    Context,
    Copies,
    Delete,
    Encryption,
    Full,
    Get,
    InvalidRequest,
    NoSuchKey,
    Protected,
    Protection,
    Put,
    Secret,
    Unsupported,
    VersionPage,
    VersionQuery,
)
from tests.one_service import ADMIN, Clock, Run, runner

KEYS = ("a", "a/b", "b")


@contextmanager
def opened(state: Literal["on", "off"] = "on") -> Iterator[Service]:
    with closing(Memory()) as store:
        store.open(Context())
        store.create("kept")
        bucket: Any = store.bucket("kept")
        if state == "on":
            bucket.set_versioning("on")
        yield Service(Identification(sid="kept", driver="memory"), bucket)


@pytest.fixture
def service() -> Iterator[Service]:
    """That keeps versions."""
    with opened() as service:
        yield service


@pytest.fixture
def without_versions() -> Iterator[Service]:
    with opened("off") as service:
        yield service


def put(service: Service, key: str, body: bytes, **options: Any) -> str | None:
    store: Any = service.store
    version: str | None = store.put(key, BytesBody(body), Put(size=len(body), **options)).version
    return version


def body(service: Service, key: str, version: str | None = None) -> bytes | None:
    try:
        with service.get(key, Get(version=version)) as found:
            return bytes(found.body.read())
    except NoSuchKey:
        return None


def now(service: Service) -> dict[str, bytes | None]:
    return {key: body(service, key) for key in KEYS}


def kept(service: Service) -> set[tuple[str, str, bytes | None]]:
    store: Any = service.store
    return {
        (one.key, one.version, None if one.marker else body(service, one.key, one.version))
        for one in store.versions().entries
    }


def last(service: Service) -> int:
    store: Any = service.store
    found: int = store.changes().last
    return found


def rewound(service: Service, point: int, prefix: str = "") -> dict[str, str]:
    rewind = Rewind(service, point, prefix)
    assert list(rewind.look())
    foreseen = {one.key: one.act for one in rewind.steps()}
    done = {one.key: one.done for one in rewind.carry_out()}
    assert foreseen == done
    return dict(done)


# by a model


@st.composite
def operations(draw: st.DrawFn) -> list[tuple[str, str, int]]:
    what = st.sampled_from(["put", "put", "put", "delete", "purge", "tag", "on", "suspended"])
    one = st.tuples(what, st.sampled_from(KEYS), st.integers(0, 3))
    return draw(st.lists(one, min_size=1, max_size=14))


def do(service: Service, number: int, what: str, key: str, index: int) -> None:
    store: Any = service.store
    if what == "put":
        put(service, key, b"%d" % number)
    elif what == "delete":
        store.delete(key)
    elif what == "purge":
        found = [one for one in store.versions().entries if one.key == key]
        if found:
            store.delete(key, Delete(version=found[index % len(found)].version))
    elif what == "tag":
        if body(service, key) is not None:
            store.set_labels(key, tags={"t": str(number)})
    else:
        store.set_versioning(what)


def check_one(service: Service, doing: list[tuple[str, str, int]], data: st.DataObject) -> None:
    history = {0: now(service)}
    for number, one in enumerate(doing):
        do(service, number, *one)
        history[last(service)] = now(service)
    store: Any = service.store
    store.set_versioning("on")
    point = data.draw(st.integers(0, last(service)))
    prefix = data.draw(st.sampled_from(["", "a", "a/"]))
    end, before, were = last(service), now(service), kept(service)
    bodies = {(key, found) for key, _, found in were}
    expected, done = {}, rewound(service, point, prefix)
    for key in KEYS:
        was = history[point][key]
        if not key.startswith(prefix):
            expected[key] = before[key]
        elif was is None or (key, was) in bodies:
            expected[key] = was
        else:
            expected[key] = before[key]
            assert done[key] == "gone"
    assert now(service) == expected
    assert were <= kept(service)
    assert not {"restore", "remove"} & set(rewound(service, point, prefix).values())
    rewound(service, end)
    assert now(service) == before


@settings(max_examples=60, deadline=None)
@given(operations(), st.data())
def test_each_key_is_what_it_was_or_is_said_to_be_gone(
    doing: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    """Also of times when versions were not kept yet, or suspended."""
    with opened("off") as service:
        check_one(service, doing, data)


# what goes with it


def test_a_version_comes_back_with_all_that_it_has(service: Service) -> None:
    store: Any = service.store
    given = Put(size=1, metadata={"m": "1"}, tags={"t": "1"}, content_type="text/plain")
    was = store.put("a", BytesBody(b"1"), given)
    store.put_annotation("a", "note", b"payload", Annotate())
    point = last(service)
    store.put("a", BytesBody(b"1"), Put(size=1))
    assert rewound(service, point) == {"a": "restore"}
    found = store.stat("a")
    assert found.version != was.version
    assert (found.metadata, found.tags, found.content_type) == (
        {"m": "1"},
        {"t": "1"},
        "text/plain",
    )
    assert b"".join([store.annotation("a", "note").body.read()]) == b"payload"
    assert store.changes().changes[-1].cause == "rewind"
    store.delete_annotation("a", "note")
    assert rewound(service, point) == {"a": "restore"}
    assert rewound(service, point) == {"a": ""}


def test_what_protects_counts_and_is_no_difference(service: Service) -> None:
    store: Any = service.store
    held = Protection(hold=True)
    first = put(service, "a", b"1", protection=held)
    point = last(service)
    second = put(service, "a", b"2", protection=held)
    assert rewound(service, point) == {"a": "restore"}
    assert store.stat("a").protection == held
    for version in (first, second):
        with pytest.raises(Protected):
            store.delete("a", Delete(version=version))
    store.set_hold("a", None, False)
    assert rewound(service, point) == {"a": ""}


def test_what_is_under_a_customers_key_needs_none(service: Service) -> None:
    key = Encryption(kind="customer", key=Secret(bytes(32)), key_md5="m")
    put(service, "a", b"1", encryption=key)
    point = last(service)
    put(service, "a", b"2")
    assert rewound(service, point) == {"a": "restore"}
    with service.get("a", Get(encryption=key)) as found:
        assert found.body.read() == b"1"


def test_labels_of_later_are_told(service: Service) -> None:
    store: Any = service.store
    put(service, "a", b"1")
    put(service, "b", b"1")
    point = last(service)
    store.set_labels("a", tags={"t": "1"})
    store.set_hold("b", None, True)
    rewind = Rewind(service, point)
    assert list(rewind.look())
    assert [(one.key, one.act, one.relabelled) for one in rewind.steps()] == [
        ("a", "", True),
        ("b", "", False),
    ]


def test_a_feed_that_was_cut_leaves_what_is_doubtful(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = service.store
    first = put(service, "a", b"1")
    put(service, "b", b"1")
    point = last(service)
    put(service, "a", b"2")
    put(service, "b", b"2")
    store.delete("a", Delete(version=first))
    whole = store.changes

    def cut(after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        page: ChangePage = whole(max(after, point), limit, wait)
        return ChangePage(changes=page.changes, last=page.last, cut=after < point)

    monkeypatch.setattr(store, "changes", cut)
    assert rewound(service, point) == {"a": "unknown", "b": "restore"}
    assert (body(service, "a"), body(service, "b")) == (b"2", b"1")


@pytest.mark.parametrize("state", ["off", "suspended"])
def test_it_needs_versions(without_versions: Service, state: str) -> None:
    store: Any = without_versions.store
    if state != "off":
        store.set_versioning(state)
    with pytest.raises(Unsupported, match=r"keeps no versions|versions suspended"):
        Rewind(without_versions, 0)


def test_it_needs_copies_that_move_no_bytes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = service.store.find
    monkeypatch.setattr(service.store, "find", lambda one: None if one is Copies else find(one))
    with pytest.raises(Unsupported, match="makes no copies"):
        Rewind(service, 0)


# under writers, and ended early


@pytest.fixture
def abc(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Of two keys a second version, and one that was made later; steps of a key each."""
    monkeypatch.setattr(carrying_out, "BATCH", 1)
    put(service, "a", b"1")
    put(service, "a/b", b"1")
    for key in KEYS:
        put(service, key, b"2")
    return service


def begun(service: Service, point: int = 2) -> Rewind:
    rewind = Rewind(service, point)
    assert list(rewind.look())
    return rewind


def test_what_was_ended_is_gone_on_with(abc: Service) -> None:
    steps = begun(abc).carry_out()
    assert next(steps).key == "a"
    steps.close()
    assert now(abc) == {"a": b"1", "a/b": b"2", "b": b"2"}
    assert rewound(abc, 2) == {"a": "", "a/b": "restore", "b": "remove"}
    assert now(abc) == {"a": b"1", "a/b": b"1", "b": None}


def test_what_others_write_meanwhile_stays_and_is_told(abc: Service) -> None:
    """Of a key that had its turn, of one that is to have it, and of one that nobody knew."""
    steps = begun(abc).carry_out()
    assert next(steps) == ("a", "restore", "")
    put(abc, "a", b"3")
    put(abc, "b", b"3")
    put(abc, "c", b"3")
    rest = [(one.key, one.done) for one in steps]
    assert rest == [("a/b", "restore"), ("a", "changed"), ("b", "changed"), ("c", "changed")]
    assert now(abc) == {"a": b"3", "a/b": b"1", "b": b"3"}


def test_what_it_does_itself_is_not_looked_at_again(
    abc: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a key that others have changed without making another of it is told of once."""
    store: Any = abc.store
    put(abc, "a", b"4")
    old, looked, whole = store.versions().entries[2].version, list[str](), store.versions

    def versions(query: VersionQuery) -> VersionPage:
        looked.append(query.prefix)
        page: VersionPage = whole(query)
        return page

    monkeypatch.setattr(store, "versions", versions)
    steps = begun(abc).carry_out()
    assert next(steps).key == "a"
    store.delete("a", Delete(version=old))
    assert [one.key for one in steps] == ["a/b", "b"]
    assert looked == ["a", "a/b", "b", "a"]


def at_the_last_moment(
    service: Service, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]
) -> dict[str, str]:
    """`act` comes between deciding and writing."""
    store: Any = service.store

    def first(name: str) -> Callable[..., Any]:
        whole = getattr(store, name)

        def call(*given: Any) -> Any:
            monkeypatch.undo()
            act()
            return whole(*given)

        return call

    monkeypatch.setattr(carrying_out, "BATCH", 9)
    for name in ("copy", "delete_many"):
        monkeypatch.setattr(store, name, first(name))
    return {one.key: one.done for one in begun(service).carry_out()}


def test_a_write_at_the_last_moment(abc: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def act() -> None:
        put(abc, "a", b"2", tags={"other": "tags"})
        put(abc, "a/b", b"3")
        put(abc, "b", b"3")

    assert set(at_the_last_moment(abc, monkeypatch, act).values()) == {"changed"}
    assert now(abc) == {"a": b"2", "a/b": b"3", "b": b"3"}


def test_a_version_that_goes_at_the_last_moment(
    abc: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = abc.store
    first = store.versions().entries[1]
    assert (first.key, first.sequence) == ("a", 1)
    done = at_the_last_moment(
        abc, monkeypatch, lambda: store.delete("a", Delete(version=first.version))
    )
    assert done == {"a": "gone", "a/b": "restore", "b": "remove"}
    assert now(abc) == {"a": b"2", "a/b": b"1", "b": None}


def test_a_version_that_goes_while_it_looks_makes_no_older_one_current(
    abc: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = abc.store
    put(abc, "a", b"3")
    rewind = begun(abc, point=3)
    second = store.versions().entries[1]
    assert (second.key, second.sequence) == ("a", 3)
    store.delete("a", Delete(version=second.version))
    assert {one.key: one.done for one in rewind.carry_out()}["a"] == "gone"
    assert body(abc, "a") == b"3"


def test_a_full_store_ends_it(abc: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise Full

    monkeypatch.setattr(abc.store, "copy", full)
    with pytest.raises(Full):
        list(begun(abc).carry_out())


# the command

CONFIGURATION = """
[server]
data = "data"
[services.archive]
driver = "local"
[services.plain]
driver = "local"
keep_versions = "off"
[services.fleeting]
driver = "memory"
[services.origin]
driver = "http"
url = "https://origin.example"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner("rewind", CONFIGURATION, tmp_path, monkeypatch, capsys)


@pytest.fixture
def runtime(run: Run) -> Iterator[Runtime]:
    """A gateway that runs meanwhile, with a key that is changed, one that is new, and one of
    which the first version is gone, a minute later."""
    clock = Clock()
    running = open_runtime(load(environ={}), environ={}, clock=clock)
    service = running.access(ADMIN, "archive").service
    store: Any = service.store
    put(service, "changed", b"1")
    gone = put(service, "gone", b"1")
    clock.time += 60_000
    put(service, "changed", b"22")
    put(service, "new\n", b"1")
    put(service, "gone", b"2")
    store.delete("gone", Delete(version=gone))
    yield running
    running.close()


def test_the_command_says_what_it_would_do_and_does_it(run: Run, runtime: Runtime) -> None:
    service = runtime.access(ADMIN, "archive").service
    to = ("archive", "--to", "2026-03-01T12:00:30Z")
    gone = "gone for good: gone: the version that it had is gone for good"
    counted = "3 keys were changed since: 1 to restore, 1 to remove, 1 gone for good"
    code, lines, err = run(*to, "--dry-run")
    assert (code, err) == (1, "")
    assert lines[0] == "archive, as it was behind the change 2 of 2026-03-01T12:00:00.000Z:"
    assert lines[1].startswith("restore: changed: version ")
    assert lines[1].endswith(" of 2026-03-01T12:00:00.000Z")
    assert lines[2:] == [gone, "remove: new\\n", counted]
    assert last(service) == 6
    code, lines, err = run(*to)
    assert (code, err) == (1, "")
    assert lines[1:] == [
        gone,
        counted,
        "done: 1 restored, 1 removed, 1 gone for good",
        "To have it as it was before this: gateway rewind archive --to 6",
    ]
    assert (body(service, "changed"), body(service, "gone")) == (b"1", b"2")
    assert body(service, "new\n") is None
    assert run("archive", "--to", "6")[0] == 0
    assert (body(service, "changed"), body(service, "new\n")) == (b"22", b"1")


def test_a_prefix(run: Run, runtime: Runtime) -> None:
    service = runtime.access(ADMIN, "archive").service
    code, lines, _ = run("archive", "--to", "2", "--prefix", "changed")
    assert (code, lines[2]) == (0, "done: 1 restored")
    assert body(service, "new\n") == b"1"


@pytest.mark.usefixtures("runtime")
def test_what_cannot_be_is_refused_before_anything_is_changed(run: Run) -> None:
    for sid, to, said in (
        ("archive", "7", "The newest change has the sync id 6, not 7."),
        ("archive", "2026-03-01T11:59:59Z", "That is before the first change that is known"),
        ("archive", "2999-01-01", "That time is still to come."),
        ("plain", "0", "keeps no versions"),
        ("fleeting", "0", "is in the memory of the gateway that serves it"),
        ("origin", "0", "(driver 'http') has no feed of its changes."),
    ):
        code, lines, err = run(sid, "--to", to)
        assert (code, lines) == (1, [])
        assert said in err


def test_a_feed_that_begins_later_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = Change(5, "put", 0, "k", "v", 0, "", "")
    store: Any = service.store
    for changes, said in (((change,), "begins with the sync id 5"), ((), "is empty")):
        page = ChangePage(changes=changes, last=5, cut=True)
        monkeypatch.setattr(store, "changes", lambda *_, page=page: page)
        with pytest.raises(InvalidRequest, match=said):
            check_point(store, 3)

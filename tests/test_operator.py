"""What an operator sees and changes of the gateway itself: `Gateway.operator`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.background.followers import Following
from gateway.background.jobs import Scheduler
from gateway.config import Binding, load
from gateway.modes.operating import NotAccepted, Operator, ServiceInfo
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Conflict, Forbidden, NoSuchStore, Purge, Put, Unavailable
from gateway.storage.objects import now

ROOT = Identity(key="root", account="root", access="admin")
ALICE = Identity(key="alice", account="alice", access="own")
TABLES: Mapping[str, Any] = {
    "server": {"memory": True, "listen": ["127.0.0.1:9000"]},
    "accounts": [{"id": "alice"}],
    "webhooks": {"hook": {"url": "http://127.0.0.1:9/token-of-the-hook"}},
    "services": {
        "base": {"driver": "memory", "keep_versions": "off"},
        "front": {"driver": "cache", "space": "memory", "source": "base"},
    },
    "bindings": [{"host": "img.test", "mode": "public", "service": "front", "listing": True}],
}


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = open_runtime(load(tables=TABLES, environ={}), server="waitress", environ={})
    yield runtime
    runtime.close()


@pytest.fixture
def operator(runtime: Runtime) -> Operator:
    return runtime.operator(ROOT)


def by_id(operator: Operator) -> dict[str, ServiceInfo]:
    return {one.sid: one for one in operator.services().items}


@pytest.mark.parametrize("access", ["own", "read-all", "write-all", {"base": "admin"}])
def test_who_manages_nothing_has_no_operator(runtime: Runtime, access: Any) -> None:
    with pytest.raises(Forbidden):
        runtime.operator(Identity(key="k", account="root", access=access))


_OF_KEYS = {
    *("credentials", "count_credentials", "credential", "add_credential", "change_credential"),
    *("rotate_credential", "remove_credential", "may_give"),
    *("signing", "presigned", "count_presigned"),
}
_GIVEN: Mapping[str, Sequence[Any]] = {
    "service": ["base"],
    "written": ["memory", []],
    "add_service": ["new", "memory", {}],
    "change_service": ["base", {}],
    "remove_service": ["base"],
    "written_binding": ["public", []],
    "add_binding": [{"host": "h.test", "mode": "s3"}],
    "remove_binding": ["h.test", 0, ""],
}


@pytest.mark.parametrize(
    "name", [one for one in vars(Operator) if one[0] != "_" and one not in _OF_KEYS]
)
def test_who_manages_an_account_has_its_keys_and_nothing_else(runtime: Runtime, name: str) -> None:
    """Whatever is added to an operator."""
    manager = Identity(key="m", account="alice", manages=True)
    operator = runtime.operator(manager)
    assert operator.credentials() == []
    with pytest.raises(Forbidden):
        getattr(operator, name)(*_GIVEN.get(name, ()))


def test_services_of_every_origin_are_listed_with_their_sizes(
    runtime: Runtime, operator: Operator
) -> None:
    operator.add_service("added", "cache", {"source": "front", "space": "memory"}, name="Third")
    runtime.create(ALICE, "bucket", grants=[Grant("root", "read")])
    runtime.access(ALICE, "bucket").put("k", BytesBody(b"four"), Put(size=4))
    runtime.access(ROOT, "added")  # it is opened
    found = by_id(operator)
    assert [*found] == ["added", "base", "bucket", "front"]
    added, base, bucket, front = found.values()
    assert (added.origin, added.driver, added.owner) == ("added", "cache", "root")
    assert (added.name, added.links, added.state) == ("Third", ("front",), "open")
    assert (base.origin, base.declared, base.links) == ("declared", "services.base", ())
    assert (bucket.origin, bucket.driver, bucket.owner) == ("bucket", "memory", "alice")
    assert bucket.stats is not None
    assert (bucket.stats.objects, bucket.stats.bytes) == (1, 4)
    assert front.links == ("base",)
    details = operator.service("bucket")
    assert details.grants == (("root", "read"),)
    assert {"Listable", "Writable"} <= {*details.capabilities}


def test_services_are_paged_and_searched(runtime: Runtime, operator: Operator) -> None:
    for number in range(5):
        runtime.create(ALICE, f"bucket-{number}")
    seen, after = list[str](), ""
    while True:
        page = operator.services(after, 3)
        assert len(page.items) <= 3
        seen += [one.sid for one in page.items]
        if page.next is None:
            break
        after = page.next
    assert seen == ["base", *(f"bucket-{number}" for number in range(5)), "front"]
    assert [one.sid for one in operator.services(text="et-3").items] == ["bucket-3"]
    assert operator.services("front", 3).items == []


def test_a_chain_has_all_that_is_behind_and_in_front(operator: Operator) -> None:
    operator.add_service("side", "cache", {"source": "base", "space": "memory"})
    operator.add_service("third", "cache", {"source": "front", "space": "memory"})
    assert [one.sid for one in operator.chain("front")] == ["base", "front", "third"]
    assert [one.sid for one in operator.chain("base")] == ["base", "front", "side", "third"]


def test_a_service_is_added_changed_and_removed(runtime: Runtime, operator: Operator) -> None:
    typed = operator.written("memory", [("quota", "4KiB"), ("case_sensitive", "true")])
    assert typed == {"quota": "4KiB", "case_sensitive": True}
    assert operator.add_service("fresh", "memory", typed, account="alice") == ""
    assert by_id(operator)["fresh"].owner == "alice"
    operator.change_service("fresh", {"quota": "8KiB"}, unset=["case_sensitive"], name="Fresh")
    details = operator.service("fresh")
    assert [(one.name, one.text) for one in details.options] == [("quota", '"8KiB"')]
    assert details.info.name == "Fresh"
    operator.remove_service("fresh")
    with pytest.raises(NoSuchStore):
        operator.service("fresh")
    assert operator.add_service("fresh", "memory", {}) == "alice"  # who had it before


def test_what_cannot_be_is_refused_with_its_place(operator: Operator) -> None:
    with pytest.raises(NotAccepted) as caught:
        operator.add_service("fresh", "memory", {"quota": "many", "unknown": 1})
    assert {one.place for one in caught.value.troubles} == {
        "services.fresh.quota",
        "services.fresh.unknown",
    }
    with pytest.raises(Conflict, match="declared in"):
        operator.change_service("base", {"quota": 1})
    operator.add_service("behind", "memory", {})
    operator.add_service("before", "cache", {"source": "behind", "space": "memory"})
    with pytest.raises(Conflict, match="'before' in front of it needs it"):
        operator.remove_service("behind")
    assert operator.service("behind").needed_by == ("the service 'before' in front of it",)


@pytest.mark.parametrize("name", ["secret_key_env", "secret_key_file"])
def test_no_variable_and_no_file_of_secrets_is_read_for_others(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "secret").write_text("hunter2")
    monkeypatch.setenv("HUNTER", "hunter2")
    options = {"bucket": "bucket", "access_key": "mine", "endpoint_url": "http://127.0.0.1:9"}
    value = "HUNTER" if name.endswith("_env") else str(tmp_path / "secret")
    with pytest.raises(NotAccepted, match="is read for others: give the secret itself"):
        operator.add_service("elsewhere", "s3", {**options, name: value})
    with pytest.raises(NotAccepted, match="is read for others"):
        operator.add_service(
            "elsewhere", "fsspec", {"url": "memory://x", "storage_options": {name: value}}
        )


def test_no_secret_is_shown(operator: Operator) -> None:
    secrets = {"access_key": "hunter2-id", "secret_key": "hunter2-secret"}
    operator.add_service(
        "elsewhere", "s3", {"bucket": "bucket", "endpoint_url": "http://127.0.0.1:9", **secrets}
    )
    details = operator.service("elsewhere")
    assert ("secret_key", "", True) in details.options
    said = f"{details}{operator.about()}"
    assert "hunter2" not in said
    assert "token-of-the-hook" not in said


def test_options_are_described_for_forms(operator: Operator) -> None:
    drivers = {one.name: one for one in operator.drivers()}
    assert (drivers["cache"].layer, drivers["local"].layer) == (True, False)
    assert not drivers["memory"].shared
    options = {one.name: one for one in drivers["s3"].options}
    assert (options["secret_key"].secret, options["secret_key"].kind) == (True, "a secret")
    assert options["anonymous"].choices == ("true", "false")
    source = next(one for one in drivers["cache"].options if one.name == "source")
    assert (source.link, source.required) == (True, True)
    modes = {one.name: one for one in operator.modes()}
    assert (modes["public"].needs_service, modes["s3"].one_service) == (True, False)
    assert "listing" in {one.name for one in modes["public"].options}


def test_a_cache_is_flushed(runtime: Runtime, operator: Operator) -> None:
    runtime.access(ROOT, "base").put("k", BytesBody(b"four"), Put(size=4))
    with runtime.access(ROOT, "front").get("k") as opened:
        opened.body.read(10)
    assert runtime.flush(ROOT, "front", Purge(kind="key", value="k")).point > 0
    (entry,) = operator.audit(action="cache.flush")
    assert (entry.subject, entry.detail["value"]) == ("front", "k")


def test_bindings_count_at_once(runtime: Runtime, operator: Operator) -> None:
    bound = list[str]()

    def bind(bindings: Sequence[Binding]) -> None:
        bound[:] = [str(one) for one in bindings]

    runtime.keep_up(bind)
    operator = runtime.operator(ROOT)
    options = operator.written_binding("public", [("listing", "true"), ("index", "a.html")])
    made = operator.add_binding({"prefix": "/p", "mode": "public", "service": "base", **options})
    assert bound == ["/p"]
    assert made.declared == ""
    declared, added = operator.bindings()
    assert (declared.host, declared.declared) == ("img.test", "bindings[0]")
    assert [(one.name, one.text) for one in declared.options] == [("listing", "true")]
    assert {one.name for one in added.options} == {"listing", "index"}
    with pytest.raises(Conflict, match="declared in"):
        operator.remove_binding("img.test", 0, "")
    with pytest.raises(NotAccepted):
        operator.add_binding({"prefix": "p", "mode": "nothing"})
    operator.remove_binding("", 0, "/p")
    assert bound == []


def test_a_secret_of_a_binding_is_shown_to_nobody(runtime: Runtime, operator: Operator) -> None:
    bound = list[Binding]()
    runtime.keep_up(bound.extend)
    operator = runtime.operator(ROOT)
    table = {"prefix": "/p", "mode": "public", "service": "base"}
    made = operator.add_binding({**table, "signed_links": {"secret": "hunter2", "ttl": "2h"}})
    (option,) = made.options
    assert (option.name, option.text) == ("signed_links", '{ secret = …, ttl = "2h" }')
    assert operator.bindings()[-1] == made
    assert "hunter2" not in str((made, operator.audit()))
    assert bound[-1].options.signed_links.secret.reveal() == "hunter2"
    with pytest.raises(NotAccepted, match="give the secret itself"):
        operator.add_binding({**table, "prefix": "/q", "signed_links": {"secret_env": "PATH"}})


def test_what_is_configured_is_told(operator: Operator) -> None:
    about = operator.about()
    sections = {one.name: {name: text for name, text, _ in one.options} for one in about.sections}
    assert sections["server"]["listen"] == "http://127.0.0.1:9000"
    assert sections["server"]["memory"] == "true"
    assert sections["buckets"]["driver"] == '"memory"'
    assert any("waitress reads a body" in one for one in about.unsafe)
    assert {"storage-gateway", "SQLite", "falcon"} <= {name for name, _ in about.versions}


def test_what_cannot_be_opened_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    tables = {"server": {"data": str(tmp_path / "data")}}
    runtime = open_runtime(load(tables=tables, environ={}), environ={})
    try:
        operator = runtime.operator(ROOT)
        operator.add_service("broken", "local", {"folder": str(tmp_path / "file")})
        assert by_id(operator)["broken"].state == "waiting"
        with pytest.raises(Unavailable):
            runtime.access(ROOT, "broken")
        broken = by_id(operator)["broken"]
        assert broken.state == "failing"
        assert broken.trouble.startswith("services.broken: cannot be opened")
    finally:
        runtime.close()


def test_what_runs_behind_is_told(tmp_path: Path) -> None:
    jobs, followers = Scheduler(None, now), Following(None, now)
    replica = {"url": "http://127.0.0.1:9", "key": "hunter2", "sid": "theirs"}
    tables = {**TABLES, "services": {"copy": {"driver": "memory", "replica_of": replica}}}
    configuration = load(tables={**tables, "bindings": []}, environ={})
    runtime = open_runtime(configuration, environ={}, jobs=jobs, followers=followers)
    try:
        jobs.add("tidy", 60, lambda: None)
        operator = runtime.operator(ROOT)
        assert "tidy" in {one.name for one in operator.jobs()}
        (found,) = operator.replicas()
        assert (found.sid, "theirs" in found.follows) == ("copy", True)
        assert "hunter2" not in f"{found}"
        assert found.progress is not None
        assert (found.progress.done, found.progress.failures) == (0, 0)
        assert [one.name for one in operator.followers()] == ["replica copy"]
    finally:
        runtime.close()
        followers.stop()

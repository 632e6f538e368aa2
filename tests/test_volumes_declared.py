"""Volumes of the configuration, and services in volumes that have drivers of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.access.identity import Identity, KeyAccess
from gateway.config import ConfigurationError, load
from gateway.plugins.finding import Plugins
from gateway.services.chain import ChainError
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.services.volume_quotas import FollowedVolumes
from gateway.storage import (
    AlreadyExists,
    BytesBody,
    Conflict,
    NoJobs,
    NoSuchStore,
    NoSuchVolume,
    NotEmpty,
)
from tests import catalogs

Open = Callable[[str], Runtime]


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"{account}-key", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")

ACCOUNTS = '[[accounts]]\nid = "alice"\n[[accounts]]\nid = "bob"\n'
MEDIA = f'{ACCOUNTS}[volumes.media]\naccount = "alice"\n'


def service(sid: str, options: str = 'volume = "media"') -> str:
    return f'[services."{sid}"]\ndriver = "local"\n{options}\n'


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


class Site:
    """A data folder, and gateways that serve it by what its file says."""

    def __init__(self, folder: Path, plugins: Plugins, table: str) -> None:
        self.folder, self._plugins, self._table = folder, plugins, table
        self.opened: list[Runtime] = []

    def start(self, text: str) -> Runtime:
        file = self.folder / "gateway.toml"
        file.write_text(f'[server]\ndata = "data"\n{self._table}{text}', encoding="utf-8")
        configuration = load(file, environ={}, plugins=self._plugins)
        self.opened.append(open_runtime(configuration, environ={}, jobs=NoJobs()))
        return self.opened[-1]

    def editor(self, runtime: Runtime) -> ServiceEditor:
        configuration = runtime.chain.configuration
        return ServiceEditor(configuration, runtime.catalog, folder=self.folder)


@pytest.fixture(params=catalogs.SHARED)
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    plugins: Plugins,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    catalogs.without_delay(monkeypatch)
    site = Site(tmp_path, plugins, catalogs.table(request.param))
    yield site
    for one in site.opened:
        one.close()


def buckets(runtime: Runtime, identity: Identity = ALICE, volume: str = "media") -> list[str]:
    page = runtime.volumes.buckets(identity, volume)
    return [one.service.about.bucket for one in page.items]


def owners(runtime: Runtime) -> dict[str, str]:
    found = runtime.volumes.buckets(ROOT, "media").items
    return {one.service.about.bucket: one.service.owner for one in found}


def put(runtime: Runtime, volume: str, bucket: str, data: bytes = b"v") -> None:
    runtime.volumes.bucket(ROOT, volume, bucket).put("k", BytesBody(data))


def test_a_declared_volume_is_the_configurations(site: Site) -> None:
    runtime = site.start(MEDIA + service("media.pics") + service("thumbs"))
    volumes = runtime.volumes
    info = volumes.find(ALICE, "media")
    assert (info.owner, info.created_by, info.declared) == ("alice", "", "volumes.media")
    assert [one.name for one in volumes.list(ALICE).items] == ["media"]
    for act in (
        lambda: volumes.change(ROOT, "media", owner="bob"),
        lambda: volumes.change(ROOT, "media", quota=1),
        lambda: volumes.drop(ALICE, "media"),
    ):
        with pytest.raises(Conflict, match="declared"):
            act()
    with pytest.raises(AlreadyExists):
        volumes.make(ROOT, "media", owner="bob")
    made = volumes.create_bucket(ALICE, "media", "made")
    assert (made.service.sid, made.service.owner) == ("media.made", "alice")
    for taken in ("pics", "thumbs", "made"):
        with pytest.raises(AlreadyExists):
            volumes.create_bucket(ALICE, "media", taken)
    assert buckets(runtime) == ["made", "pics", "thumbs"]
    for bucket in ("made", "pics", "thumbs"):
        put(runtime, "media", bucket)
    assert runtime.access(ALICE, "thumbs").stat("k").size == 1
    page = volumes.buckets(ALICE, "media", after="made", limit=1)
    assert [one.service.sid for one in page.items] == ["media.pics"] and page.next == "pics"
    used = volumes.used(["media"])["media"]
    assert (used.used, used.buckets) == (3, 3)
    with pytest.raises(NoSuchVolume):
        volumes.buckets(BOB, "media")


def test_a_volume_that_is_declared_no_more(site: Site) -> None:
    runtime = site.start(MEDIA + '[volumes.empty]\naccount = "bob"\n')
    created = runtime.volumes.find(ALICE, "media").created
    runtime.volumes.create_bucket(ALICE, "media", "pics")
    put(runtime, "media", "pics")
    runtime = site.start(ACCOUNTS)
    info = runtime.volumes.find(ALICE, "media")  # it has a bucket: it stays
    assert (info.owner, info.declared, info.created) == ("alice", "", created)
    with pytest.raises(NoSuchVolume):
        runtime.volumes.find(ROOT, "empty")
    assert [one.name for one in runtime.volumes.list(ROOT, every=True).items] == ["media"]
    assert runtime.volumes.change(ROOT, "media", owner="bob").owner == "bob"
    actions = [(one.action, one.subject) for one in runtime.catalog.audit(action="volume")]
    assert actions == [
        ("volume.change", "media"),
        ("volume.drop", "empty"),
        ("volume.add", "empty"),
        ("volume.add", "media"),
    ]
    site.start(ACCOUNTS)
    assert len(runtime.catalog.audit(action="volume")) == 4  # what is as it was is not written


def test_a_volume_that_was_made_is_declared(site: Site) -> None:
    runtime = site.start(ACCOUNTS)
    runtime.volumes.make(ROOT, "media", owner="bob", user="Bob")
    runtime.volumes.create_bucket(BOB, "media", "made")
    runtime.volumes.create_bucket(BOB, "media", "pics")
    put(runtime, "media", "pics", b"of the one that was made")
    before = site.start(MEDIA)
    assert owners(before) == {"made": "alice", "pics": "alice"}
    assert before.volumes.find(ALICE, "media").user == ""
    # A service that is declared in its place hides a bucket: that has its id alone.
    runtime = site.start(MEDIA + service("pics"))
    assert owners(runtime) == {"made": "alice", "pics": "alice"}
    assert runtime.volumes.bucket(ALICE, "media", "pics").service.sid == "pics"
    assert runtime.access(ALICE, "media.pics").stat("k").size > 1


def test_a_command_beside_a_gateway_changes_nothing(site: Site) -> None:
    runtime = site.start(MEDIA)
    runtime.volumes.create_bucket(ALICE, "media", "pics")
    configuration = site.start(MEDIA.replace('account = "alice"', 'account = "bob"'))
    site.opened.remove(configuration)
    configuration.close()
    # Which it has now; a command with the file of before looks, and leaves it.
    runtime = open_runtime(runtime.chain.configuration, environ={})
    site.opened.append(runtime)
    (row,) = runtime.catalog.services_within("media")
    assert row.owner == "bob"


def test_services_are_added_to_volumes(site: Site) -> None:
    runtime = site.start(MEDIA + service("thumbs"))
    editor, volumes = site.editor(runtime), runtime.volumes
    volumes.make(ROOT, "other", owner="bob")
    volumes.create_bucket(ALICE, "media", "made")
    editor.add("media.added", "local", {"volume": "media"})
    editor.add("aside", "local", {"volume": "other"})
    assert volumes.bucket(ALICE, "media", "added").service.owner == "alice"
    put(runtime, "other", "aside", b"12345")
    assert (buckets(runtime), buckets(runtime, BOB, "other")) == (
        ["added", "made", "thumbs"],
        ["aside"],
    )
    runtime.added.open_all()
    assert volumes.used(["other"])["other"].used == 5
    with pytest.raises(AlreadyExists):
        volumes.create_bucket(BOB, "other", "aside")
    with pytest.raises(NotEmpty):
        volumes.drop(BOB, "other")
    for sid, options, said in (
        ("media.thumbs", {"volume": "media"}, "services.thumbs is called"),
        ("media.made", {"volume": "media"}, "media.made"),
        ("new", {"volume": "none"}, "no such volume"),
        ("n.w", {"volume": 5}, "allowed: text"),
        ("nw.", {"volume": "media"}, "a bucket's name has"),
    ):
        with pytest.raises((ConfigurationError, AlreadyExists), match=said):
            editor.add(sid, "local", options)
    with pytest.raises(ConfigurationError, match="owns what is in it"):
        editor.add("new", "local", {"volume": "media"}, account="bob")
    with pytest.raises(AlreadyExists, match="has a bucket"):
        editor.add("made", "local", {"volume": "media"})


def test_an_added_service_goes_with_its_volume_and_leaves_it(site: Site) -> None:
    runtime = site.start(ACCOUNTS)
    other = site.start(ACCOUNTS)
    editor, volumes = site.editor(runtime), runtime.volumes
    volumes.make(ROOT, "media", owner="alice")
    editor.add("media.added", "local", {"volume": "media"})
    put(other, "media", "added")
    volumes.change(ROOT, "media", owner="bob")
    for one in (runtime, other):
        access = one.volumes.bucket(BOB, "media", "added")
        assert (access.service.owner, access.stat("k").size) == ("bob", 1)
        assert not one.access(ALICE, "media.added").visible
    row, _ = editor.find("media.added")
    assert row.owner == "bob"
    editor.change("media.added", {"durability": "process"})  # it is where it was
    assert buckets(other, BOB) == ["added"]
    editor.change("media.added", {}, unset=["volume"])
    for one in (runtime, other):
        assert buckets(one, BOB) == []
        assert one.access(BOB, "media.added").service.about.volume == ""
    editor.change("media.added", {"volume": "media"})
    assert buckets(other, BOB) == ["added"]
    editor.remove("media.added")
    assert buckets(other, BOB) == []
    volumes.drop(BOB, "media")


def test_an_account_of_buckets_is_in_no_volume(site: Site) -> None:
    upstream = (
        'driver = "s3"\nendpoint_url = "http://127.0.0.1:9"\nregion = "r"\naccess_key = "a"\n'
        'secret_key = "b"\nvolume = "media"\n'
    )
    with pytest.raises(ChainError, match=r"services\.upstream\.volume: it has buckets itself"):
        site.start(f"{MEDIA}[services.upstream]\n{upstream}")


def test_a_service_that_is_declared_by_a_buckets_name_is_not_in_its_volume(site: Site) -> None:
    """Its configuration does not say so: it is not to be had by who sees volumes alone."""
    runtime = site.start("")
    runtime.volumes.make(ROOT, "media", owner="alice")
    runtime.volumes.create_bucket(ALICE, "media", "pics")
    put(runtime, "media", "pics")
    again = site.start(ACCOUNTS + service("media.pics", 'account = "alice"'))
    again.access(ALICE, "media.pics").put("secret", BytesBody(b"v"))
    assert buckets(again) == []
    for identity in (ALICE, ROOT):
        with pytest.raises(NoSuchStore):
            again.volumes.bucket(identity, "media", "pics")
    with pytest.raises(NotEmpty):  # what was in it is there, when the other one goes
        again.volumes.drop(ROOT, "media")
    assert site.start("").volumes.bucket(ALICE, "media", "pics").stat("k").size == 1


def test_the_gateway_that_goes_does_not_set_the_quota_that_it_was_started_with(site: Site) -> None:
    """As in a reload: the old one is there, and follows, while the new one has begun."""
    for before, after in (('quota = "5000B"', 'quota = "100B"'), ('quota = "100B"', "")):
        old = site.start(f"{MEDIA}{before}\n")
        store = old.chain.volumes
        assert store is not None
        new = site.start(f"{MEDIA}{after}\n")
        wanted = store.volumes(["media"])["media"].quota
        assert wanted == (100 if after else None)
        for runtime in (old, new, old):
            FollowedVolumes(runtime.chain.volumes, runtime.catalog).look()
            assert store.volumes(["media"])["media"].quota == wanted

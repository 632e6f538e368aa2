"""Services that announce their changes: what is told, to whom, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.background.cursors import Cursor, Cursors
from gateway.background.followers import Following
from gateway.commands import main
from gateway.config import ConfigurationError, load
from gateway.modes.telling import JSON
from gateway.services import telling
from gateway.services.events import BATCH, ONE, event
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import BytesBody, Change, Delete, Full, Labels, Put, Unavailable
from gateway.storage.objects import now
from tests import catalogs
from tests.code_blocks import write
from tests.e2e.raw import eventually
from tests.one_service import runner

ROOT = Identity(key="test", account="root", access="admin")
GUARD = 60
Tables = Mapping[str, Any]

HOOK: Tables = {"url": "https://hook.example/"}
IMAGES: Tables = {"webhook": "hook", "prefix": "img/", "suffix": ".jpg", "kinds": "put"}


class Taking:
    """In the place of a webhook. `down` makes it refuse what comes."""

    def __init__(self, batch: int = 1, account: str = "root") -> None:
        self.batch, self.account, self.down = batch, account, False
        self.came: Queue[tuple[str, Any, str, bool]] = Queue()
        self.refused, self.refusals = threading.Event(), list[str]()

    def is_open_to(self, account: str) -> bool:
        return account == self.account

    def post(
        self, id: str, document: bytes, *, content_type: str = JSON, repeated: bool = False
    ) -> None:
        if self.down:
            self.refusals.append(id)
            self.refused.set()
            raise Unavailable("It is down.")
        self.came.put((id, json.loads(document), content_type, repeated))

    def next(self) -> Any:
        return self.came.get(timeout=GUARD)[1]

    def told(self, number: int) -> list[tuple[str, str]]:
        """(type, key) of so many events."""
        found = [self.next() for _ in range(number)]
        return [(one["type"].rpartition(".")[2], one["data"]["key"]) for one in found]


class Gateway:
    """One that runs, in memory or in a folder."""

    def __init__(
        self, tables: Tables, folder: Path | None = None, before: Gateway | None = None
    ) -> None:
        server: Tables = {"memory": True} if folder is None else {"data": str(folder)}
        webhooks = {"hook": HOOK, "several": {**HOOK, "batch": 10}}
        tables = {"server": server, "webhooks": webhooks, **tables}
        followers = Following(folder, now, delay=lambda failures: 0.05)
        self.followers: Following = followers if before is None else before.followers
        configuration = load(tables=tables, environ={})
        self.runtime: Runtime = open_runtime(
            configuration,
            environ={},
            followers=self.followers,
            before=None if before is None else before.runtime,
        )
        self.hook, self.several = Taking(), Taking(batch=10)
        taking = {"hook": self.hook, "several": self.several}
        self.runtime.webhooks.update(taking)  # type: ignore[attr-defined]  # it is a dict

    def begin(self) -> Gateway:
        self.runtime.keep_up(lambda _: None)
        self.followers.start()
        return self

    def put(self, sid: str, *keys: str) -> Access:
        access = self.runtime.access(ROOT, sid)
        for key in keys:
            access.put(key, BytesBody(b"data"), Put(size=4))
        return access

    def end(self) -> None:
        self.followers.stop(GUARD)
        self.runtime.close()


Run = Callable[..., Gateway]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    catalogs.without_delay(monkeypatch)
    running: list[Gateway] = []

    def run(tables: Tables, folder: Path | None = None, before: Gateway | None = None) -> Gateway:
        running.append(Gateway(tables, folder, before).begin())
        return running[-1]

    yield run
    for one in running:
        one.end()


def service(*events: object, **options: object) -> Tables:
    return {"driver": "memory", "events": list(events), **options}


def test_puts_and_deletes_are_told_as_cloud_events(run: Run) -> None:
    server = {"memory": True, "external_url": "https://s3.example.com"}
    gateway = run({"server": server, "services": {"photos": service("hook")}})
    access = gateway.put("photos", "cat.jpg")
    info = access.stat("cat.jpg")
    id, told, kind, repeated = gateway.hook.came.get(timeout=GUARD)
    assert (id, kind, repeated) == (told["id"], ONE, False)
    time, sequencer = told.pop("time"), told["data"].pop("sequencer")
    assert time.endswith("Z") and len(sequencer) == 18
    assert told == {
        "specversion": "1.0",
        "id": id,
        "source": "https://s3.example.com/photos",
        "type": "gateway.object.put",
        "subject": "cat.jpg",
        "datacontenttype": "application/json",
        "data": {
            "bucket": "photos",
            "key": "cat.jpg",
            "size": 4,
            "eTag": info.etag,
            "versionId": info.version,
        },
    }
    access.service.need(Labels).set_labels("cat.jpg", tags={"a": "b"})  # nobody asked for that
    access.delete("cat.jpg")
    access.delete("cat.jpg", Delete(version=info.version))
    assert gateway.hook.told(2) == [("delete", "cat.jpg"), ("purge", "cat.jpg")]


def test_told_is_what_was_asked_for(run: Run) -> None:
    gateway = run({"services": {"shots": service(IMAGES, {"webhook": "hook", "prefix": "raw/"})}})
    access = gateway.put("shots", "img/a.png", "img/a.jpg", "a.jpg", "raw/x", "img/b.jpg")
    access.delete("img/a.jpg")
    access.delete("raw/x")
    told = gateway.hook.told(4)
    assert told == [
        ("put", "img/a.jpg"),
        ("put", "raw/x"),
        ("put", "img/b.jpg"),
        ("delete", "raw/x"),
    ]


def test_a_cache_tells_of_what_is_written_through_it(run: Run) -> None:
    cache = {"driver": "cache", "source": "files", "space": "memory", "events": "hook"}
    gateway = run({"services": {"files": {"driver": "memory"}, "front": cache}})
    gateway.put("front", "k")
    gateway.put("files", "behind")
    sources = [(one["source"], one["data"]["key"]) for one in (gateway.hook.next() for _ in "ab")]
    assert sources == [("/front", "k"), ("/front", "behind")]


def test_who_takes_several_gets_lists(run: Run) -> None:
    gateway = run({"services": {"files": service("several")}})
    gateway.several.down = True
    gateway.put("files", "k0")
    assert gateway.several.refused.wait(GUARD)
    gateway.put("files", "k1", "k2")
    gateway.several.down = False
    keys: list[str] = []
    while len(keys) < 3:
        id, told, kind, _ = gateway.several.came.get(timeout=GUARD)
        assert (id, kind) == (told[0]["id"], BATCH)
        keys += [one["data"]["key"] for one in told]
    assert keys == ["k0", "k1", "k2"]


def test_buckets_tell_all_from_their_beginning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = {"driver": "memory", "events": "hook"}
    gateway = run({"buckets": buckets, "accounts": [{"id": "other"}]})
    theirs = Identity(key="t", account="other", access="own")
    gateway.runtime.create(theirs, "theirs")
    gateway.put("theirs", "untold")
    for key in ("first", "second"):  # the second is another bucket of that name
        gateway.runtime.create(ROOT, "made")
        gateway.put("made", key).delete(key)
        assert gateway.hook.told(2) == [("put", key), ("delete", key)]
        gateway.runtime.drop(ROOT, "made")
    monkeypatch.setattr(telling, "MOST", 0)
    with pytest.raises(Full, match="as the gateway takes"):
        gateway.runtime.create(ROOT, "too-many")


def test_nothing_is_lost_when_it_ends_in_the_middle(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = {"services": {"files": {"driver": "local", "events": "hook"}}}
    first = run(tables, tmp_path)
    first.put("files", "before")
    assert first.hook.told(1) == [("put", "before")]
    first.hook.down = True
    first.put("files", "a", "b")
    assert first.hook.refused.wait(GUARD)
    first.end()
    config = tmp_path / "gateway.toml"
    config.write_text(
        f"server.data = '{tmp_path}'\nwebhooks.hook.url = 'https://hook.example/'\n"
        "services.files = { driver = 'local', events = 'hook' }\n"
    )
    assert main.main(["services", "--config", str(config)]) == 0
    assert "tells hook (events): " in (said := capsys.readouterr().out)
    assert "behind" in said and "It is down." in said
    again = run(tables, tmp_path)
    id, told, _, repeated = again.hook.came.get(timeout=GUARD)
    assert (id, told["data"]["key"], repeated) == (first.hook.refusals[0], "a", True)
    assert again.hook.told(1) == [("put", "b")]


def test_a_reload_has_others_told(run: Run) -> None:
    before = run({"services": {"files": {"driver": "memory"}}})
    before.put("files", "untold")
    after = run({"services": {"files": service("hook")}}, None, before)
    before.runtime.close()
    after.put("files", "told")
    assert after.hook.told(1) == [("put", "told")]


def test_added_services_tell_from_when_they_are_told_to(run: Run, tmp_path: Path) -> None:
    gateway = run({}, tmp_path)
    runtime = gateway.runtime
    editor = ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=tmp_path)
    editor.add("fresh", "local", {})
    gateway.put("fresh", "untold")
    editor.change("fresh", {"events": ["hook"]})
    runtime.added.sync()
    runtime._events.look()  # as its thread does within a second
    gateway.put("fresh", "told")
    assert gateway.hook.told(1) == [("put", "told")]
    editor.change("fresh", {}, unset=["events"])
    runtime.added.sync()
    runtime._events.look()
    gateway.put("fresh", "untold")
    assert not [one for one in gateway.followers.snapshot() if "fresh" in one.name]
    for wrong, text in (("nobody", "no such webhook"), ({"webhook": "hook", "kinds": []}, "kinds")):
        with pytest.raises(ConfigurationError, match=text):
            editor.change("fresh", {"events": [wrong]})
    with pytest.raises(ConfigurationError, match="has no feed of its changes"):
        editor.add("remote", "http", {"url": "https://origin.example/", "events": "hook"})


def test_the_command_shows_whom_services_tell_and_how_far_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = "".join(f'[webhooks.{one}]\nurl = "https://hook.example/"\n' for one in ("a", "b"))
    photos = '[services.photos]\ndriver = "local"\nevents = ["b", "a"]\n'
    run = runner(
        "services", f'server.data = "data"\n{hooks}{photos}', tmp_path, monkeypatch, capsys
    )
    open_runtime(load(environ={}), environ={}).close()
    cursors = Cursors(tmp_path / "data")
    for name, cursor in (
        ("events of photos to a", Cursor(done=7, last=7)),
        ("events of photos to none of now", Cursor(done=1, last=9)),
        (
            "s3 notifications of photos to a",
            Cursor(done=3, last=5, failures=2, error="It is down."),
        ),
        ("a name of its own", Cursor()),
    ):
        cursors.save(name, cursor)
    cursors.close()
    code, lines, _ = run()
    assert code == 0
    assert [line.strip() for line in lines if "tells" in line] == [
        "tells a (events): all up to sync id 7",
        "tells b (events): not yet",
        "tells a (s3 notifications): 2 changes behind; failed 2 times in a row: It is down.",
    ]


def test_one_whose_webhook_is_gone_is_served_and_that_is_said(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run({}, tmp_path)
    configuration, catalog = first.runtime.chain.configuration, first.runtime.catalog
    ServiceEditor(configuration, catalog, folder=tmp_path).add("fresh", "local", {"events": "hook"})
    first.end()
    second = Gateway({"webhooks": {"several": HOOK}}, tmp_path)
    del second.runtime.webhooks["hook"]  # type: ignore[attr-defined]  # it is a dict
    try:
        second.begin().put("fresh", "k")
    finally:
        second.end()
    assert "events of fresh to hook: there is no such webhook: nobody is told" in caplog.text


@pytest.mark.parametrize(
    ("tables", "place", "text"),
    [
        ({"services": {"one": service("hoook")}}, "services.one.events", 'Did you mean "hook"'),
        (
            {"services": {"one": service("hook", account="other")}},
            "services.one.events",
            'not open to the account "other"',
        ),
        (
            {
                "services": {
                    "one": {"driver": "http", "url": "https://a.example/", "events": "hook"}
                }
            },
            "services.one.events",
            'the driver "http" has no feed of its changes',
        ),
        (
            {
                "services": {
                    "one": {"driver": "http", "url": "https://a.example/"},
                    "two": {"driver": "cache", "source": "one", "events": "hook"},
                }
            },
            "services.two.events",
            "or what it stands in front of has none",
        ),
        ({"services": {"one": service({**IMAGES, "kinds": "got"})}}, ".kinds", "allowed"),
        (
            {"buckets": {"driver": "memory", "events": ["other"]}},
            "buckets.events",
            "no such webhook",
        ),
    ],
)
def test_what_cannot_be_told_is_refused_at_the_start(tables: Tables, place: str, text: str) -> None:
    tables = {"webhooks": {"hook": HOOK}, "accounts": [{"id": "other"}], **tables}
    with pytest.raises(ConfigurationError) as refusal:
        load(tables={"server": {"memory": True}, **tables}, environ={})
    (problem,) = refusal.value.problems
    assert place in problem.place and text in problem.message


def test_a_key_that_may_be_no_subject_is_in_the_data() -> None:
    for key, fits in (("ü/\U0001f600 b", True), ("a\nb", False), ("a\uffff", False)):
        told = event(Change(1, "put", 5, key, None, 1, "e", ""), "files")
        assert ("subject" in told) is fits
        assert told["data"]["key"] == key


@pytest.mark.usefixtures("sockets")
def test_the_receiver_of_the_page_takes_what_is_signed(tmp_path: Path, run: Run) -> None:
    assert write("docs/events.md", tmp_path) == ["receiver.py"]
    page: dict[str, Any] = {}
    exec(compile((tmp_path / "receiver.py").read_text("utf-8"), "receiver.py", "exec"), page)
    with page["serve"]("a secret", ("127.0.0.1", 0)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        webhooks = {
            "right": {"url": url, "secret": "a secret"},
            "wrong": {"url": url, "secret": "b"},
        }
        gateway = run({"webhooks": webhooks, "services": {"files": service("right", "wrong")}})
        gateway.put("files", "k")
        events: dict[str, Any] = page["Receiver"].events

        def both() -> bool:
            known = {one.name: one for one in gateway.followers.snapshot()}
            return bool(events) and known["events of files to wrong"].failures > 0

        eventually(both, "one message taken, and one refused")
        server.shutdown()
    assert [one["data"]["key"] for one in events.values()] == ["k"]

"""One runtime follows another in a process: what both need stays, requests see one of them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, NoReturn, cast

import pytest

from gateway.access.identity import Identity
from gateway.background.jobs import Scheduler
from gateway.catalog.database import Database
from gateway.commands import control
from gateway.commands.control import Told
from gateway.commands.rereading import KEPT, Rereading
from gateway.config import Configuration, Origin, ServerOptions, load
from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode
from gateway.modes.protocols import ProtocolListener
from gateway.plugins.finding import Plugins
from gateway.servers import CannotServe, Change, Loaded, Plan
from gateway.servers.order_pipe import OrderPipe
from gateway.servers.protocols import Listening
from gateway.servers.reloading import Reloads
from gateway.servers.rounds import PATIENCE, Round, take_orders
from gateway.servers.worker import LOOK, open_worker
from gateway.services.behind import Behind, OwnJobs
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import (
    BytesBody,
    Context,
    Get,
    Layer,
    NoSuchKey,
    NoSuchStore,
    Opened,
    Store,
    Unavailable,
)
from gateway.testing.certificates import certificate
from tests.test_jobs import attended
from tests.tiny_mode import PIECE, Shop, TinyMode

JOURNAL: list[str] = []


@dataclass(eq=False)
class Noted(Store):
    driver: ClassVar[str] = "noted"
    note: str = ""

    def open(self, context: Context) -> None:
        if self.note == "broken":
            raise ValueError("the disk is missing")
        JOURNAL.append(f"+{context.sid}")
        self.sid = context.sid

    def close(self) -> None:
        JOURNAL.append(f"-{self.sid}")

    def get(self, key: str, want: Get = Get()) -> Opened:
        raise NoSuchKey(key=key)


@dataclass(eq=False, kw_only=True)
class Front(Layer, Noted):
    driver: ClassVar[str] = "before"
    source: Store


@dataclass(eq=False, kw_only=True)
class Line(ProtocolListener):
    protocol: ClassVar[str] = "line"
    name: str
    fails: bool = False

    def start(self, gateway: Gateway, listening: socket.socket, tls: object) -> None:
        if self.fails:
            raise OSError("it cannot be")
        JOURNAL.append(f"+{self.name}")
        self.listening = listening

    def stop(self) -> None:
        self.listening.close()
        JOURNAL.append(f"-{self.name}")


class Sample:
    @hookimpl
    def gateway_listeners(self) -> list[type[ProtocolListener]]:
        return [Line]

    @hookimpl
    def gateway_drivers(self) -> list[type[Store]]:
        return [Noted, Front]

    @hookimpl
    def gateway_modes(self) -> list[Mode]:
        return [TinyMode(), Shop("shop", "HTTP_X_SHOP")]


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    return plugins


Follow = Callable[..., Runtime]
ROOT = Identity(key="k", account="root", access="admin")


@pytest.fixture
def follow(tmp_path: Path, plugins: Plugins) -> Iterator[Follow]:
    """Opens a runtime for what a file says, after the one before."""
    opened: list[Runtime] = []
    JOURNAL.clear()

    def follow(text: str, *, memory: bool = True) -> Runtime:
        file = tmp_path / "gateway.toml"
        file.write_text(f"[server]\nmemory = {str(memory).lower()}\ndata = 'data'\n{text}")
        configuration = load(file, environ={}, plugins=plugins)
        before = opened[-1] if opened else None
        opened.append(open_runtime(configuration, environ={}, before=before))
        return opened[-1]

    yield follow
    for one in opened:
        one.close()


TWO = """
[services.base]
driver = "noted"
{0}
[services.front]
driver = "before"
source = "base"
"""
BROKEN = '[services.wrong]\ndriver = "noted"\nnote = "broken"\n'


def test_a_service_that_is_declared_as_before_is_the_same_store(follow: Follow) -> None:
    one = follow(TWO.format(""))
    two = follow(TWO.format('name = "for people"') + '[services.more]\ndriver = "noted"\n')
    one.close()
    assert JOURNAL == ["+base", "+front", "+more"]
    assert two.chain.services["front"].store is one.chain.services["front"].store
    assert two.chain.services["base"].about.name == "for people"
    two.close()
    assert JOURNAL[3:] == ["-front", "-more", "-base"]


def test_one_that_has_changed_is_opened_anew_with_all_in_front_of_it(follow: Follow) -> None:
    one = follow(TWO.format(""))
    follow(TWO.format('note = "x"'))
    assert JOURNAL == ["+base", "+front", "+base", "+front"]
    one.close()
    assert JOURNAL[4:] == ["-front", "-base"]


def test_one_that_is_gone_is_closed_with_the_last_that_has_it(follow: Follow) -> None:
    one = follow(TWO.format(""))
    two = follow("")
    assert JOURNAL == ["+base", "+front"]
    with pytest.raises(NoSuchStore):
        two.access(ROOT, "base")
    one.access(ROOT, "base")
    one.close()
    assert JOURNAL[2:] == ["-front", "-base"]


def test_one_that_cannot_be_opened_leaves_what_serves_alone(follow: Follow) -> None:
    follow(TWO.format(""))
    with pytest.raises(Exception, match=r"services\.wrong: cannot be opened: the disk is missing"):
        follow(TWO.format("") + BROKEN)
    assert JOURNAL == ["+base", "+front"]


KEY = '[[keys]]\nid = "{0}"\nsecret = "secret-{0}"\n'


@pytest.mark.parametrize("memory", [True, False])
def test_what_was_put_and_made_is_there_and_keys_are_what_is_declared(
    follow: Follow, memory: bool
) -> None:
    scratch = '[services.scratch]\ndriver = "memory"\n{0}'
    one = follow(scratch.format("") + KEY.format("old"), memory=memory)
    one.create(ROOT, "made")
    made = one.catalog.add_key(account="alice")
    for sid in ("scratch", "made"):
        one.access(ROOT, sid).put("k", BytesBody(b"kept"))
    two = follow(scratch.format('quota = "1MiB"\n') + KEY.format("new"), memory=memory)
    one.close()
    for sid in ("scratch", "made"):
        with two.access(ROOT, sid).get("k") as found:
            assert found.body.read() == b"kept"
    assert two.keys.credential("old") is None
    assert two.keys.credential("new") is not None
    assert two.keys.credential(made.id) is not None
    two.access(ROOT, "made").put("k", BytesBody(b"again"))


DISK = """
[services.base]
driver = "local"
durability = "{0}"
[services.cached]
driver = "cache"
source = "base"
max_size = "{1}"
"""


def test_stores_with_other_options_have_the_folders_of_those_before(follow: Follow) -> None:
    """Both are open at once, and each goes on when the other is closed."""
    one = follow(DISK.format("power", "1GiB"), memory=False)
    one.access(ROOT, "base").put("a", BytesBody(b"a" * 100_000))
    with one.access(ROOT, "cached").get("a") as reading:
        two = follow(DISK.format("process", "2GiB"), memory=False)
        two.access(ROOT, "base").put("b", BytesBody(b"b" * 100_000))
        for runtime in (one, two):
            with runtime.access(ROOT, "cached").get("b") as found:
                assert found.body.read(1 << 20) == b"b" * 100_000
        two.access(ROOT, "cached").purge()
        assert reading.body.read(1 << 20) == b"a" * 100_000
    one.close()
    two.access(ROOT, "cached").put("c", BytesBody(b"c"))
    with two.access(ROOT, "cached").get("c") as found:
        assert found.body.read() == b"c"
    three = follow(DISK.format("power", "1GiB"), memory=False)
    two.close()
    three.access(ROOT, "base").put("d", BytesBody(b"d"))
    assert [one.key for one in three.access(ROOT, "cached").list().entries] == [*"abcd"]


# a worker


def worker(
    tmp_path: Path, plugins: Plugins, text: str
) -> tuple[Loaded, Callable[[str], Configuration]]:
    def read(text: str) -> Configuration:
        file = tmp_path / "gateway.toml"
        file.write_text(f"[server]\nmemory = true\n{text}")
        return load(file, environ={}, plugins=plugins)

    return open_worker(read(text), "waitress", 8, None), read


def get(loaded: Loaded, path: str, query: str = "", **more: str) -> tuple[str, Any]:
    """(status, body)"""
    said: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "a", "SERVER_PORT": "80", "SERVER_NAME": "a",
        "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "wsgi.input": None, **more,
    }  # fmt: skip
    body = loaded.app(environ, lambda status, headers, _=None: said.append(status))
    return said[0], body


def test_a_worker_serves_the_next_configuration_when_it_is_told_to(
    tmp_path: Path, plugins: Plugins
) -> None:
    JOURNAL.clear()
    loaded, read = worker(tmp_path, plugins, "health = false\n")
    try:
        assert loaded.prepare is not None
        assert get(loaded, "/-/health/live")[0] != "200 OK"
        prepared = loaded.prepare(read("health = true\n" + TWO.format("")).origin)
        assert get(loaded, "/-/health/live")[0] != "200 OK", "not before it is told to"
        prepared.discard()
        assert JOURNAL == ["+base", "+front", "-front", "-base"]
        loaded.prepare(read("health = true\n" + TWO.format("")).origin).take_over()
        assert get(loaded, "/-/health/live")[0] == "200 OK"
        with pytest.raises(CannotServe, match="the disk is missing"):
            loaded.prepare(read(BROKEN).origin)
        assert get(loaded, "/-/health/live")[0] == "200 OK"
    finally:
        loaded.close()
    assert JOURNAL[4:] == ["+base", "+front", "-front", "-base"]


def test_a_mode_is_switched_on_and_off_by_its_table(tmp_path: Path, plugins: Plugins) -> None:
    def said() -> bytes:
        return b"".join(get(loaded, "/x", HTTP_X_TINY="1", HTTP_X_SHOP="1")[1])

    loaded, read = worker(tmp_path, plugins, "")
    try:
        assert loaded.prepare is not None
        assert said() == b"tiny GET /x"
        loaded.prepare(read('[shop]\ncurrency = "EUR"\n').origin).take_over()
        assert said() == b"tiny GET /x", "the first that claims it"
        assert b"".join(get(loaded, "/x", HTTP_X_SHOP="1")[1]) == b"shop GET /x"
        loaded.prepare(read("").origin).take_over()
        status, body = get(loaded, "/x", HTTP_X_SHOP="1")
        assert b"shop" not in b"".join(body) and status != "200 OK"
    finally:
        loaded.close()


def test_a_catalog_that_cannot_be_reached_is_why_nothing_is_taken_over(
    tmp_path: Path,
    plugins: Plugins,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away(_: object) -> NoReturn:
        raise Unavailable("The catalog cannot be reached now.")

    loaded, read = worker(tmp_path, plugins, "")
    try:
        assert loaded.prepare is not None
        monkeypatch.setattr(Database, "reading", away)
        with pytest.raises(CannotServe, match=r"^The catalog cannot be reached now\.$"):
            loaded.prepare(read("").origin)
        assert not caplog.records, "it is nobody's mistake"
    finally:
        loaded.close()


def test_what_a_request_began_with_is_open_until_its_answer_is_over(
    tmp_path: Path, plugins: Plugins
) -> None:
    JOURNAL.clear()
    loaded, read = worker(tmp_path, plugins, TWO.format(""))
    try:
        assert loaded.prepare is not None
        status, body = get(loaded, "/", "stream=3", HTTP_X_TINY="1")
        assert (status, next(body)) == ("200 OK", PIECE)
        loaded.prepare(read("").origin).take_over()
        loaded.prepare(read("region = 'x'").origin).take_over()
        assert get(loaded, "/-/health/live")[0] == "200 OK"
        time.sleep(3 * LOOK)
        assert JOURNAL == ["+base", "+front"]
        assert [*body] == [PIECE, PIECE]
        while len(JOURNAL) < 4:
            time.sleep(0.01)
        assert JOURNAL[2:] == ["-front", "-base"]
    finally:
        loaded.close()


LINES = """
[[listeners]]
protocol = "line"
address = "127.0.0.1:1"
name = "{0}-one"
[[listeners]]
protocol = "line"
address = "127.0.0.1:2"
name = "{0}-two"
fails = {1}
"""


def test_a_listener_that_does_not_begin_leaves_all_as_it_was(
    tmp_path: Path, plugins: Plugins
) -> None:
    JOURNAL.clear()

    def soon(*said: str) -> None:
        until = time.monotonic() + 30
        while sorted(JOURNAL) != sorted(said):  # they are stopped in threads
            assert time.monotonic() < until, JOURNAL
            time.sleep(0.01)
        JOURNAL.clear()

    loaded, read = worker(tmp_path, plugins, "health = false\n" + LINES.format("old", "false"))
    with socket.socket() as one, socket.socket() as two:
        try:
            loaded.listen([Listening(one, None), Listening(two, None)])
            assert loaded.prepare is not None
            soon("+old-one", "+old-two")
            health = "health = true\n" + TWO.format("")
            for _ in range(2):
                prepared = loaded.prepare(read(health + LINES.format("new", "true")).origin)
                with pytest.raises(CannotServe, match="of line cannot be started: OSError"):
                    prepared.take_over()
                soon("+base", "+front", "+new-one", "-new-one", "-front", "-base")
                assert get(loaded, "/-/health/live")[0] != "200 OK"
            loaded.prepare(read(health + LINES.format("new", "false")).origin).take_over()
            assert get(loaded, "/-/health/live")[0] == "200 OK"
            soon("+base", "+front", "+new-one", "+new-two", "-old-one", "-old-two")
        finally:
            loaded.close()
    soon("-new-one", "-new-two", "-front", "-base")


def test_a_stores_job_is_not_taken_back_by_the_one_before_it() -> None:
    scheduler = Scheduler(None, lambda: 0)
    behind = Behind()
    old, new = OwnJobs(scheduler, behind), OwnJobs(scheduler, behind)
    ran: list[str] = []
    old.add("sweep", 60, lambda: ran.append("old"))
    new.add("sweep", 60, lambda: ran.append("new"))
    old.remove("sweep")
    attended(scheduler, "sweep")
    new.remove("sweep")
    assert ran == ["new"]
    with pytest.raises(KeyError):
        attended(scheduler, "sweep")


# reading it again


def reread(tmp_path: Path, plugins: Plugins, first: str, then: str, workers: int = 2) -> Change:
    file = tmp_path / "gateway.toml"
    file.write_text(first)
    environ = {"GATEWAY_ROOT_ACCESS_KEY": "root-key", "GATEWAY_ROOT_SECRET_KEY": "s3cret"}
    configuration = load(file, overrides={"listen": ["127.0.0.1:1"]}, environ=environ,
                         plugins=plugins)  # fmt: skip
    file.write_text(then)
    again = Rereading(configuration, workers, environ, lambda _: cast(Any, None))
    return again()


def test_what_was_typed_and_the_root_key_stay(tmp_path: Path, plugins: Plugins) -> None:
    change = reread(tmp_path, plugins, "", '[server]\nlisten = "127.0.0.1:2"\nregion = "x"\n')
    assert isinstance(change.message, Origin)
    found = load(tmp_path / "gateway.toml", environ={}, plugins=plugins)
    assert found.root is None
    assert change.message.root == ("root-key", "s3cret")
    assert change.message.overrides == {"listen": ["127.0.0.1:1"]}
    assert pickle.loads(pickle.dumps(change.message)).tables == change.message.tables


def within(work: Callable[[], object], seconds: float = 60) -> None:
    """Do what would wait for ever if it were wrong."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
@pytest.mark.parametrize("name", ["gateway.toml", "secret"])
def test_what_can_be_read_once_only_is_not_waited_for(
    tmp_path: Path, plugins: Plugins, name: str
) -> None:
    (tmp_path / "secret").write_text("a secret")
    text = '[[keys]]\nid = "k"\nsecret_file = "secret"\n'

    file = tmp_path / "gateway.toml"
    file.write_text(text)
    again = Rereading(load(file, environ={}, plugins=plugins), 1, {}, lambda _: cast(Any, None))
    assert again()
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    refused: list[str] = []

    def read() -> None:
        try:
            again()
        except CannotServe as error:
            refused.append(str(error))

    within(read)
    assert len(refused) == 1 and f"{name}: a pipe, which can be read once" in refused[0]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, plugins: Plugins) -> None:
    text = """
        [server]
        data = "elsewhere"
        threads = 3
        [catalog]
        url = "postgresql+psycopg://x"
        [services.scratch]
        driver = "memory"
        [services.one]
        driver = "local"
        folder = "f"
        [services.two]
        driver = "cache"
        source = "one"
        folder = "f"
    """
    with pytest.raises(CannotServe) as raised:
        reread(tmp_path, plugins, "", text)
    lines = str(raised.value).splitlines()
    assert lines[0] == f"5 problems in {tmp_path / 'gateway.toml'}:"
    for line, words in zip(
        lines[1:],
        (
            "server.data: it was changed, which needs a restart.",
            "server.threads: it was changed, which needs a restart.",
            "catalog: it was changed, which needs a restart.",
            "One worker is needed (services.scratch (driver",
            "services.one, services.two: both have the folder",
        ),
        strict=True,
    ):
        assert words in line


def test_certificates_are_checked_too(tmp_path: Path, plugins: Plugins) -> None:
    one, key = certificate(tmp_path)
    text = f"[server]\ntls = {{ certificate = '{one}', key = '{key}' }}\n"
    reread(tmp_path, plugins, text, text + "region = 'x'\n")
    key.write_text("half of it")
    with pytest.raises(CannotServe, match=r"server\.tls: the certificate .* cannot be used"):
        reread(tmp_path, plugins, text, text)


def test_every_option_of_the_server_is_taken_over_or_needs_a_restart() -> None:
    """One that is new is to be decided about."""
    taken = {
        "domains", "external_url", "trusted_proxies", "proxy_headers", "default_mode", "region",
        "health", "lifecycle_day", "metrics_by_service", "only_bound", "countries", "accel",
    }  # fmt: skip
    assert {*KEPT} | taken == {*ServerOptions.__dataclass_fields__}
    assert not {*KEPT} & taken


# to all workers or to none


class Pipe:
    """The parent's end of a worker's pipe."""

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []

    def send_bytes(self, data: bytes) -> None:
        number, order, _ = pickle.loads(data)
        self.said.append((number, order))


class Rounded:
    """A round among workers 1 and 2."""

    def __init__(self) -> None:
        self.pipes = {1: Pipe(), 2: Pipe()}
        self.round = Round("message", lambda: None)

    def go_on(self, *living: int, serving: tuple[int, ...] = (1, 2), now: float = 0.0) -> None:
        pipes = {one: cast(Connection, self.pipes[one]) for one in living or (1, 2)}
        self.round.go_on(pipes, serving, now)

    def orders(self, worker: int, number: int) -> list[str]:
        while len(self.pipes[worker].said) < number:  # threads send them
            time.sleep(0.001)
        return [order for _, order in self.pipes[worker].said]

    def answer(self, worker: int, reason: str = "") -> None:
        self.round.heard(worker, self.round._number, reason)


def test_all_open_it_and_then_all_serve_it() -> None:
    one = Rounded()
    one.go_on(serving=(1,))
    assert not one.round.begun, "one that starts would miss it"
    one.go_on()
    one.answer(1)
    one.go_on()
    assert one.orders(1, 1) == ["open"] and not one.round.accepted
    one.answer(2)
    one.go_on()
    assert one.orders(1, 2) == ["open", "serve"] and one.orders(2, 1) == ["open"]
    assert not one.round.accepted, "it is not known whether it can be"
    one.answer(1)
    one.go_on()
    assert one.orders(1, 2) == one.orders(2, 2) == ["open", "serve"]
    assert one.round.accepted and not one.round.over
    one.go_on(1)  # the other has died: who takes its place has the new one
    assert one.round.over and not one.round.unfit
    one.round.wait()


def test_one_worker_is_all() -> None:
    one = Rounded()
    del one.pipes[2]
    for _ in range(2):
        one.go_on(1, serving=(1,))
        one.answer(1)
    assert not one.round.over
    one.go_on(1)
    assert one.round.over
    one.round.wait()


def opened() -> Rounded:
    """By both; the first is told to serve it."""
    one = Rounded()
    one.go_on()
    one.answer(1)
    one.answer(2)
    one.go_on()
    return one


@pytest.mark.parametrize("why", ["refuses", "dies", "hangs"])
def test_when_the_first_cannot_take_it_over_none_serves_it(why: str) -> None:
    one = opened()
    if why == "refuses":
        one.answer(1, "no listener")
    one.go_on(*([2] if why == "dies" else [1, 2]), now=PATIENCE if why == "hangs" else 1.0)
    assert one.round.over and not one.round.accepted
    assert one.orders(2, 2) == ["open", "discard"]
    assert one.round.unfit == ({1} if why == "hangs" else set()), "it may serve it later"
    words = {"refuses": "no listener", "dies": "A worker ended", "hangs": "not taken it over"}
    with pytest.raises(CannotServe, match=words[why]):
        one.round.wait()


@pytest.mark.parametrize("why", ["refuses", "hangs"])
def test_who_cannot_take_it_over_when_one_has_is_replaced(
    why: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = opened()
    one.answer(1)
    one.go_on()
    if why == "refuses":
        one.answer(2, "no listener")
    one.go_on(now=PATIENCE)
    assert one.round.over and one.round.accepted and one.round.unfit == {2}
    words = {"refuses": "no listener", "hangs": "not taken it over within 60 s"}
    assert "a worker is replaced" in caplog.text and words[why] in caplog.text
    one.round.wait()


class Takes:
    """What a worker has prepared, and what taking it over raises."""

    def __init__(self, error: BaseException | None) -> None:
        self._error, self.done = error, list[str]()

    def __call__(self, message: object) -> Takes:
        self.done.append(str(message))
        return self

    def take_over(self) -> None:
        self.done.append("serve")
        if self._error is not None:
            raise self._error

    def discard(self) -> None:
        self.done.append("discard")
        if self._error is not None:
            raise self._error


ORDERS = [(1, "open", "one"), (2, "discard", None), (3, "open", "two"), (4, "serve", None),
          (5, "open", "three")]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "reasons"),
    [
        (None, {}),
        (CannotServe("no listener"), {2: "no listener", 4: "no listener"}),
        (SystemExit(3), {2: "A worker cannot discard it: SystemExit, see the log.",
                         4: "A worker cannot serve it: SystemExit, see the log."}),
    ],
)  # fmt: skip
def test_a_worker_answers_each_order_whatever_comes_of_it(
    error: BaseException | None, reasons: dict[int, str]
) -> None:
    told, tell = multiprocessing.Pipe(duplex=False)
    for one in ORDERS:
        tell.send_bytes(pickle.dumps(one))
    tell.close()
    takes, answers = Takes(error), list[tuple[int, str]]()
    with told:
        take_orders(told, takes, lambda number, reason: answers.append((number, reason)))
    last = 4 if isinstance(error, SystemExit) else 5  # nobody knows what is served there
    assert answers == [(number, reasons.get(number, "")) for number in range(1, last + 1)]
    assert takes.done == ["one", "discard", "two", "serve", "three"][:last]


@pytest.mark.parametrize("why", ["refuses", "dies", "hangs"])
def test_when_one_cannot_open_it_none_serves_it(why: str) -> None:
    one = Rounded()
    one.go_on()
    one.answer(1)
    if why == "refuses":
        one.answer(2, "services.x: no")
    one.go_on(*([1] if why == "dies" else [1, 2]), now=PATIENCE if why == "hangs" else 1.0)
    assert one.round.over and not one.round.accepted
    assert one.orders(1, 2) == ["open", "discard"]
    words = {"refuses": "services.x: no", "dies": "A worker ended", "hangs": "within 60 s"}
    with pytest.raises(CannotServe, match=words[why]):
        one.round.wait()


def test_an_answer_to_an_earlier_order_is_none() -> None:
    one = Rounded()
    one.go_on()
    one.round.heard(1, one.round._number - 1, "")
    one.answer(2)
    one.go_on()
    assert not one.round.accepted


def test_a_worker_that_stood_still_hears_all_that_was_said_in_order() -> None:
    """Though a pipe does not hold so much: nobody waits for it, and nothing is mixed."""
    told, tell = multiprocessing.Pipe(duplex=False)
    pipe, long = OrderPipe(tell), [bytes([number]) * (1 << 20) for number in range(3)]
    said = [one for number in range(3) for one in (long[number], b"%d" % number)]
    for one in said:
        pipe.send_bytes(one)
    heard: list[bytes] = []
    within(lambda: heard.extend(told.recv_bytes() for _ in said))
    assert heard == said
    told.close()
    pipe.send_bytes(b"to one that has died")
    tell.close()


# telling it


class Reading(Reloads):
    """A server whose file a plugin cannot bear."""

    def __init__(self) -> None:
        super().__init__()
        self._plan = Plan(
            load=cast(Any, None), listen=(), workers=1, threads=1, read_again=self._fail
        )

    def _fail(self) -> Change:
        raise KeyError("a plugin's own")

    def _take_over(self, change: Change) -> None:
        raise AssertionError


def test_whatever_reading_it_again_raises_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CannotServe, match="KeyError, see the gateway's log"):
        Reading().reload()
    assert "a plugin's own" in caplog.text


@pytest.mark.usefixtures("sockets")
def test_who_runs_with_the_folder_is_told_and_says_how_it_ended(tmp_path: Path) -> None:
    told: list[str] = []

    def refuse() -> None:
        told.append("two")
        raise CannotServe("2 problems in x:\n  ü\n  b")

    assert control.reload(tmp_path) == []
    one = control.Control(tmp_path, lambda: told.append("one"), str(tmp_path / "one\udcff.toml"))
    two = control.Control(tmp_path, refuse, str(tmp_path / "two.toml"))
    one.start()
    done = Told("", str(tmp_path / "one\udcff.toml"))
    assert control.reload(tmp_path) == [done]
    two.start()
    wrong = Told("2 problems in x:\n  ü\n  b", str(tmp_path / "two.toml"))
    assert sorted(control.reload(tmp_path)) == [done, wrong]
    assert sorted(told) == ["one", "one", "two"]
    one.end()
    two.end()
    assert control.reload(tmp_path) == []
    assert [*(tmp_path / control.FOLDER).iterdir()] == []


@pytest.mark.usefixtures("sockets")
def test_who_reads_another_file_is_not_told(tmp_path: Path) -> None:
    """It would read its own again, and whoever asks would take that for the one they named."""
    told: list[str] = []
    own, other, link = (tmp_path / name for name in ("ö.toml", "other.toml", "link"))
    one = control.Control(tmp_path, lambda: told.append("one"), str(own))
    one.start()
    (said,) = control.reload(tmp_path, other)
    assert f"reads {own} again, not {other}: restart it" in said.reason and not told
    assert control.reload(tmp_path, own) == [Told("", str(own))]
    if sys.platform != "win32":
        own.touch()
        link.symlink_to(own)
        assert control.reload(tmp_path, link) == [Told("", str(own))]
    one.end()
    (tmp_path / control.FOLDER / "left").write_text('1 x "own"')  # by one that was killed
    assert control.reload(tmp_path, other) == []


@pytest.mark.usefixtures("sockets")
def test_who_does_not_know_the_token_is_told_nothing_and_changes_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    one = control.Control(tmp_path, lambda: told.append("one"), str(tmp_path / "one.toml"))
    one.start()
    (file,) = (tmp_path / control.FOLDER).iterdir()
    port = file.read_text().split()[0]
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        connection.sendall(b"0" * 64 + b"\n")
        assert connection.recv(100) == b""
    one.end()
    file.write_text(f'{port} {"0" * 64} "x.toml"')  # one that was killed left it
    assert control.reload(tmp_path) == []
    assert not told and not file.exists()


@pytest.mark.usefixtures("sockets")
def test_who_cannot_be_reached_is_told_of_and_stays_where_it_can_be(tmp_path: Path) -> None:
    """From another network, say, where its port is nobody's or another's."""
    told: list[str] = []
    one = control.Control(tmp_path, lambda: told.append("one"), str(tmp_path / "one.toml"))
    one.start()
    (file,) = (tmp_path / control.FOLDER).iterdir()
    port, rest = file.read_text().split(" ", 1)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        other = nobody.getsockname()[1]
    file.write_text(f"{other} {rest}")
    (said,) = control.reload(tmp_path)
    assert "does not answer here" in said.reason and file.exists()
    file.write_text(f"{port} {rest}")
    assert [one.reason for one in control.reload(tmp_path)] == [""] and told == ["one"]
    one.end()
    assert not file.exists()


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"1", b'99999999 x "y"', b'-1 x "y"', b'x y "z"', b"1 x y"]
)
def test_what_was_not_written_to_its_end_is_removed(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / control.FOLDER / "left"
    file.parent.mkdir()
    file.write_bytes(text)
    assert control.reload(tmp_path) == [] and not file.exists()

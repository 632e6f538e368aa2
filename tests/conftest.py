"""Which tests are quick, and what holds them to it.

`--quick` runs those that need none of these, each a fixture:

| fixture | the test |
|---|---|
| `sockets` | connects or listens, by itself or by a server in this process |
| `processes` | starts another process |
| `seconds` | needs more than a second of a processor |

A test says so itself (`@pytest.mark.usefixtures("processes")`), or its file does
(`pytestmark`), or its folder (an autouse fixture in its conftest.py), or a fixture that
it uses. Tests of a driver that several processes may have open need `processes`.

All others are quick, and each of them fails, in every run, at what it did not say that
it needs. So a new test is on the right side, or says at once that it is not.

`--pythons` runs besides the quick ones those in `OF_PYTHONS`.

Nothing that a test opens stays open: what is left to the collector is an error of the file that
left it, from Python 3.13 on, which tells of SQLite's connections too.

A test that needs one of them and fails has one more try, which the summary tells (RERUN):
other processes, the kernel and the time are not in its hand. A quick one has none.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from gateway.testing import Server

# No example is too slow: other processes and the machine decide how long one takes.
settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")

NEEDS = {"sockets", "processes", "seconds"}

NEEDED_FOR = {
    # audit event (docs.python.org/3/library/audit_events.html): what it needs
    "socket.bind": "sockets",
    "socket.connect": "sockets",
    "socket.sendto": "sockets",
    "subprocess.Popen": "processes",
    "os.fork": "processes",
    "os.forkpty": "processes",
    "os.posix_spawn": "processes",
    "os.spawn": "processes",
    "os.startfile": "processes",
    "os.system": "processes",
}

HERE = Path(__file__).parent
OF_PYTHONS = (
    # how processes begin and end, sockets and TLS, threads, what clients' libraries make of them
    *("e2e", "libraries", "modes/ftp", "testing", "conformance/test_local.py"),
    *("test_listeners.py", "test_reload.py", "test_server.py", "test_servers.py"),
    *("test_starts.py", "test_starting.py", "test_surroundings.py"),
)
"""Folders and files of what a newer Python may have otherwise, beside what the quick tests see."""


@pytest.fixture(scope="session")
def sockets() -> None:
    """For tests, and fixtures, that connect or listen."""


@pytest.fixture(scope="session")
def processes() -> None:
    """For tests, and fixtures, that start a process."""


@pytest.fixture(scope="session")
def seconds() -> None:
    """For tests that take long."""


@pytest.fixture(scope="session")
def gateway_server(sockets: None, gateway_server: Server) -> Server:
    """The one of the package's plugin; here it says what it needs."""
    return gateway_server


if sys.version_info >= (3, 13):

    @pytest.fixture(scope="module", autouse=True)
    def nothing_is_left_open() -> Iterator[None]:
        """Otherwise the collector comes during another file's test, and fails that."""
        yield
        gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without the collector, which finds nothing: what is made are tests and modules, that stay.
    They are not looked at later either."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_finish() -> None:
    """botocore reads what describes S3, megabytes of JSON, for each session, and s3fs has one for
    each file system: a third of a second, of which all but the first are saved."""
    if "botocore" in sys.modules:
        reader: Any = import_module("botocore.loaders").JSONFileLoader
        once = cache(partial(reader.load_file, reader()))
        reader.load_file = lambda _, path: once(path)


def is_quick(item: pytest.Item) -> bool:
    if NEEDS & set(getattr(item, "fixturenames", ())):
        return False
    of_a_driver = item.getparent(pytest.Class)
    return of_a_driver is None or not getattr(of_a_driver.obj, "processes", False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="no sockets, processes, seconds")
    parser.addoption("--pythons", action="store_true", help="and what Pythons have otherwise")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "libraries" not in item.path.parts)  # they say why others fail
    if config.getoption("reruns") is None:
        for item in items:
            if not is_quick(item):
                item.add_marker(pytest.mark.flaky(reruns=1))
    wanted = _of_pythons if config.getoption("pythons") else is_quick
    if config.getoption("quick") or config.getoption("pythons"):
        left_out = [item for item in items if not wanted(item)]
        items[:] = [item for item in items if wanted(item)]
        config.hook.pytest_deselected(items=left_out)


def _of_pythons(item: pytest.Item) -> bool:
    return is_quick(item) or any(item.path.is_relative_to(HERE / one) for one in OF_PYTHONS)


if sys.platform == "win32":  # makes pairs of sockets, and so event loops, by a connection
    NEEDED_FOR = {event: need for event, need in NEEDED_FOR.items() if need != "sockets"}


class _Held:
    thread: int | None = None
    """That of a quick test, while one runs."""


def _audit(
    event: str, arguments: tuple[object, ...], needed: Mapping[str, str] = NEEDED_FOR
) -> None:
    # `needed` is given here, for events still come when the module's names have gone.
    if event in needed and _Held.thread is not None:
        _refuse(needed[event], event)


def _refuse(need: str, what: str) -> None:
    # Threads that a server of an earlier test has left behind are not this test's.
    if threading.get_ident() == _Held.thread:
        pytest.fail(f"{what} in a quick test, which does not say that it needs `{need}`")


_start = BaseProcess.start


def _start_held(process: BaseProcess) -> None:
    _refuse("processes", "multiprocessing")  # which no audit event tells
    _start(process)


@contextmanager
def _holding(item: pytest.Item) -> Iterator[None]:
    if is_quick(item):
        _Held.thread = threading.get_ident()
    try:
        yield
    finally:
        _Held.thread = None


def pytest_configure() -> None:
    sys.addaudithook(_audit)  # for good: there is no way to remove one
    BaseProcess.start = _start_held  # type: ignore[method-assign, assignment]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    with _holding(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    with _holding(item):
        return (yield)

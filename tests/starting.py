"""Programs of this repository in processes of their own, without half a second of imports each.

On Linux each pytest process has a mother beside it: one that has imported what `gateway serve`
imports, and starts nothing. `Popen` and `run`, which are otherwise those of `subprocess`, have
her fork where `python -m MODULE` or `python -c PROGRAM` would be started: arguments, folder,
environment, streams and session are as they would be, it runs as `__main__`, and ends as an
interpreter does. It is a child of the test's, by the way that Linux has for orphans. Whatever
else is asked for, and all elsewhere, is started as it always was.

What imports do, what a start costs, and how a process looks from outside (`ps`) is what a
fork cannot show: tests of these start their own, as `test_starts.py` and `test_server.py`.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import inspect
import io
import os
import pickle
import runpy
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.stopping import OWN_CONSOLE

if TYPE_CHECKING:
    from gateway.plugins.finding import Plugins

ROOT = Path(__file__).parents[1]
SUBREAPER = 36
"""prctl(2), PR_SET_CHILD_SUBREAPER: orphans below become children of this process."""
LARGEST = 1 << 17
"""Bytes of an order: an environment has some thousand."""
AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_", "TZ")
"""Variables that an interpreter looks at before anything can change them."""


@dataclass(frozen=True, slots=True)
class Order:
    """`words` are those behind `python`."""

    words: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    session: bool


class Mother:
    """Of the tests' side: one for a process, made when it is first asked."""

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None).prctl
        ours, hers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket, self._lock = ours, threading.Lock()
        self.at_start = _at_start(os.environ)
        bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with hers:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.starting", str(hers.fileno())],
                cwd=ROOT,
                env=bare,
                pass_fds=[hers.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.end)

    def start(self, order: Order, streams: Sequence[int]) -> int:
        """The number of a process that is a child of this one."""
        with self._lock:
            self._prctl(SUBREAPER, 1, 0, 0, 0)
            try:
                socket.send_fds(self._socket, [pickle.dumps(order)], streams)
                born = self._socket.recv(LARGEST)
            finally:
                self._prctl(SUBREAPER, 0, 0, 0, 0)
        assert born, "the mother of processes has ended: see what she wrote"
        return int(born)

    def end(self) -> None:
        self._socket.close()
        self._process.wait()


_mothers: list[Mother] = []


def _mother() -> Mother:
    if not _mothers:
        _mothers.append(Mother())
    return _mothers[0]


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH is none of them: the mother has none, and her children take theirs."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(AT_START) and name != "PYTHONPATH"
    }


class Popen(subprocess.Popen[Any]):
    """That of `subprocess`, see above. On Windows it can be told to end (`tests.stopping`)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if sys.platform == "win32":
            options.setdefault("creationflags", OWN_CONSOLE)
        super().__init__(*arguments, **options)

    def _execute_child(self, *arguments: Any) -> None:
        if sys.platform == "linux":
            given = inspect.signature(subprocess.Popen._execute_child).bind(self, *arguments)  # type: ignore[attr-defined]
            if (found := _order(given.arguments)) is not None:
                return self._forked(given.arguments, found)
        super()._execute_child(*arguments)  # type: ignore[misc]
        return None

    def _forked(self, given: Mapping[str, Any], order: Order) -> None:
        sys.audit("subprocess.Popen", sys.executable, given["args"], given["cwd"], given["env"])
        self.pid = _mother().start(order, _streams(given))
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in PIPES))  # type: ignore[attr-defined]


PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
ORDINARY = {
    "executable": None, "preexec_fn": None, "close_fds": True, "pass_fds": (), "shell": False,
    "gid": None, "gids": None, "uid": None, "umask": -1, "process_group": -1,
}  # fmt: skip


def _order(given: Mapping[str, Any]) -> Order | None:
    """None: it is not one of those that can be forked."""
    words = given["args"]
    if not isinstance(words, list | tuple) or words[0] != sys.executable or len(words) < 3:
        return None
    if words[1] not in ("-m", "-c") or words[1:3] == ["-m", "pytest"]:
        return None
    if any(given[name] != usual for name, usual in ORDINARY.items()):
        return None
    environ = dict(os.environ if given["env"] is None else given["env"])
    folder = Path(given["cwd"] or "").absolute()
    if any(map(os.isatty, _streams(given))) or not folder.is_dir():
        return None
    if _at_start(environ) != _mother().at_start:
        return None
    return Order(list(map(str, words[1:])), str(folder), environ, given["start_new_session"])


def _streams(given: Mapping[str, Any]) -> list[int]:
    """For 0, 1 and 2; those of this process where none were given."""
    theirs = (given[name] for name in ("p2cread", "c2pwrite", "errwrite"))
    return [own if one == -1 else one for own, one in enumerate(theirs)]


def run(
    words: Sequence[str],
    *,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """That of `subprocess`."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    with Popen(words, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(words, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


# the mother's side


def _bear(orders: socket.socket) -> Order | None:
    """In each child: what it is to do. None: there are no more, and this is the mother."""
    while True:
        message, streams, _, _ = socket.recv_fds(orders, LARGEST, 3)
        if not message:
            return None
        told, tell = os.pipe()
        held, go = os.pipe()
        if not (between := os.fork()):
            if not (child := os.fork()):
                os.close(go)
                os.read(held, 1)  # until it has its parent
                for one in (told, tell, held):
                    os.close(one)
                orders.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                    os.close(stream)
                return pickle.loads(message)  # type: ignore[no-any-return]
            os.write(tell, str(child).encode())
            os._exit(0)
        os.waitpid(between, 0)  # then the child is an orphan
        orders.send(os.read(told, 20))
        for one in (told, tell, held, go, *streams):
            os.close(one)


def _become(order: Order) -> None:
    if order.session:
        os.setsid()
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environ)
    kind, what, *others = order.words
    sys.argv[:] = [kind, *others]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _as_at_start(number, getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.path[0] = order.folder if kind == "-m" else ""
    if places := order.environ.get("PYTHONPATH"):
        sys.path[1:1] = [str(Path(one).absolute()) for one in places.split(os.pathsep)]
    import multiprocessing.process

    multiprocessing.process.ORIGINAL_DIR = order.folder  # type: ignore[attr-defined]
    sys.modules["__main__"] = types.ModuleType("__main__")
    if kind == "-m":
        runpy._run_module_as_main(what)  # type: ignore[attr-defined]
    else:
        exec(compile(what, "<string>", "exec"), sys.modules["__main__"].__dict__)


def _as_at_start(number: int, hers: io.TextIOWrapper) -> io.TextIOWrapper:
    """What is written there has not been looked at yet: whether it can seek, say."""
    raw = io.FileIO(number, "w" if number else "r", closefd=False)
    bare = number and hers.write_through  # PYTHONUNBUFFERED
    inner: Any = raw if bare else io.BufferedWriter(raw) if number else io.BufferedReader(raw)
    return io.TextIOWrapper(
        inner,
        hers.encoding,
        hers.errors,
        newline="\n" if number else None,
        line_buffering=hers.line_buffering,
        write_through=hers.write_through,
    )


def _prepare() -> None:
    """Import what a gateway has imported when it serves: a first child opens one, and tells."""
    from gateway.commands.main import parser_for
    from gateway.plugins.finding import Plugins

    parser_for(["serve"])
    plugins = Plugins.load()
    told, tell = os.pipe()
    if not (child := os.fork()):
        _open_one(plugins)
        os.write(tell, " ".join(sys.modules).encode())
        os._exit(0)
    os.close(tell)
    with os.fdopen(told, encoding="utf-8") as names:
        found = names.read().split()
    os.waitpid(child, 0)
    for name in found:
        if name not in sys.modules:
            with suppress(ImportError):  # a name that is not where it says
                import_module(name)
    gc.collect()
    gc.freeze()


def _open_one(plugins: Plugins) -> None:
    from gateway.config import load
    from gateway.servers.worker import open_worker

    for name in ("waitress.server", "gateway.servers.granian_parent"):
        with suppress(ImportError):  # where it is not to be had
            import_module(name)
    configuration = load(tables={"server": {"memory": True}}, environ={}, plugins=plugins)
    open_worker(configuration, "waitress", 1, None)


if __name__ == "__main__":
    _prepare()
    kept = sys.modules["__main__"]
    with suppress(KeyboardInterrupt):
        if (wanted := _bear(socket.socket(fileno=int(sys.argv[1])))) is not None:
            _become(wanted)

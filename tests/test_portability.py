"""What would break on Windows, found out elsewhere.

The lock's Windows half runs on a stand-in for `msvcrt`; the sources are read for
names that Windows does not have; and what a store leaves on disk is looked at.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from drivers.local import Local
from gateway.storage import BytesBody, Context, PartRef, Put, pieces

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for top in ("gateway", "drivers") for path in (ROOT / top).rglob("*.py"))

# the lock


def windows_locks() -> Any:
    """`gateway.common.locks` as Windows imports it."""
    before, before_module = sys.platform, sys.modules.get("msvcrt")
    spec = importlib.util.spec_from_file_location(
        "locks_of_windows", ROOT / "gateway" / "common" / "locks.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        if before != "win32":
            sys.platform, sys.modules["msvcrt"] = "win32", _msvcrt()
        spec.loader.exec_module(module)
    finally:
        sys.platform = before
        if before_module is None and before != "win32":
            del sys.modules["msvcrt"]
    return module


def _msvcrt() -> ModuleType:
    """`locking` as Microsoft documents it: bytes from the file's position on, an error at once."""
    if sys.platform == "win32":
        raise AssertionError("Windows has the real one")
    import fcntl

    standin: Any = ModuleType("msvcrt")
    standin.LK_UNLCK, standin.LK_NBLCK = 0, 2

    def locking(handle: int, mode: int, size: int) -> None:
        what = {0: fcntl.LOCK_UN, 2: fcntl.LOCK_EX | fcntl.LOCK_NB}[mode]
        fcntl.lockf(handle, what, size, 0, os.SEEK_CUR)

    standin.locking = locking
    return standin  # type: ignore[no-any-return]  # Any, so that it can be filled


def child(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hold(path: Path) -> None:
    """Hold the lock until stdin ends."""
    lock = windows_locks().FileLock(path)
    print("held" if lock.try_acquire() else "taken", flush=True)
    sys.stdin.read()


def count(path: Path, times: int) -> None:
    """Add one to a number that is read and written without any care but the lock."""
    lock, number = windows_locks().FileLock(path), path.with_suffix(".number")
    for _ in range(times):
        lock.acquire()
        number.write_text(str(int(number.read_text()) + 1))
        lock.release()


@pytest.mark.usefixtures("processes")
def test_the_windows_lock_is_refused_while_another_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = windows_locks().FileLock(path)
    with child("hold", path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not lock.try_acquire()
        holder.kill()  # it goes with its process
    assert lock.try_acquire()
    with child("hold", path) as late:
        assert late.communicate("")[0] == "taken\n"
    lock.release()
    with child("hold", path) as later:
        assert later.communicate("")[0] == "held\n"
    lock.close()


@pytest.mark.usefixtures("processes")
def test_the_windows_lock_lets_one_process_in_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.with_suffix(".number").write_text("0")
    counting = [child("count", path, 300) for _ in range(2)]
    for one in counting:
        one.communicate()
        assert one.returncode == 0
    assert path.with_suffix(".number").read_text() == "600"


# the sources

POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"}
POSIX_NAMES = {
    "os": {
        *("fork", "forkpty", "getuid", "geteuid", "getgid", "setsid", "killpg", "getpgid"),
        *("chown", "fchown", "mkfifo", "pread", "pwrite", "sendfile", "fdatasync", "sync"),
        *("posix_fadvise", "posix_fallocate", "register_at_fork", "wait", "statvfs"),
        *("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_DSYNC", "sched_getaffinity"),
        "sched_setaffinity",
        "rename",  # is there, but refuses a target that exists: os.replace does not
    },
    "signal": {
        *("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGALRM", "SIGPIPE", "SIGQUIT"),
        *("alarm", "setitimer", "sigwait", "pthread_sigmask", "pthread_kill", "SIG_BLOCK"),
    },
    "socket": {"AF_UNIX", "SO_REUSEPORT", "TCP_USER_TIMEOUT", "TCP_KEEPIDLE"},
}
NOT_ON_WINDOWS = {
    ROOT / "gateway" / "servers" / name
    for name in ("granian.py", "granian_inside.py", "tls_front.py")
}
"""Their functions are not called there; but the first file is imported."""


MENTIONED = re.compile(
    rf"\b({'|'.join(POSIX_MODULES)})\b|\bfrom ({'|'.join(POSIX_NAMES)}) "
    + "".join(rf"|\b{module}\.({'|'.join(names)})\b" for module, names in POSIX_NAMES.items())
)
"""What a text has in it that may need POSIX: few files are looked at closely."""


def scanned(path: Path, *, bodies: bool) -> list[str]:
    text = path.read_text("utf-8")
    if not MENTIONED.search(text):
        return []
    found = posix_only(ast.parse(text), bodies=bodies)
    return [f"{path.relative_to(ROOT)}:{line} {name}" for line, name in found]


def posix_only(tree: ast.Module, *, bodies: bool) -> Iterator[tuple[int, str]]:
    """Line and name of what Windows does not have, except below `if sys.platform …`.

    Not `bodies`: only what runs when the module is imported.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield from (
            (node.lineno, name) for name in _names(node) if isinstance(node, ast.stmt | ast.expr)
        )
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If | ast.IfExp) and "platform" in ast.unparse(node.test):
            inner = []
        if isinstance(node, ast.FunctionDef) and not bodies:
            inner = [*node.decorator_list, *node.args.defaults]
        if isinstance(node, ast.Lambda) and not bodies:
            inner = []
        waiting += inner


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names if one.name in POSIX_MODULES)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        if node.module in POSIX_MODULES:
            yield str(node.module)
        known = POSIX_NAMES.get(node.module or "", set())
        yield from (f"{node.module}.{one.name}" for one in node.names if one.name in known)
    elif (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in POSIX_NAMES.get(node.value.id, ())
    ):
        yield f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("from pwd import getpwnam", ["pwd"]),
        ("import signal\nx = [signal.SIGKILL]", ["signal.SIGKILL"]),
        ("import os\nclass A:\n  f = os.fork", ["os.fork"]),
        ("import os\ndef f(x=os.getuid): pass", ["os.getuid"]),
        ("import os\ndef f(): os.rename(1, 2)", []),
        ("import sys\nif sys.platform == 'win32':\n  import msvcrt\nelse:\n  import fcntl", []),
    ],
)
def test_the_scan_finds_what_it_should(source: str, found: list[str]) -> None:
    assert [name for _, name in posix_only(ast.parse(source), bodies=False)] == found
    assert not found or MENTIONED.search(source)


def test_no_module_needs_posix() -> None:
    found = [scanned(path, bodies=path not in NOT_ON_WINDOWS) for path in SOURCES]
    assert not any(found), found


OF_THE_CLOCK = {
    "gateway/commands/kms.py",
    "gateway/common/signing.py",
    "gateway/modes/s3/configuration/policy/facts.py",
    "gateway/modes/s3/delivery/access_lines.py",
    "gateway/modes/s3/delivery/access_logs.py",
    "gateway/modes/s3/delivery/events.py",
    "gateway/modes/s3/signatures/claims.py",
    "gateway/services/certificate_editor.py",
    "gateway/telemetry/access_log.py",
    "gateway/telemetry/logs.py",
}
"""They say what this machine's clock said. Dates that others name may be any (`common.moments`)."""


def test_dates_of_others_may_be_before_1970_and_beyond_3000() -> None:
    asking = re.compile(r"\b(gmtime|localtime|fromtimestamp)\(")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if asking.search(path.read_text("utf-8"))
    }
    assert found <= OF_THE_CLOCK


def test_no_test_needs_posix_to_be_looked_for() -> None:
    """One that is only for POSIX is skipped, and its file is read all the same."""
    found = [scanned(path, bodies=False) for path in sorted((ROOT / "tests").rglob("*.py"))]
    assert not any(found), found


# what a store leaves on disk

ODD_KEYS = [
    "CON", "nul.txt", "aux", "a:b", "a\\b", "c:\\windows", "trailing.", "trailing ", " ", "..",
    "../../up", "/absolute", "a//b", "a/", "a", "A", "é", "e\u0301", "📁", "<>|?*\"'",
    "\x01\x1f\x7f",    "%2e%2e/", "-rf", "~", "$HOME", "x" * 1024, "d/" * 512, "é" * 512,
]  # fmt: skip
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def test_no_key_shows_in_the_paths_of_a_data_folder(tmp_path: Path) -> None:
    store = Local(keep_versions="forever", inline_limit=16)
    store.open(Context(sid="bucket", folder=tmp_path))
    for key in ODD_KEYS:
        for body in (b"in the index", b"in a file: " + key.encode()):
            store.put(key, BytesBody(body), Put(size=len(body)))
        upload = store.begin(key)
        part = store.put_part(key, upload.id, 1, BytesBody(b"part" * 9), Put(size=36))
        if len(key) % 2:  # others stay unfinished
            store.complete(key, upload.id, [PartRef(number=1, etag=part.etag)])
    for key in ODD_KEYS:
        with store.get(key) as found:
            expected = b"part" * 9 if len(key) % 2 else b"in a file: " + key.encode()
            assert b"".join(pieces(found.body)) == expected
    paths = [path.relative_to(tmp_path) for path in tmp_path.rglob("*")]
    store.close()
    assert len(paths) > len(ODD_KEYS)  # there are files at all
    assert max(len(str(path)) for path in paths) < 200
    for path in paths:
        for part_of_path in path.parts:
            assert re.fullmatch(r"[A-Za-z0-9._-]*[A-Za-z0-9_-]", part_of_path), path
            assert not RESERVED.fullmatch(part_of_path), path
    folded = [str(path).lower() for path in paths]
    assert len(set(folded)) == len(folded)  # nothing that differs by case only


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(Path(sys.argv[2]))
    else:
        count(Path(sys.argv[2]), int(sys.argv[3]))


OPENED_PLAINLY = {
    # what the operator has, and reads and writes by name
    "gateway/catalog/secrets.py": "the master key: made once, and never removed",
    "gateway/commands/certificates.py": "",
    "gateway/commands/windows_service.py": "",
    "gateway/commands/windows_services.py": "",
    "gateway/config/load.py": "",
    "gateway/config/secret_texts.py": "",
    "gateway/services/unsafe.py": "",
    # devices, folders, sockets, and what a system tells by files
    "gateway/__main__.py": "",
    "gateway/commands/main.py": "",
    "gateway/common/commit_watch.py": "SQLite's, on POSIX",
    "gateway/common/cpu_quota.py": "",
    "gateway/common/system.py": "",
    "gateway/servers/granian_worker.py": "",
    "gateway/servers/reloading.py": "",
    "gateway/servers/tls_front.py": "",
    "drivers/indexed/sql_errors.py": "",
    # what the package brings
    "gateway/modes/console/static_files.py": "",
    "gateway/web/api/page/__init__.py": "",
    # a file that nobody else has open by then
    "gateway/common/private.py": "databases, before SQLite has them",
    "gateway/common/reserve.py": "one at a time has it, and it is waited for",
    "gateway/telemetry/metrics.py": "a draft",
    "drivers/cache/stock.py": "before the cache is open",
    "drivers/fsspec/drafts.py": "a draft",
    "drivers/fsspec/files.py": "a draft",
    "drivers/fsspec/local.py": "drafts; and what is waited for",
    # what fails is told, and tried again
    "gateway/telemetry/log_file.py": "",
    # these calls themselves
    "gateway/common/open_files.py": "",
    "gateway/common/windows_files.py": "",
}
"""Files that open or remove files by Python's own calls: what they open is not removed, nor
replaced, while somebody reads it (`gateway.common.open_files`)."""


def test_what_may_go_while_it_is_open_is_opened_in_one_place() -> None:
    of_os = {"open", "unlink", "remove", "replace", "rename"}
    of_paths = {"read_bytes", "read_text", "write_text", "write_bytes", "unlink"}
    found: dict[str, list[int]] = {}
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("gateway/testing/"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            said = ast.unparse(node.func)
            opener = any(word.arg == "opener" for word in node.keywords)
            called = said.rpartition(".")
            if (
                (said == "open" and not opener)
                or (called[0] == "os" and called[2] in of_os)
                or (called[2] in of_paths and called[0] not in ("", "private"))
            ):
                found.setdefault(name, []).append(node.lineno)
    assert {name: lines for name, lines in found.items() if name not in OPENED_PLAINLY} == {}
    assert OPENED_PLAINLY.keys() - found.keys() == set()


def test_nobody_takes_what_may_not_be_looked_at_for_missing() -> None:
    """As `Path.exists()` does from Python 3.14 on: `gateway.common.looking` raises."""
    asked = {"exists", "is_file", "is_dir"}
    mentioned = re.compile(rf"\.({'|'.join(asked)})\(\s*\)")
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for top in ("gateway", "drivers")
        for path in sorted((ROOT / top).rglob("*.py"))
        if "testing" not in path.parts
        if mentioned.search(text := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in asked and not (node.args or node.keywords)
    ]
    assert not found

"""A process that is forked is as one that is started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import starting

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux has them forked"),
]

PROGRAM = """
import json, os, signal, sys, threading
seen = {
    "argv": sys.argv, "path": sys.path, "folder": os.getcwd(), "environ": dict(os.environ),
    "name": __name__, "parent": os.getppid(),
    "main": sorted(one for one in vars(sys.modules["__main__"]) if one[0] != "_"),
    "leads": os.getsid(0) == os.getpid(), "threads": threading.active_count(),
    "files": [one for one in range(64) if os.path.exists(f"/proc/self/fd/{one}")],
    "signals": [str(signal.getsignal(one)) for one in (2, 13, 15)],
    "streams": [
        [one.fileno(), one.encoding, one.errors, one.line_buffering, one.write_through,
         type(one.buffer).__name__, one.newlines, one.seekable()]
        for one in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "said": sys.stdin.read(),
}
print(json.dumps(seen))
print("complaint", file=sys.stderr)
sys.exit(3)
"""


def told(way: Any, words: list[str], **options: Any) -> tuple[int, dict[str, Any], str]:
    done = way([sys.executable, *words], capture_output=True, text=True, **options)
    return done.returncode, json.loads(done.stdout), done.stderr


def same(words: list[str], **options: Any) -> tuple[int, dict[str, Any], str]:
    forked, started = (told(way, words, **options) for way in (starting.run, subprocess.run))
    for name, seen in started[1].items():
        assert forked[1][name] == seen, name
    assert forked == started
    return forked


@pytest.mark.parametrize("session", [False, True])
def test_it_sees_and_ends_as_one_that_is_started(tmp_path: Path, session: bool) -> None:
    options = {
        "cwd": tmp_path,
        "env": {**os.environ, "GATEWAY_SAID": "so", "PYTHONPATH": f"{tmp_path}{os.pathsep}there"},
        "start_new_session": session,
        "input": "a line\n",
    }
    words = ["-c", PROGRAM, "one", "two"]
    code, seen, _ = same(words, **options)
    assert (code, seen["parent"], seen["leads"]) == (3, os.getpid(), session)


def test_a_module_is_the_main_one(tmp_path: Path) -> None:
    (tmp_path / "said.py").write_text(PROGRAM)
    words = ["-m", "said", "one"]
    options = {"cwd": tmp_path, "env": dict(os.environ), "input": ""}
    assert same(words, **options)[1]["name"] == "__main__"


def test_it_has_no_imports_to_wait_for_and_an_ordinary_one_has() -> None:
    words = [sys.executable, "-c", "import sys; print('gateway.commands.serve' in sys.modules)"]
    forked, started = (way(words, capture_output=True) for way in (starting.run, subprocess.run))
    assert (forked.stdout, started.stdout) == (b"True\n", b"False\n")
    elsewhere = starting.run(words, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    assert elsewhere.stdout == b"False\n"


def test_it_is_killed_waited_for_and_its_orphans_are_nobodys() -> None:
    program = """
import os, sys, time
child = os.fork()
if child: print(child, flush=True)
time.sleep(600)
"""
    with starting.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())  # type: ignore[union-attr]
        process.kill()
        assert process.wait() == -signal.SIGKILL
        parent = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1]
        os.kill(child, signal.SIGKILL)
        assert int(parent) != os.getpid()

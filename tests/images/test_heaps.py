"""What decoders have freed is not kept by each thread."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, sys, threading
from drivers.image import heaps
if sys.argv[2] == "few":
    heaps.few()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
together = threading.Barrier(6)

def work():
    together.wait()
    libc.malloc(50_000)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(6)]
for one in threads: one.start()
for one in threads: one.join()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"),
    reason="this C library has one heap",
)
def test_there_are_a_few_unless_the_environment_says_how_many(
    tmp_path: Path, processes: None
) -> None:
    def heaps(how: str, **more: str) -> int:
        told = tmp_path / "told.xml"
        environment = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"} | more
        command = [sys.executable, "-c", PROGRAM, str(told), how]
        subprocess.run(command, check=True, env=environment)
        return told.read_text(encoding="utf-8").count("<heap nr=")

    assert heaps("few") == 2
    assert heaps("as many as there are threads") > 2
    assert heaps("few", MALLOC_ARENA_MAX="1") == 1

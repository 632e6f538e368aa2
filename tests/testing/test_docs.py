"""docs/testing.md is true: its examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import pytest_plugin
from gateway.testing import Server
from tests.code_blocks import ROOT, blocks, write

pytestmark = pytest.mark.usefixtures("sockets", "processes")

DOCUMENT = "docs/testing.md"


def test_its_examples_pass(tmp_path: Path) -> None:
    files = write(DOCUMENT, tmp_path)
    assert len(files) >= 6
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_s3fs_finds_it() -> None:
    pytest.importorskip("s3fs")
    (code,) = (one.code for one in blocks(DOCUMENT) if one.code.startswith("import s3fs"))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_it_names_every_fixture_and_all_that_a_server_has() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    fixtures = [name for name in vars(pytest_plugin) if name.startswith("gateway_")]
    public = [name for name in vars(Server) if not name.startswith("_")]
    assert len(fixtures) >= 4
    assert not [name for name in fixtures if f"| `{name}` |" not in text]
    assert not [name for name in public if f"`{name}" not in text]

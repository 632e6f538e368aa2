"""plugins.md is true: its blocks are one package, which is installed, checked and tested."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.plugins.finding import hook_names
from gateway.storage import CAPABILITIES
from tests.code_blocks import ROOT, blocks, write
from tests.installing import install

pytestmark = pytest.mark.usefixtures("processes")

DOCUMENT = "plugins.md"
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Package:
    """The package of the document, installed into a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.source, site = folder / "source", folder / "site"
        self.files = write(DOCUMENT, self.source)
        (self.source / "pictures").mkdir()  # whatever else lies in a folder where people work
        (self.source / "pictures" / "note.txt").write_text("not ours", encoding="utf-8")
        install(self.source, site)
        self._environ = {**os.environ, "PYTHONPATH": str(site)}

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=cwd or self.source,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package(tmp_path_factory.mktemp("plugins-md"))


def test_every_block_is_a_file_of_the_package_or_runs_by_itself() -> None:
    found = blocks(DOCUMENT)
    alone = [one.code for one in found if not one.file and one.language == "python"]
    assert alone
    assert {one.language for one in found if one.file} == {"python", "toml"}
    for code in alone:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_driver_of_thirty_lines_has_about_thirty() -> None:
    (code,) = (one.code for one in blocks(DOCUMENT) if one.file == "zip_store/archive.py")
    body = code[code.index("@dataclass") : code.index("def describe")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30


def test_its_tests_pass(package: Package) -> None:
    done = package.run("pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_to_be_typed_works(package: Package, tmp_path: Path) -> None:
    (typed,) = (one.code for one in blocks(DOCUMENT) if one.language == "sh")
    exports = [line for line in typed.splitlines() if line.startswith("export ")]
    assert exports == re.findall(r"^export AWS_.*$", README, re.MULTILINE)
    assert typed.index("gateway serve") < typed.index("export ") < typed.index("aws s3 ls")
    (packing,) = (line for line in typed.splitlines() if "zipfile" in line)
    assert package.run(*packing.split()[2:]).returncode == 0
    done = package.run("gateway", "check", "--config", str(package.source / "gateway.toml"))
    assert done.returncode == 0, done.stderr
    assert "shown (read-only) → desk (scratch)" in done.stdout
    listed = package.run("gateway", "drivers", cwd=tmp_path)
    assert "zip (store, of the plugin zip-store: zip_store.archive)" in listed.stdout
    assert "from zip-store 1.0.0" in listed.stdout


def test_it_names_every_hook_and_capability_once() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    for name in [*hook_names(), *(one.__name__ for one in CAPABILITIES)]:
        assert text.count(f"\n| `{name}` |") == 1, name

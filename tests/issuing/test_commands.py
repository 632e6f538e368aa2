"""`gateway certificates order`, `status` and `release`, and what `export` says of orders."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("acme", reason="needs the extra `acme`")

from gateway.catalog import Catalog, open_catalog
from gateway.commands.main import main
from gateway.config import load
from gateway.storage import Secret
from gateway.storage.objects import now
from gateway.testing.certificates import certificate

FILE = """
[server]
data = "data"
listen = ["127.0.0.1:9000"]
[acme]
directory = "https://127.0.0.1:9/dir"
terms_agreed = true
names = "declared.test"
eab_key_id = "kid-1"
eab_key = "c2VjcmV0LW9mLWVhYg"
"""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    file = tmp_path / "gateway.toml"
    file.write_text(FILE, "utf-8")

    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--config", str(file)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def catalog(run: Run, tmp_path: Path) -> Iterator[Catalog]:
    assert run("certificates", "order", "a.test")[0] == 0
    found = open_catalog(load(tmp_path / "gateway.toml"))
    yield found
    found.close()


def test_what_came_of_orders_is_said(run: Run, catalog: Catalog, tmp_path: Path) -> None:
    code, said = run("certificates", "order", "b.test", "A.TEST")
    assert code == 0 and "a.test  waiting         now" in said and "b.test  waiting" in said
    assert "A gateway that runs orders them" in said
    rows, at = catalog.orders(), now()
    words = 'Get "http://b.test/": \x1b[31mrefused'
    failed = replace(rows["b.test"], state="failed", problem=words, code="connection", due=at)
    catalog.set_order(failed)
    cert, key = certificate(tmp_path, "a.test", 90)
    issued = replace(rows["a.test"], state="issued", expires=at + 90 * 86_400_000, due=at)
    catalog.set_order(issued, cert.read_text(), Secret(key.read_text()))
    assert run("certificates", "status", "a.test")[0] == 0
    code, said = run("certificates", "status")
    assert code == 1 and "\x1b" not in said
    assert 'connection: Get "http://b.test/"' in said
    code, said = run("certificates", "status", "a.test", "never.test")
    assert code == 1 and "never.test was never ordered" in said
    assert "acme/a.test" in run("certificates")[1]
    code, said = run("certificates", "show", "acme/a.test")
    assert code == 0 and "was ordered, and is renewed" in said and "PRIVATE" not in said
    code, said = run("certificates", "release", "a.test")
    assert code == 0 and "released" in said
    code, said = run("certificates", "order", "*.a.test")
    assert code == 1 and "a public host name" in said


def test_without_an_authority_it_is_said_how_to_have_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[server]\ndata = "data"\n', "utf-8")
    code, said = run("certificates", "order", "a.test")
    assert code == 1 and "it has no table [acme]" in said


def test_what_was_ordered_is_in_what_is_exported(
    run: Run, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its certificate is not: the other gateway orders its own."""
    row, at = catalog.orders()["a.test"], now()
    cert, key = certificate(tmp_path, "a.test", 90)
    issued = replace(row, state="issued", expires=at + 90 * 86_400_000)
    catalog.set_order(issued, cert.read_text(), Secret(key.read_text()))
    code, said = run(
        *("export", "-o", str(tmp_path / "out.toml"), "--secrets", str(tmp_path / "secrets"))
    )
    assert code == 0, said
    found = tomllib.loads((tmp_path / "out.toml").read_text("utf-8"))
    assert "c2VjcmV0LW9mLWVhYg" not in (tmp_path / "out.toml").read_text("utf-8")
    monkeypatch.setenv(found["acme"].pop("eab_key_env"), "c2VjcmV0LW9mLWVhYg")
    assert found["acme"] == {
        "directory": "https://127.0.0.1:9/dir",
        "terms_agreed": True,
        "names": ["declared.test", "a.test"],
        "eab_key_id": "kid-1",
    }
    assert "acme/" not in said
    assert not list((tmp_path / "secrets").glob("*a.test*"))
    assert load(tmp_path / "out.toml").acme is not None

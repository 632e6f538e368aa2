"""What every mode must have, read from its tables: also those that are yet to come."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from gateway import modes
from gateway.modes import AtPaths, Documented
from gateway.plugins.finding import Plugins
from gateway.storage import StorageError

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = Plugins.load()
MODES = PLUGINS.modes
OURS = sorted(name for name, mode in MODES.items() if type(mode).__module__.startswith("gateway."))


def errors(kind: type[StorageError] = StorageError) -> Iterator[type[StorageError]]:
    yield kind
    for one in kind.__subclasses__():
        if one.__module__ == StorageError.__module__:
            yield from errors(one)


def test_there_are_modes() -> None:
    assert {"s3", "standard"} <= set(OURS)


def folder_of(name: str) -> str:
    """Where the mode is: a folder may have several."""
    return type(MODES[name]).__module__.rpartition(".")[2]


def test_every_folder_of_a_mode_is_a_mode() -> None:
    """Or speaks a protocol of its own."""
    (folder,) = modes.__path__
    found = {one.name for one in Path(folder).iterdir() if (one / "__init__.py").exists()}
    within = f"{modes.__name__}."
    listeners = {
        one.__module__.removeprefix(within).partition(".")[0]
        for one in PLUGINS.listeners.values()
        if one.__module__.startswith(within)
    }
    assert found == set(map(folder_of, OURS)) | listeners


@pytest.mark.parametrize("name", sorted(set(map(folder_of, OURS))))
def test_a_mode_has_an_answer_to_every_error_of_a_store(name: str) -> None:
    codes = import_module(f"gateway.modes.{name}.errors").CODES
    found = {one.__name__: next(kind for kind in one.__mro__ if kind in codes) for one in errors()}
    assert [name for name, kind in found.items() if kind is StorageError] == ["StorageError"]
    known = import_module(f"gateway.modes.{name}.problems")
    table = known.TABLE if hasattr(known, "TABLE") else known.PROBLEMS
    for code in codes.values():
        status = table[code][0]
        assert 300 <= status < 600, code


@pytest.mark.parametrize("name", OURS)
def test_a_mode_is_documented(name: str) -> None:
    mode = MODES[name]
    pages = (ROOT / "docs" / f"{folder_of(name)}.md").exists()
    readme = (ROOT / "README.md").read_text("utf-8").lower()
    assert f"{name} " in readme
    assert pages or isinstance(mode, Documented)


@pytest.mark.parametrize("name", OURS)
def test_a_mode_claims_by_what_is_its_own(name: str) -> None:
    headers = {"s3": "HTTP_X_AMZ_DATE", "standard": "HTTP_X_OWNCDN_KEY"}
    claims = MODES[name].claims
    if isinstance(MODES[name], AtPaths):  # asked only there
        assert not claims({"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=x", "PATH_INFO": ""})
        return
    for other, header in headers.items():
        assert claims({header: "x"}) is (other == name)
    assert not claims({"QUERY_STRING": ""})

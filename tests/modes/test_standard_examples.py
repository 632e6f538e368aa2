"""The examples of the documents, as they are printed, run against a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.modes.standard.documents import API
from gateway.modes.standard.functions import TABLE
from gateway.web.api.page import examples, languages
from gateway.web.api.table import Function
from tests.modes.standard_gateway import ROOT, Served

PICTURE = b"not really a picture"
BY_KIND = {one.kind: one for one in languages.LANGUAGES}
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "sh": ("curl", ["sh", "example.sh"]),
    "py": (sys.executable, [sys.executable, "example.py"]),
    "mjs": ("node", ["node", "example.mjs"]),
    "php": ("php", ["php", "example.php"]),
}


def run(folder: Path, command: list[str]) -> str:
    environment = os.environ | {"GATEWAY_KEY": ROOT, "no_proxy": "*"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def prepared(api: Served, function: Function[Any], path: str) -> tuple[str, dict[str, str]]:
    """(address, parameters), with what the example needs there already."""
    values = examples.shown(function)
    if "sid" in values:
        values["sid"] = "cached" if function.name == "flush" else "kept"
    if "path" in values:
        values["path"] = path
        if not function.body:
            assert api.put("kept", path, PICTURE).status == 201
    return examples.url(function, api.url, values), values


def check(
    api: Served, function: Function[Any], values: dict[str, str], folder: Path, out: str
) -> None:
    """What the example did can be seen."""
    path = values.get("path", "")
    if function.name == "getfile":
        assert (folder / languages.FILE).read_bytes() == PICTURE
    elif function.name == "uploadfile":
        got = api.call("getfile", sid="kept", path=path)
        assert (got.body, got.headers["content-type"]) == (PICTURE, "image/jpeg")
    elif function.name == "deletefile":
        assert api.call("getfile", sid="kept", path=path).status == 404
    if function.answer:
        assert function.answer[0].name in out


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
@pytest.mark.parametrize("kind", COMMANDS)
def test_an_example_does_what_it_says(
    api: Served, folder: str, tmp_path: Path, kind: str, function: Function[Any]
) -> None:
    binary, command = COMMANDS[kind]
    if shutil.which(binary) is None:
        pytest.skip(f"{binary} is not installed")
    address, values = prepared(api, function, f"{folder}ü 'x'.jpg")
    program = examples.program(API, BY_KIND[kind], function, address)
    (tmp_path / f"example.{kind}").write_text(program, encoding="utf-8")
    if function.body:
        (tmp_path / languages.FILE).write_bytes(PICTURE)
    check(api, function, values, tmp_path, run(tmp_path, command))


def test_examples_in_go(api: Served, folder: str, tmp_path: Path) -> None:
    """All at once: one command compiles nine programs as fast as three."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    (tmp_path / "go.mod").write_text("module examples\n\ngo 1.21\n")
    runs: list[tuple[Function[Any], dict[str, str], Path]] = []
    for function in TABLE:
        place = tmp_path / function.name
        place.mkdir()
        address, values = prepared(api, function, f"{folder}{function.name}.jpg")
        program = examples.program(API, BY_KIND["go"], function, address)
        (place / "main.go").write_text(program, encoding="utf-8")
        (place / languages.FILE).write_bytes(PICTURE)
        runs.append((function, values, place))
    assert run(tmp_path, ["gofmt", "-l", "."]) == ""
    (tmp_path / "bin").mkdir()
    run(tmp_path, ["go", "build", "-ldflags=-s -w", "-o", "bin/", "./..."])
    with ThreadPoolExecutor(4) as pool:
        outs = list(pool.map(lambda one: run(one[2], [f"../bin/{one[0].name}"]), runs))
    for (function, values, place), out in zip(runs, outs, strict=True):
        check(api, function, values, place, out)


def test_an_example_fails_loudly(api: Served, tmp_path: Path) -> None:
    function = next(one for one in TABLE if one.name == "filelist")
    address = examples.url(function, api.url, {"sid": "none"})
    for kind, (binary, command) in COMMANDS.items():
        if kind == "php" or shutil.which(binary) is None:
            continue
        program = examples.program(API, BY_KIND[kind], function, address)
        (tmp_path / f"example.{kind}").write_text(program, encoding="utf-8")
        with pytest.raises(AssertionError):
            run(tmp_path, command)


def test_no_example_has_a_secret_or_an_address_left(api: Served) -> None:
    for language in languages.LANGUAGES:
        for function in TABLE:
            program = examples.program(API, language, function, examples.url(function, api.url))
            assert "GATEWAY_KEY" in program
            assert languages.URL not in program
            assert f"{api.url}/{function.name}" in program


def test_addresses_need_no_quoting() -> None:
    function = next(one for one in TABLE if one.name == "getfile")
    odd = {"sid": "a", "path": "'\"$`\\ <?&#%+\nü"}
    address = examples.url(function, "http://h", odd)
    assert not set(address) & set("'\"$`\\ <>#+\n")

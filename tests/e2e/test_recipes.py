"""docs/recipes.md is true: its configurations serve, and its commands give what it says.

Of a configuration only the addresses are others: where it listens, and what stands behind it.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.commands.main import main
from gateway.testing.certificates import certificate
from gateway.testing.upstreams import Exchange, Upstream, answer, raw, refuse
from tests.code_blocks import ROOT
from tests.e2e.conftest import environment, free_port, serving

_SECTION = re.compile(r"^## (\d)\. .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```(toml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PORTS = (80, 443, 9000)
_TRIES = 50

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("gzip")), reason="curl or gzip is not there"
)


class Step(NamedTuple):
    """A command, and lines that are to come of it, in this order; `…` is anything."""

    command: str
    expected: list[str]

    @property
    def is_of_before(self) -> bool:
        """Whether it shows what the step before has left, which may be written behind that."""
        return any("; hit;" in line or line.startswith("gateway_") for line in self.expected)


def steps(console: str) -> Iterator[Step]:
    for said in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, *lines = said.splitlines()
        yield Step(command, lines)


@dataclass
class Scene:
    """What a recipe needs around it: what of its file is another, and commands of its own."""

    folder: Path
    instead: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    curl: list[str] = field(default_factory=list)
    commands: dict[str, Callable[[], object]] = field(default_factory=dict)


def bucket(scene: Scene, held: ExitStack) -> None:
    upstream = held.enter_context(Upstream())
    upstream.objects["/company-photos/hello.txt"] = b"Hello.\n"
    upstream.objects["/company-photos/cat.png"] = picture()
    region = 'region = "eu-central-1"'
    scene.instead[region] = f'{region}\nendpoint_url = "{upstream.url}"'
    scene.environ |= {"BUCKET_KEY": "key", "BUCKET_SECRET": "secret"}


def site(scene: Scene, held: ExitStack) -> None:
    upstream = held.enter_context(Upstream())

    def act(exchange: Exchange) -> None:
        if exchange.seen.method == "POST":
            raw(
                b"HTTP/1.1 303 See Other\r\nLocation: /home\r\nSet-Cookie: session=1\r\n"
                b"Set-Cookie: theme=dark\r\nContent-Length: 0\r\n\r\n"
            )(exchange)
        else:
            said = {"Cache-Control": "max-age=300", "Cache-Tag": "news", "ETag": '"1"'}
            answer(200, b"The news.\n", said)(exchange)

    upstream.always(act)
    url = 'url = "https://origin.example.com"'
    scene.instead[url] = f'url = "{upstream.url}"\nallow = ["127.0.0.0/8"]'
    scene.commands["systemctl stop my-site"] = lambda: upstream.always(refuse(503, "Stopped"))


def images(scene: Scene, held: ExitStack) -> None:
    (scene.folder / "cat.png").write_bytes(picture())


def static(scene: Scene, held: ExitStack) -> None:
    chain, key = certificate(scene.folder, "www.example.com")
    chain.rename(scene.folder / "fullchain.pem")
    key.rename(scene.folder / "privkey.pem")
    scene.curl.append(f'cacert = "{(scene.folder / "fullchain.pem").as_posix()}"')
    for name, text in {
        "index.html": "<h1>Home</h1>\n",
        "docs/index.html": "<h1>Docs</h1>\n",
        "404.html": "<h1>Not here</h1>\n",
        "app.js": 'console.log("here")\n',
    }.items():
        file = scene.folder / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def picture() -> bytes:
    image = pytest.importorskip("PIL.Image")
    made = io.BytesIO()
    image.effect_noise((400, 300), 60).save(made, "PNG")
    return made.getvalue()


SCENES = {"1": bucket, "2": site, "3": images, "4": static}


def recipes() -> dict[str, list[tuple[str, str]]]:
    """(language, code) of the blocks of each, by number."""
    text = (ROOT / "docs/recipes.md").read_text("utf-8")
    return {one[1]: _FENCED.findall(one[0]) for one in _SECTION.finditer(text)}


@pytest.mark.parametrize("number", SCENES)
def test_a_recipe_gives_what_it_says(
    number: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (_, config), *others = recipes()[number]
    scene, ports = Scene(tmp_path), {port: free_port() for port in _PORTS}
    for port, free in ports.items():
        address = "127.0.0.1:9000" if port == 9000 else f":{port}"
        scene.instead[f'"{address}"'] = f'"127.0.0.1:{free}"'
        scene.instead[f"port = {port}"] = f"port = {free}"
        scene.curl.append(f'connect-to = ":{port}:127.0.0.1:{free}"')
    with ExitStack() as held:
        SCENES[number](scene, held)
        for old, new in scene.instead.items():
            config = config.replace(old, new)
        (tmp_path / ".curlrc").write_text("\n".join(scene.curl), "utf-8")
        monkeypatch.chdir(tmp_path)
        environ = environment() | scene.environ | {"CURL_HOME": str(tmp_path)}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        held.enter_context(
            serving(tmp_path, "--workers", "1", config=config, at=ports[9000], more=scene.environ)
        )
        for language, console in others:
            assert language == "console"
            for step in steps(console):
                for _ in range(_TRIES if step.is_of_before else 1):
                    said = done(step.command, scene, ports[9000], capsys)
                    if shown(step, said):
                        break
                    time.sleep(0.1)
                else:
                    raise AssertionError(f"$ {step.command}\n{said}")
    assert " → public of " in (tmp_path / "log").read_text("utf-8"), "the start says so"


def done(command: str, scene: Scene, port: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command of the page writes."""
    if command in scene.commands:
        scene.commands[command]()
        return ""
    words = [one.replace("$AWS_SECRET_ACCESS_KEY", environment()["AWS_SECRET_ACCESS_KEY"])
             for one in shlex.split(command)]  # fmt: skip
    if words[0] == "gateway":  # the command itself, but for Python's start
        capsys.readouterr()
        assert main(words[1:]) == 0, capsys.readouterr().err
        return capsys.readouterr().out
    if words[0] == "aws":
        words[:1] = [sys.executable, "-m", "awscli"]
        words = [one.replace(":9000", f":{port}") for one in words]
    ran = subprocess.run(words, capture_output=True, cwd=scene.folder)
    said = ran.stdout.decode("utf-8", "replace").replace("\r", "\n")
    assert ran.returncode == 0, (command, said, ran.stderr)
    return said


def shown(step: Step, said: str) -> bool:
    """Whether all that is expected is there, in its order."""
    lines = iter(said.splitlines())
    return all(any(_like(wanted, line) for line in lines) for wanted in step.expected)


def _like(wanted: str, line: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, wanted.split("…"))), line) is not None


def test_each_recipe_is_run() -> None:
    assert recipes().keys() == SCENES.keys()
    for blocks in recipes().values():
        assert [language for language, _ in blocks].count("toml") == 1
        assert sum(code.count("\n$ ") for _, code in blocks) >= 2

"""`gateway serve` as an operator sees it: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import gc
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.commands import serve as serve_module
from gateway.commands import start_screen
from gateway.commands.serve import choose, count_workers
from gateway.commands.tls import certificates
from gateway.config import Configuration, load
from gateway.servers import CannotServe, Loaded
from gateway.servers.worker import settled
from gateway.services.unsafe import unsafe
from gateway.testing.certificates import certificate
from gateway.web.admission import Admission
from tests.starting import run

pytestmark = pytest.mark.usefixtures("sockets", "processes")

ROOT = Path(__file__).parent.parent
PATIENCE = 120
SERVE = (
    "import sys; from gateway.config import load; from gateway.commands.serve import serve;"
    "sys.exit(serve(load(sys.argv[1])))"
)
EACH = """
import sys
from gateway.config import load
from gateway.commands.serve import serve
for file in sys.argv[1:]:
    code = serve(load(file))
    print(code, end="\\0", flush=True)
    print(end="\\0", file=sys.stderr, flush=True)
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="granian and signals: POSIX")


def configured(folder: Path, server: str, rest: str = "") -> Configuration:
    return load(written(folder, server, rest), environ={})


def written(folder: Path, server: str, rest: str = "") -> Path:
    file = folder / "gateway.toml"
    file.write_text(f'[server]\ndata = "data"\n{server}\n{rest}')
    return file


def folder(place: Path, name: str) -> Path:
    made = place / name
    made.mkdir()
    return made


@contextmanager
def serving(file: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it printed when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(file)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if "GATEWAY" not in name},
    )
    assert process.stdout is not None
    try:
        screen = ""
        while " curl " not in screen and (line := process.stdout.readline()):
            screen += line
        yield process, screen
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def sign_in(screen: str, address: str) -> None:
    """In a browser, at the address and with the key that were printed; `/` leads there, too."""
    printed = re.search(r"console +(\S+)\n", screen)
    known = re.search(r"access key  (\S+)\n  secret key  (\S+)", screen)
    assert printed is not None and known is not None
    with_cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with_cookies.addheaders = [("Accept", "text/html"), ("Origin", address)]
    for place in (printed[1], f"{address}/"):
        with with_cookies.open(place, timeout=PATIENCE) as page:
            assert b"<h1>Sign in</h1>" in page.read()
    fields = urlencode({"key": known[1], "secret": known[2]}).encode()
    with with_cookies.open(f"{printed[1]}/sign-in", fields, timeout=PATIENCE) as page:
        assert b"<h1>Overview</h1>" in page.read()
    for _ in range(4):  # of any worker
        with with_cookies.open(f"{printed[1]}/requests", timeout=PATIENCE) as page:
            assert b"<h1>Requests</h1>" in page.read()


def refused(*files: Path) -> list[str]:
    """What each says that is refused before anything is made, on stderr and nowhere else: one
    process for all."""
    command = [sys.executable, "-c", EACH, *map(str, files)]
    done = run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "1\0" * len(files), done.stderr
    *said, end = str(done.stderr).split("\0")
    assert not end
    for file in files:
        assert not (file.parent / "data").exists(), file
    return said


def ended(file: Path) -> subprocess.CompletedProcess[str]:
    """What becomes of a gateway that cannot start."""
    return run(
        [sys.executable, "-c", SERVE, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@posix
@pytest.mark.parametrize("kind", ["granian", "waitress"])
@pytest.mark.parametrize("where", ["memory = true", "workers = 2"])
def test_it_serves_what_it_says(tmp_path: Path, kind: str, where: str) -> None:
    file = written(tmp_path, f'server = "{kind}"\nlisten = "127.0.0.1:0"\n{where}')
    with serving(file) as (process, screen):
        address = re.search(r"listening  (http://127\.0\.0\.1:\d+)", screen)
        assert address is not None, screen
        assert re.search(r"access key  \S+\n  secret key  \S+", screen)
        assert f"--endpoint-url {address[1]} s3 ls" in screen
        sign_in(screen, address[1])
        for page in ("health/live", "health/ready", "metrics"):
            with urllib.request.urlopen(f"{address[1]}/-/{page}", timeout=PATIENCE) as reply:
                assert reply.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@posix
def test_the_first_credential_works_and_is_shown_once(tmp_path: Path) -> None:
    file = written(tmp_path, 'server = "granian"\nlisten = "127.0.0.1:0"')
    with serving(file) as (_, screen):
        line = next(line for line in screen.splitlines() if " curl " in f" {line} ")
        words = line.split()
        done = subprocess.run(
            [*words, "-s", "-o", os.devnull, "-w", "%{http_code}"], capture_output=True, text=True
        )
        assert done.stdout == "200"
    with serving(file) as (_, screen):
        assert "secret key" not in screen
        assert '"$AWS_SECRET_ACCESS_KEY" AWS_DEFAULT_REGION=us-east-1 aws ' in screen
        (lost,) = re.findall(r"Lost the key\? gateway (.*)", screen)
        words = shlex.split(lost)
        key = made(words, cwd=tmp_path.parent)
        (curl,) = (line for line in screen.splitlines() if line.startswith("  curl "))
        done = subprocess.run(
            ["sh", "-c", f"{curl} -s -o {os.devnull} -w '%{{http_code}}'"],
            env={**os.environ, **key},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "200"


def made(words: list[str], cwd: Path) -> dict[str, str]:
    """What `gateway keys add …` prints, as the environment of a client."""
    command = [sys.executable, "-m", "gateway", *words]
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **path}, capture_output=True, text=True, check=True
    )
    key, secret = (line.split()[-1] for line in done.stdout.splitlines())
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


def test_the_screen_says_which_data_another_command_needs(tmp_path: Path) -> None:
    def shown(configuration: Configuration) -> str:
        return start_screen.render(
            configuration, [("127.0.0.1", 9000)], server="granian", workers="", credential=None
        )

    file = written(tmp_path, "")
    assert f"--access admin --config {file}\n" in shown(load(file, environ={}))
    elsewhere = str(tmp_path / "else where")
    typed = load(file, environ={}, overrides={"data": elsewhere})
    assert f"--config {file} --data '{elsewhere}'\n" in shown(typed)
    in_memory = load(file, environ={}, overrides={"memory": True})
    assert "Lost" not in shown(in_memory)
    root = {"GATEWAY_ROOT_ACCESS_KEY": "mine", "GATEWAY_ROOT_SECRET_KEY": "hunter2-of-mine"}
    assert "Lost" not in shown(load(file, environ=root))


def test_a_taken_port_is_one_message_and_makes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        files = [
            written(folder(tmp_path, kind), f'server = "{kind}"\nlisten = "127.0.0.1:{port}"')
            for kind in ("granian", "waitress")
            if kind == "waitress" or sys.platform != "win32"
        ]
        said = refused(*files)
    assert set(said) == {
        f"gateway: Cannot listen on 127.0.0.1:{port}: something else listens there already."
        " Choose another by --listen or [server] listen.\n"
    }


@posix
@pytest.mark.parametrize(("kind", "workers"), [("granian", 1), ("granian", 3), ("waitress", 1)])
def test_a_store_that_cannot_be_opened_is_one_message(
    tmp_path: Path, kind: str, workers: int
) -> None:
    (tmp_path / "file").write_text("no folder")
    services = """
        [services.origin]
        driver = "local"
        [services.photos]
        driver = "cache"
        source = "origin"
        max_size = "64MiB"
        folder = "file/cache"
    """
    server = f'server = "{kind}"\nlisten = "127.0.0.1:0"\nworkers = {workers}'
    done = ended(written(tmp_path, server, services))
    assert done.returncode == 1
    (message,) = done.stderr.splitlines()
    assert message.startswith("gateway: services.photos: cannot be opened: ")
    assert "file" in message
    assert done.stdout.count("secret key") == 1  # made now, and never to be seen again


@posix
def test_a_second_gateway_on_a_cache_is_told_once(tmp_path: Path) -> None:
    def gateway(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        return written(
            folder,
            'server = "granian"\nlisten = "127.0.0.1:0"\nworkers = 2',
            f'[services.origin]\ndriver = "local"\n[services.photos]\ndriver = "cache"\n'
            f'source = "origin"\nmax_size = "64MiB"\nfolder = "{tmp_path / "shared"}"',
        )

    with serving(gateway("first")):
        done = ended(gateway("second"))
    assert done.returncode == 1
    assert done.stderr.count("is in use by another gateway") == 1
    assert "orker" not in done.stderr, done.stderr


@posix
def test_auto_is_granian_for_one_address_and_for_several(tmp_path: Path) -> None:
    assert choose(configured(tmp_path, "")) == "granian"
    assert choose(configured(tmp_path, SEVERAL)) == "granian"


@posix
def test_only_granian_speaks_http_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(configured(tmp_path, "http2 = true")) == "granian"
    with pytest.raises(CannotServe, match="http2: waitress does not speak it"):
        choose(configured(tmp_path, 'http2 = true\nserver = "waitress"'))
    monkeypatch.setattr(serve_module, "_absent", lambda: NOWHERE)
    with pytest.raises(CannotServe, match=f"http2: only granian speaks it, and that {NOWHERE}"):
        choose(configured(tmp_path, "http2 = true"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> str:
    made, key = certificate(tmp_path_factory.mktemp("tls"))
    return f"tls = {{ certificate = '{made}', key = '{key}' }}"


SEVERAL = 'listen = ["127.0.0.1:9000", "127.0.0.1:9001"]'
NOWHERE = "does not run on Windows"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("listen", ["", SEVERAL], ids=["one", "several"])
@pytest.mark.parametrize("absent", ["", NOWHERE], ids=["granian", "no granian"])
@pytest.mark.parametrize("wanted", ["auto", "granian", "waitress"])
def test_what_is_said_of_a_server_is_true(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tls: str,
    wanted: str,
    absent: str,
    listen: str,
    secure: bool,
) -> None:
    """Whoever does what a message says is served."""
    monkeypatch.setattr(serve_module, "_absent", lambda: absent)

    def chosen(wanted: str, listen: str, *, secure: bool) -> str:
        text = f'server = "{wanted}"\n{listen}\n{tls if secure else ""}'
        return choose(configured(tmp_path, text))

    try:
        found = chosen(wanted, listen, secure=secure)
    except CannotServe as error:
        said = str(error)
    else:
        assert wanted in ("auto", found)
        assert found == "waitress" or not absent
        return
    assert (NOWHERE in said) is bool(absent)
    (named,) = re.findall(r"server = '(\w+)'", said)
    assert chosen(named, listen, secure=secure) == named


def _another(key: Path, folder: Path) -> None:
    _, other = certificate(folder, "other")
    other.replace(key)


def _locked(key: Path, _folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    opened = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        opened.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


@posix
def test_a_certificate_that_cannot_be_used_is_said_before_anything_is_made(tmp_path: Path) -> None:
    def spoiled(name: str, spoil: Callable[[Path, Path], object]) -> Path:
        place = folder(tmp_path, name)
        made, key = certificate(place)
        spoil(key, place)
        return written(place, f"tls = {{ certificate = '{made}', key = '{key}' }}")

    ways = {"another": _another, "locked": _locked, "none": lambda key, _: key.write_bytes(b"none")}
    said = refused(*(spoiled(name, spoil) for name, spoil in ways.items()))
    for name, message in zip(ways, said, strict=True):
        assert message.startswith("gateway: server.tls: the certificate "), name
        assert message.count("\n") == 1, name


def test_a_process_that_serves_has_no_secrets_in_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("GATEWAY_ROOT_SECRET_KEY", "GATEWAY_MASTER_KEY")
    for name in names:
        monkeypatch.setenv(name, "hunter2")

    def load() -> Loaded:
        assert set(names) <= set(os.environ)  # it needs them, and nobody does afterwards
        return Loaded(lambda _environ, _start: [], lambda: None, Admission(4))

    try:
        settled(load)
        assert not set(names) & set(os.environ)
    finally:
        gc.unfreeze()
        gc.set_threshold(*THRESHOLD)


THRESHOLD = gc.get_threshold()


def test_one_worker_and_why(tmp_path: Path) -> None:
    memory = configured(tmp_path, "memory = true\nworkers = 4")
    assert count_workers(memory, "granian") == (1, "one worker (everything is in memory)")
    several = configured(tmp_path, "workers = 4")
    assert count_workers(several, "granian") == (4, "4 workers")
    assert count_workers(several, "waitress")[0] == 1


def warnings(configuration: Configuration, server: str = "granian") -> list[str]:
    listen = [one.address for one in configuration.server.listeners]
    return list(unsafe(configuration, listen, server))


def test_what_is_unsafe_is_said(tmp_path: Path) -> None:
    assert warnings(configured(tmp_path, "")) == []
    (plain,) = warnings(configured(tmp_path, 'listen = "0.0.0.0:9000"'))
    assert plain.startswith("0.0.0.0:9000 can be reached from other machines, without TLS")
    proxied = 'listen = "0.0.0.0:9000"\nexternal_url = "https://s3.example.com"'
    assert warnings(configured(tmp_path, proxied)) == []
    (spooled,) = warnings(configured(tmp_path, ""), "waitress")
    assert "up to 1GiB" in spooled
    binding = '[[bindings]]\nport = 8081\nmode = "s3"'
    (bound,) = warnings(configured(tmp_path, "", binding))
    assert bound == "a binding waits at port 8081, where nothing listens."


@pytest.mark.parametrize(("days", "said"), [(-1, "is over: "), (9, "is soon over: "), (60, "")])
def test_certificates_that_end_are_said(tmp_path: Path, days: int, said: str) -> None:
    made, key = certificate(tmp_path, "photos.test", days)
    tls = f"tls = {{ certificate = '{made}', key = '{key}' }}"
    found = warnings(configured(tmp_path, f'listen = "0.0.0.0:9000"\n{tls}'))
    assert len(found) == bool(said)
    assert all(said in one and "photos.test until 2" in one for one in found)


def test_a_listener_without_tls_is_said_beside_one_with_it(tmp_path: Path, tls: str) -> None:
    listen = 'listen = [":9000", { address = ":9001", tls = false }]'
    found = warnings(configured(tmp_path, f"{listen}\n{tls}"))
    (plain,) = [one for one in found if "without TLS" in one]
    assert plain.startswith("0.0.0.0:9001 can be reached from other machines")
    ftp = '[[listeners]]\nprotocol = "ftp"\naddress = "{}"\n'
    text = ftp.format(":2121") + ftp.format("127.0.0.1:2122") + ftp.format(":2123") + tls
    found = warnings(configured(tmp_path, "", text))
    (plain,) = [one for one in found if "without TLS" in one]
    assert plain.startswith("ftp://0.0.0.0:2121 can be reached from other machines, without TLS")
    assert plain.endswith("or tls in listeners[0].")


def test_a_certificate_of_a_listener_that_cannot_be_used_is_said_with_its_place(
    tmp_path: Path, tls: str
) -> None:
    made, key = certificate(tmp_path)
    key.write_text("none")
    own = f"{{ address = ':9001', tls = {{ certificate = '{made}', key = '{key}' }} }}"
    with pytest.raises(CannotServe, match=r"^server\.listen\[1\]\.tls: the certificate "):
        certificates(configured(tmp_path, f"listen = [':9000', {own}]\n{tls}"))

"""`gateway service`: what systemd and launchd get, and what Windows is asked for."""

from __future__ import annotations

import os
import plistlib
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.commands import main, service, service_files
from gateway.commands.service_managers import VARIABLE, Systemd
from gateway.commands.windows_services import command_line
from gateway.common.windows_rights import service_sid
from gateway.config import Configuration, load

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="paths there are not systemd's")
SYSTEMD = shutil.which("systemd-analyze")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / 'a 100% "odd" $HOME folder'
    if os.name == "nt":
        made = tmp_path / "a 100% $HOME folder"
    made.mkdir()
    return made


def configured(folder: Path, text: str = "") -> Configuration:
    file = folder / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ={})


def settings(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and line[0] != "#")


@POSIX
def test_a_unit_keeps_its_data_where_systemd_does(folder: Path) -> None:
    unit = service_files.unit(configured(folder, '[server]\ndrain = "2m"'), "gate")
    found = settings(unit)
    assert found["DynamicUser"] == "yes"
    assert found["StateDirectory"] == "gate"
    assert found["ExecStart"].endswith(" --data /var/lib/gate")
    assert found["ExecReload"].split(" reload ")[1] == found["ExecStart"].split(" serve ")[1]
    assert int(found["TimeoutStopSec"]) > 120  # else a stop would be cut
    assert found["CapabilityBoundingSet"] == ""
    assert unit.startswith("# Put this at /etc/systemd/system/gate.service ")


@POSIX
def test_a_unit_may_write_what_the_configuration_says_and_no_more(folder: Path) -> None:
    text = """
    [server]
    data = "kept"
    listen = [":443", "127.0.0.1:9000"]
    [logs]
    file = "/var/log/gate/gateway.log"
    [services.elsewhere]
    driver = "local"
    folder = "other"
    """
    unit = service_files.unit(configured(folder, text), "gate")
    found = settings(unit)
    assert found["User"] == "gate"
    assert "DynamicUser" not in found
    assert found["LogsDirectory"] == "gate"
    assert found["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    assert "PrivateUsers" not in found  # the capability would not be the machine's
    assert "--data" not in found["ExecStart"]  # the file says it
    paths = [line for line in unit.splitlines() if line.startswith("ReadWritePaths=")]
    assert len(paths) == 2
    assert "kept" in paths[0]
    assert "other" in paths[1]


@POSIX
def test_a_unit_says_who_has_to_own_folders_elsewhere(folder: Path) -> None:
    """A dynamic user owns none; systemd takes one of the service's name where there is one."""
    text = '[logs]\nfile = "/srv/logs/gateway.log"'
    unit = service_files.unit(configured(folder, text), "gate")
    assert settings(unit)["DynamicUser"] == "yes"
    assert settings(unit)["ReadWritePaths"] == "-/srv/logs"
    assert "\n# gate has to own /srv/logs (sudo useradd --system gate; sudo chown …)\n" in unit
    assert "has to own" not in service_files.unit(configured(folder), "gate")


@POSIX
def test_a_unit_lets_it_see_the_python_of_its_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", "/opt/gateway")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    unit = service_files.unit(configured(folder), "gate")
    assert settings(unit)["ProtectHome"] == "yes"
    monkeypatch.setattr(sys, "base_prefix", "/home/kim/.local/share/uv/python/3.13")
    unit = service_files.unit(configured(folder), "gate")
    assert settings(unit)["ProtectHome"] == "read-only"
    assert "\n# gate has to be allowed to read /home/kim/.local/share/uv/python/3.13\n" in unit


@POSIX
@pytest.mark.skipif(SYSTEMD is None, reason="needs systemd-analyze")
@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    "text", ["", '[server]\ndata = "kept"\nlisten = ":443"'], ids=["dynamic user", "user"]
)
def test_systemd_understands_it_and_finds_it_tight(folder: Path, text: str) -> None:
    assert SYSTEMD
    file = folder / "gate.service"
    file.write_text(service_files.unit(configured(folder, text), "gate"), encoding="utf-8")
    verified = subprocess.run([SYSTEMD, "verify", file], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        [SYSTEMD, "security", "--offline=true", "--threshold=20", "--no-pager", file],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout[-200:]  # 2.0 at most


@POSIX
def test_a_property_list(folder: Path) -> None:
    text = service_files.property_list(configured(folder, '[server]\ndata = "kept"'), "gate")
    found = plistlib.loads(text.encode())
    assert found["Label"] == "gate"
    assert found["ProgramArguments"][-2:] == ["--config", str(folder / "gateway.toml")]
    assert found["ExitTimeOut"] > 30
    assert text.splitlines()[1].startswith("<!-- Put this at /Library/LaunchDaemons/gate.plist")


@pytest.mark.skipif(sys.platform == "win32", reason="there it is made")
def test_elsewhere_than_on_windows_it_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for word in ("install", "start", "stop", "remove", "status"):
        assert main.main(["service", word]) == 1
        assert capsys.readouterr().err.count("`gateway service` prints what") == 1
    (folder / "gateway.toml").write_text("[server]\nmemory = true", encoding="utf-8")
    assert main.main(["service"]) == 1
    assert "keeps what it gets" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "a/b", "-x", "a b", "x" * 81])
def test_a_name_that_is_no_files(name: str) -> None:
    with pytest.raises(SystemExit):
        main.main(["service", f"--name={name}"])
    assert service.NAME == "storage-gateway"


@pytest.mark.skipif(sys.platform == "win32", reason="systemd is not there")
@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    if abstract and sys.platform != "linux":
        pytest.skip("Linux has them")
    place = f"/tmp/notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"\0{place}" if abstract else place)
        told.settimeout(10)
        monkeypatch.setenv(VARIABLE, f"@{place}" if abstract else place)
        manager = Systemd()
        assert VARIABLE not in os.environ  # what workers start is not asked
        manager.serving("http://127.0.0.1:9000")
        assert told.recv(1000) == b"READY=1\nSTATUS=serves at http://127.0.0.1:9000"
        manager.ending()
        assert told.recv(1000) == b"STOPPING=1"
    Path(place).unlink(missing_ok=True)
    manager.ending()  # nobody hears it
    Systemd().serving("nobody asked")


def test_the_account_of_a_service_of_windows() -> None:
    """That of TrustedInstaller is the same on every Windows, and documented."""
    known = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
    assert service_sid("TrustedInstaller") == known == service_sid("trustedinstaller")


def test_the_command_line_of_a_service_of_windows() -> None:
    found = command_line(r"C:\Program Files\Python\python.exe", "gate", r"D:\my gate\g.toml", None)
    assert found == (
        r'"C:\Program Files\Python\python.exe" -P -m gateway.commands.windows_service'
        r' --name gate --config "D:\my gate\g.toml"'
    )

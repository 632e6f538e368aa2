"""What systemd and launchd want to have of a gateway: a unit, a property list.

The unit lets it do what it needs: `systemd-analyze security` has nothing to say of it but that a
server has a network, and may choose processors. A new user for each start owns the data folder
below `/var/lib`; a folder elsewhere is a user's who stays, and has to be made.
"""

from __future__ import annotations

import getpass
import plistlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.common import looking
from gateway.config import Configuration
from gateway.servers import CannotServe
from gateway.servers.ending import latest

STATE, LOGS = Path("/var/lib"), Path("/var/log")
FILES = 65_536
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_PRIVILEGED = 1024

_MANAGERS = {"linux": "systemd", "darwin": "launchd"}

_HARDENED = """\
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077"""


def manager(platform: str) -> str:
    """Who starts services there."""
    return _MANAGERS.get(platform, "the system")


def written(platform: str, configuration: Configuration, name: str) -> str:
    """The file for a service of that name. Raises `CannotServe`."""
    if configuration.data is None:
        raise CannotServe("A service keeps what it gets: it cannot have [server] memory = true.")
    makers = {"linux": unit, "darwin": property_list}
    if platform not in makers:
        raise CannotServe(f"What starts services on {platform} is not known here.")
    return makers[platform](configuration, name)


def unit(configuration: Configuration, name: str) -> str:
    """For systemd 247 and later."""
    folder = _state_folder(configuration, name)
    place = _place(configuration, folder)
    gateway = _quoted(_gateway())
    lines = [
        f"# Put this at /etc/systemd/system/{name}.service"
        f" (gateway service … | sudo tee …), then: sudo systemctl daemon-reload",
        f"# sudo systemctl enable --now {name}; its first key is in: journalctl -u {name}",
        "[Unit]",
        "Description=Storage Gateway",
        "After=network-online.target",
        "Wants=network-online.target",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={gateway} serve {_quoted(place)}",
        f"ExecReload={gateway} reload {_quoted(place)}",
        "Restart=on-failure",
        "RestartSec=5",
        "KillMode=mixed",
        "TimeoutStartSec=300",
        f"TimeoutStopSec={round(latest(configuration.server.drain)) + 5}",
        f"LimitNOFILE={FILES}",
        *_user(configuration, folder, name),
        *_network(configuration),
        _HARDENED,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def property_list(configuration: Configuration, name: str) -> str:
    """For launchd, as a daemon of the user who asks."""
    assert configuration.data is not None
    logs = configuration.data / "logs"
    found = plistlib.dumps(
        {
            "Label": name,
            "ProgramArguments": [*_gateway(), "serve", *_place(configuration, configuration.data)],
            "UserName": getpass.getuser(),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ExitTimeOut": round(latest(configuration.server.drain)) + 5,
            "SoftResourceLimits": {"NumberOfFiles": FILES},
            "HardResourceLimits": {"NumberOfFiles": FILES},
            "StandardOutPath": str(logs / "start.log"),
            "StandardErrorPath": str(logs / "start.log"),
            "Umask": 0o077,
        }
    ).decode()
    head, _, rest = found.partition("\n")
    place = f"/Library/LaunchDaemons/{name}.plist"
    return (
        f"{head}\n<!-- Put this at {place}, with root as its owner; make {logs} before. -->\n"
        f"<!-- sudo launchctl bootstrap system {place}; its first key is in start.log. -->\n{rest}"
    )


def _gateway() -> list[str]:
    """This installation's own."""
    script = Path(sys.executable).with_name("gateway")
    return [str(script)] if looking.is_file(script) else [sys.executable, "-P", "-m", "gateway"]


def _place(configuration: Configuration, folder: Path) -> list[str]:
    origin = configuration.origin
    words = [] if origin.path is None else ["--config", origin.path]
    written = "data" in origin.tables.get("server", {}) and "data" not in origin.overrides
    return words if written else [*words, "--data", str(folder)]


def _state_folder(configuration: Configuration, name: str) -> Path:
    """Where nothing says it: systemd's place, and not the home of who asks."""
    assert configuration.data is not None
    origin = configuration.origin
    said = "data" in origin.overrides or "data" in origin.tables.get("server", {})
    return configuration.data if said else STATE / name


def _user(configuration: Configuration, folder: Path, name: str) -> Iterator[str]:
    """Who it is, and where it may write."""
    log = configuration.logs.file
    outside = {one for one in _folders(configuration) if not one.is_relative_to(folder)}
    if folder.parent == STATE:
        yield from ("DynamicUser=yes", f"StateDirectory={folder.name}", "StateDirectoryMode=0700")
    else:
        yield f"# sudo useradd --system --home-dir {folder} {name}; sudo chown {name} {folder}"
        yield f"User={name}"
        yield f"ReadWritePaths={_quoted([str(folder)])}"
    if log is not None and log.parent.parent == LOGS:
        yield f"LogsDirectory={log.parent.name}"
    elif log is not None and not log.is_relative_to(folder):
        outside.add(log.parent)
    if outside:
        others = sorted(map(str, outside))
        yield f"# {name} has to own {' '.join(others)} (sudo useradd --system {name}; sudo chown …)"
        yield f"ReadWritePaths={_quoted(f'-{one}' for one in others)}"
    # A virtual environment's Python is elsewhere: often below the home of who made it.
    roots = (sys.prefix, sys.base_prefix, str(folder), configuration.origin.path or "/")
    homes = [one for one in roots if any(Path(one).is_relative_to(home) for home in _HOMES)]
    if homes:
        yield f"# {name} has to be allowed to read {' '.join(dict.fromkeys(homes))}"
    yield f"ProtectHome={'read-only' if homes else 'yes'}"


def _folders(configuration: Configuration) -> Iterator[Path]:
    """Those of services of their own."""
    for one in (configuration.buckets, *configuration.services.values()):
        for value in one.options.values():
            if isinstance(value, Path) and not looking.is_file(value):
                yield value


def _network(configuration: Configuration) -> Sequence[str]:
    listeners = (
        *configuration.server.listeners,
        *(one.listener for one in configuration.listeners),
    )
    if any(0 < one.address.port < _PRIVILEGED for one in listeners):
        may = "CAP_NET_BIND_SERVICE"
        return f"AmbientCapabilities={may}", f"CapabilityBoundingSet={may}"
    return "CapabilityBoundingSet=", "PrivateUsers=yes"


def _quoted(words: Sequence[str] | Iterator[str]) -> str:
    """As systemd takes a line apart (systemd.service(5), "Command lines")."""
    return " ".join(map(_one_word, words))


def _one_word(word: str) -> str:
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if text and not any(one in text for one in " \t'\"\\;") else f'"{text}"'

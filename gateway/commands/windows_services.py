"""Services of Windows: installed, started, stopped, removed, and looked at.

One that is installed starts with the machine, after those that it may need (delayed), under an
account of its own, `NT SERVICE\\NAME`, which has no password and may do nothing but what it is
given here: the data folder. What is typed is in its command line, which Windows shows.

May surprise: for a virtual environment the command line names the Python that this was made of,
and a variable of the service says where it is, as multiprocessing has it. An environment's own
`python.exe` only starts that one, and Windows would wait for the wrong process.
"""

from __future__ import annotations

import argparse
import ctypes
import getpass
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import platformdirs

from gateway.catalog import prepare
from gateway.commands import start_screen, windows_service
from gateway.common import looking, windows_rights
from gateway.config import Configuration, find_file
from gateway.servers import CannotServe
from gateway.servers.ending import latest

MODULE = "gateway.commands.windows_service"
LAUNCHER = "__PYVENV_LAUNCHER__"
WITHOUT_PASSWORD = ("localsystem", "nt authority\\", "nt service\\")
RESTARTS = (5_000, 30_000, 60_000)
"""Milliseconds after which it is started again when it fails: the first time, the second, later."""
_DAY = 86_400
_EVENTS = r"SYSTEM\CurrentControlSet\Services\EventLog\Application"
_SERVICES = r"SYSTEM\CurrentControlSet\Services"
_ELEVATED, _NO_LEVEL, _RUNS, _NO_SUCH, _NOT_ACTIVE, _THERE_IS = 5, 124, 1056, 1060, 1062, 1073
_STATES = {1: "stopped", 2: "starting", 3: "stopping", 4: "running"}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`exit_code`: 0 of one that runs, 3 of one that does not (as init scripts have it)."""

    name: str
    state: str
    pid: int | None
    since: str | None
    account: str
    addresses: list[str]
    data: str
    log: str
    config: str | None
    problem: str | None

    @property
    def exit_code(self) -> int:
        return 0 if self.state == "running" else 3


def command_line(python: str, name: str, config: str | None, data: str | None) -> str:
    words = [python, "-P", "-m", MODULE, "--name", name]
    words += ["--config", config] if config else []
    words += ["--data", data] if data else []
    return subprocess.list2cmdline(words)


def install(typed: argparse.Namespace) -> None:
    """Raises what `main.expected` lists."""
    win32service = _pywin32()
    account = typed.account or f"NT SERVICE\\{typed.name}"
    _place(typed)
    configuration = windows_service.configuration_of(typed)
    assert configuration.data is not None and configuration.logs.file is not None
    _readable(account, typed.config)
    python = getattr(sys, "_base_executable", sys.executable)
    path = command_line(python, typed.name, typed.config, typed.data)
    password = _password(account, typed.password_file)
    with _manager() as manager, _explained(typed.name):
        service = win32service.CreateService(
            manager,
            typed.name,
            _display(typed.name),
            win32service.SERVICE_ALL_ACCESS,
            win32service.SERVICE_WIN32_OWN_PROCESS,
            win32service.SERVICE_AUTO_START,
            win32service.SERVICE_ERROR_NORMAL,
            path,
            None,
            0,
            None,
            account,
            password,
        )
        try:
            _equip(service, typed.name, configuration.server.drain)
            _give(account, typed, configuration)
            first = prepare(configuration)
        except BaseException:
            win32service.DeleteService(service)
            raise
        finally:
            win32service.CloseServiceHandle(service)
    print(f'The service "{typed.name}" was made. It runs as {account}, and starts with Windows.')
    print(f"  data       {configuration.data}")
    print(f"  log        {configuration.logs.file}")
    print(f"  start it   gateway service start{_named(typed.name)}")
    if first is not None:
        print("", *start_screen.first(first), sep="\n")


def start(typed: argparse.Namespace) -> None:
    """Returns when it serves."""
    win32service = _pywin32()
    with _opened(typed.name) as service:
        state = state_of(typed.name, service)
        log = Path(state.log)
        before = _size(log)
        _begin(win32service, service)
        found = _waited(service, lambda state: state not in ("starting", "stopping"), 600)
        if found != "running":
            why = _why(log, before) or state.problem or "see the event log, and its own log"
            raise CannotServe(f"It did not start: {why}")
        print(f'The service "{typed.name}" runs.')
        for address in state_of(typed.name, service).addresses:
            print(f"  listening  {address}")


def stop(typed: argparse.Namespace) -> None:
    """Returns when it has ended."""
    win32service = _pywin32()
    with _opened(typed.name) as service:
        _stop(win32service, service)
    print(f'The service "{typed.name}" has stopped.')


def remove(typed: argparse.Namespace) -> None:
    import winreg

    win32service = _pywin32()
    with _opened(typed.name) as service:
        data = state_of(typed.name, service).data
        _stop(win32service, service)
        win32service.DeleteService(service)
    with suppress(OSError):
        winreg.DeleteKey(winreg.HKEY_LOCAL_MACHINE, rf"{_EVENTS}\{typed.name}")  # type: ignore[attr-defined,unused-ignore]
    print(f'The service "{typed.name}" was removed. Its data is still there: {data}')
    if not _gone(typed.name):
        print("Its name is free when nobody looks at it any more: close services.msc.")


def status(typed: argparse.Namespace) -> State:
    with _opened(typed.name, look=True) as service:
        return state_of(typed.name, service)


def state_of(name: str, service: Any) -> State:
    """What Windows says, and its configuration as it would be read now."""
    from gateway.commands.main import expected

    win32service = _pywin32()
    now = win32service.QueryServiceStatusEx(service)
    config = win32service.QueryServiceConfig(service)
    parser = argparse.ArgumentParser()
    windows_service.arguments(parser)
    typed, _ = parser.parse_known_args(_words(config[3]))
    folder, addresses, problem = windows_service.folder_of(typed), list[str](), None
    data = str(folder or "")
    log = "" if folder is None else str(windows_service.usual_log(folder))
    try:
        found = windows_service.configuration_of(typed)
        addresses = [one.url for one in found.server.listeners]
        addresses += [one.url for one in found.listeners]
        data, log = str(found.data), str(found.logs.file)
    except expected() as error:  # the service is there all the same
        problem = str(error)
    pid = int(now["ProcessId"]) or None
    return State(
        name=name,
        state=_STATES.get(now["CurrentState"], "paused"),
        pid=pid,
        since=None if pid is None else _since(pid),
        account=config[7],
        addresses=addresses,
        data=data,
        log=log,
        config=typed.config,
        problem=problem,
    )


# what is needed for that


def _pywin32() -> Any:
    try:
        import win32service
    except ImportError:
        raise CannotServe(
            "Services of Windows need pywin32: pip install 'storage-gateway[windows]'"
        ) from None
    return win32service


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What Windows refuses, in words that help."""
    import pywintypes

    said = {
        _ELEVATED: "This needs a PowerShell that was started as administrator.",
        _NO_SUCH: f'There is no service "{name}": gateway service install{_named(name)}',
        _THERE_IS: f'There is a service "{name}" already: remove it first, or give another --name.',
    }
    try:
        yield
    except pywintypes.error as error:
        plain = f"Windows refuses it: {error.strerror} ({error.funcname}, {error.winerror})"
        raise CannotServe(said.get(error.winerror, plain)) from error


@contextmanager
def _manager(*, look: bool = False) -> Iterator[Any]:
    win32service = _pywin32()
    wanted = win32service.SC_MANAGER_CONNECT if look else win32service.SC_MANAGER_ALL_ACCESS
    with _explained(""):
        manager = win32service.OpenSCManager(None, None, wanted)
    try:
        yield manager
    finally:
        win32service.CloseServiceHandle(manager)


@contextmanager
def _opened(name: str, *, look: bool = False) -> Iterator[Any]:
    """To `look` at it anybody may."""
    win32service = _pywin32()
    looking = win32service.SERVICE_QUERY_STATUS | win32service.SERVICE_QUERY_CONFIG
    wanted = looking if look else win32service.SERVICE_ALL_ACCESS
    with _manager(look=look) as manager, _explained(name):
        service = win32service.OpenService(manager, name, wanted)
        try:
            yield service
        finally:
            win32service.CloseServiceHandle(service)


def _place(typed: argparse.Namespace) -> None:
    """Whole paths, for the service starts elsewhere; the machine's data folder where none is
    said, for its account has no home."""
    file = find_file(typed.config)
    typed.config = None if file is None else str(file)
    typed.plugins = None
    if typed.data is not None:
        typed.data = str(Path(typed.data).absolute())
    elif file is None or not _says_data(file):
        typed.data = platformdirs.site_data_path("Storage Gateway", appauthor=False).__fspath__()


def _says_data(file: Path) -> bool:
    import tomllib

    try:
        server = tomllib.loads(file.read_text("utf-8-sig")).get("server", {})
    except (OSError, ValueError):  # who loads it says what is wrong
        return True
    return isinstance(server, dict) and ("data" in server or "memory" in server)


def _readable(account: str, config: str | None) -> None:
    """Refuses what lies in a profile, where only its own user may read."""
    if not account.lower().startswith(WITHOUT_PASSWORD[1:]):
        return
    home = Path.home()
    for what, place in (("Python", sys.base_prefix), ("environment", sys.prefix)):
        if Path(place).is_relative_to(home):
            raise CannotServe(
                f"The {what} {place} lies in your own profile, where the account {account} may not"
                " read. Install Python for all users, and this into an environment elsewhere"
                r" (C:\Program Files\Storage Gateway, say); or give --account."
            )
    if config is not None and Path(config).is_relative_to(home):
        raise CannotServe(
            f"The configuration {config} lies in your own profile, where the account {account} may"
            " not read: put it elsewhere, or give --account."
        )


def _password(account: str, file: str | None) -> str | None:
    if account.lower().startswith(WITHOUT_PASSWORD) or account.endswith("$"):
        return None
    if file is None:
        return getpass.getpass(f"Password of {account}: ")
    try:
        return Path(file).read_text("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise CannotServe(f"The file {file} cannot be read: {error.strerror}.") from error


def _display(name: str) -> str:
    return "Storage Gateway" if name == "storage-gateway" else f"Storage Gateway ({name})"


def _named(name: str) -> str:
    return "" if name == "storage-gateway" else f" --name {name}"


def _equip(service: Any, name: str, drain: float) -> None:
    """With what can be said of a service besides. What this Windows does not know is left out."""
    import pywintypes

    win32service = _pywin32()
    restart = win32service.SC_ACTION_RESTART
    for level, value in (
        (win32service.SERVICE_CONFIG_DESCRIPTION, "Serves storage by S3 and other protocols."),
        (win32service.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, True),
        (
            win32service.SERVICE_CONFIG_FAILURE_ACTIONS,
            {
                "ResetPeriod": _DAY,
                "RebootMsg": "",
                "Command": "",
                "Actions": [(restart, after) for after in RESTARTS],
            },
        ),
        (win32service.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, True),
        (win32service.SERVICE_CONFIG_PRESHUTDOWN_INFO, round(latest(drain) + 5) * 1000),
    ):
        try:
            win32service.ChangeServiceConfig2(service, level, value)
        except pywintypes.error as error:
            if error.winerror != _NO_LEVEL:
                raise
    _register(name)


def _register(name: str) -> None:
    """Where the service's environment and the texts of its events are."""
    import winreg as registry

    api: Any = registry
    if sys.prefix != sys.base_prefix:
        with api.CreateKey(api.HKEY_LOCAL_MACHINE, rf"{_SERVICES}\{name}") as key:
            api.SetValueEx(
                key, "Environment", 0, api.REG_MULTI_SZ, [f"{LAUNCHER}={sys.executable}"]
            )
    with api.CreateKey(api.HKEY_LOCAL_MACHINE, rf"{_EVENTS}\{name}") as key:
        messages = r"%SystemRoot%\System32\EventCreate.exe"
        api.SetValueEx(key, "EventMessageFile", 0, api.REG_EXPAND_SZ, messages)
        api.SetValueEx(key, "TypesSupported", 0, api.REG_DWORD, 7)


def _give(account: str, typed: argparse.Namespace, configuration: Configuration) -> None:
    """The account its folders, and nobody else where everybody may look: `gateway.key` is there,
    and files have the rights of their folders. Rights that somebody has chosen stay."""
    assert configuration.data is not None and configuration.logs.file is not None
    sid = _sid(account, typed.name)
    for folder in (configuration.data, configuration.logs.file.parent):
        if folder != configuration.data and folder.is_relative_to(configuration.data):
            continue
        made = not looking.is_there(folder)
        folder.mkdir(parents=True, exist_ok=True)
        ours = made or folder == configuration.data
        if ours and windows_rights.is_open(folder) and folder != Path(folder.anchor):
            windows_rights.close_to_others(folder, sid)
        else:
            windows_rights.allow(folder, sid, write=True)
    if typed.config is not None:
        windows_rights.allow(Path(typed.config), sid, write=False)


def _sid(account: str, name: str) -> str:
    import win32security

    if account.lower() == f"nt service\\{name}".lower():
        return windows_rights.service_sid(name)
    known = account.removeprefix(".\\")
    known = "SYSTEM" if known.lower() == "localsystem" else known
    return str(win32security.ConvertSidToStringSid(win32security.LookupAccountName(None, known)[0]))


def _begin(win32service: Any, service: Any) -> None:
    import pywintypes

    try:
        win32service.StartService(service, None)
    except pywintypes.error as error:
        if error.winerror != _RUNS:
            raise


def _stop(win32service: Any, service: Any) -> None:
    import pywintypes

    try:
        win32service.ControlService(service, win32service.SERVICE_CONTROL_STOP)
    except pywintypes.error as error:
        if error.winerror != _NOT_ACTIVE:
            raise
    if _waited(service, lambda state: state == "stopped", 600) != "stopped":
        raise CannotServe("It does not stop.")


def _waited(service: Any, enough: Callable[[str], bool], seconds: float) -> str:
    win32service = _pywin32()
    until = time.monotonic() + seconds
    while True:
        found = _STATES.get(win32service.QueryServiceStatusEx(service)["CurrentState"], "paused")
        if enough(found) or time.monotonic() > until:
            return found
        time.sleep(0.2)


def _gone(name: str) -> bool:
    """Whether Windows has let go of it, which it does when its process and all who have it open
    have ended."""
    for _ in range(100):
        try:
            with _opened(name, look=True):
                pass
        except CannotServe:
            return True
        time.sleep(0.2)
    return False


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # not there yet, or not to be looked at
        return 0


def _why(log: Path, before: int) -> str:
    """The last that it said of that; "" for nothing."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(before if _size(log) >= before else 0)
        lines = file.read().decode("utf-8", "replace").splitlines()
        found = [line for line in lines if " CRITICAL " in line or '"critical"' in line]
        if found:
            return found[-1].partition(" gateway: ")[2] or found[-1]
    return ""


def _since(pid: int) -> str | None:
    import pywintypes
    import win32api
    import win32process

    limited = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
    try:
        process = win32api.OpenProcess(limited, False, pid)
        made: datetime = win32process.GetProcessTimes(process)["CreationTime"]
    except pywintypes.error:  # another's
        return None
    return made.astimezone().isoformat(timespec="seconds")


def _words(line: str) -> list[str]:
    """As Windows takes a command line apart."""
    shell: Any = ctypes.WinDLL("shell32")  # type: ignore[attr-defined,unused-ignore]
    shell.CommandLineToArgvW.restype = ctypes.POINTER(ctypes.c_wchar_p)
    count = ctypes.c_int()
    found = shell.CommandLineToArgvW(ctypes.c_wchar_p(line), ctypes.byref(count))
    return [str(found[number]) for number in range(count.value)]

"""Who may do what with a folder on Windows: what a service's account needs, and nobody else has.

A new folder has the rights of the one above it; what lies in %PROGRAMDATA% every user of the
machine may read. Needs pywin32.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

SYSTEM, ADMINISTRATORS = "S-1-5-18", "S-1-5-32-544"
EVERYBODY = frozenset({"S-1-1-0", "S-1-5-11", "S-1-5-32-545"})
"""Everyone, Authenticated Users, Users."""


def service_sid(name: str) -> str:
    """That of the account `NT SERVICE\\name`, which each service has: SHA-1 of its name in upper
    case, in UTF-16, as five numbers (as `sc.exe showsid` says it)."""
    digest = hashlib.sha1(name.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return "-".join(map(str, ("S-1-5-80", *struct.unpack("<5I", digest))))


def close_to_others(folder: Path, sid: str) -> None:
    """For the system, its administrators and that account, and nobody else. Raises
    `pywintypes.error`."""
    import win32security

    acl: Any = win32security.ACL()
    for one in (SYSTEM, ADMINISTRATORS, sid):
        _allow(acl, one, _full())
    _set(folder, acl, win32security.PROTECTED_DACL_SECURITY_INFORMATION)


def is_open(folder: Path) -> bool:
    """Whether all users of the machine may look into it. Raises `pywintypes.error`."""
    import win32security

    acl = _acl(folder)
    accounts = (acl.GetAce(number)[2] for number in range(acl.GetAceCount()))
    return any(win32security.ConvertSidToStringSid(one) in EVERYBODY for one in accounts)


def allow(path: Path, sid: str, *, write: bool) -> None:
    """That account may read it, and what is below it, or do anything with it. Raises
    `pywintypes.error`."""
    import ntsecuritycon

    acl = _acl(path)
    read = ntsecuritycon.FILE_GENERIC_READ | ntsecuritycon.FILE_GENERIC_EXECUTE
    _allow(acl, sid, _full() if write else read)
    _set(path, acl, 0)


def _acl(path: Path) -> Any:
    import win32security

    kind = win32security.DACL_SECURITY_INFORMATION
    found = win32security.GetNamedSecurityInfo(str(path), win32security.SE_FILE_OBJECT, kind)
    return found.GetSecurityDescriptorDacl() or win32security.ACL()


def _full() -> int:
    import ntsecuritycon

    return int(ntsecuritycon.FILE_ALL_ACCESS)


def _allow(acl: Any, sid: str, mask: int) -> None:
    import win32security

    inherited = win32security.OBJECT_INHERIT_ACE | win32security.CONTAINER_INHERIT_ACE
    account = win32security.ConvertStringSidToSid(sid)
    acl.AddAccessAllowedAceEx(win32security.ACL_REVISION_DS, inherited, mask, account)


def _set(path: Path, acl: Any, more: int) -> None:
    import win32security

    win32security.SetNamedSecurityInfo(
        str(path),
        win32security.SE_FILE_OBJECT,
        win32security.DACL_SECURITY_INFORMATION | more,
        None,
        None,
        acl,
        None,
    )

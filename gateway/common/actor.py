"""Who acts now: what is written into the catalog's audit beside each change.

Whoever begins an act says so once, in its thread: the application of each request, whose record
knows key and account by the time something is changed, and the command line. What nobody has
begun (a start, a job) is the gateway's own.
"""

from __future__ import annotations

import getpass
import os
import platform
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

COMMAND_LINE = "command line"


class Actor(Protocol):
    """`client`: from where, an address; `mode`: by which door. All "" where there is none."""

    @property
    def request_id(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def account(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Program:
    """An actor that is no request."""

    mode: str
    client: str = ""
    request_id: str = ""
    key_id: str = ""
    account: str = ""


_OURSELVES = Program("gateway")
current: ContextVar[Actor] = ContextVar("actor", default=_OURSELVES)


def command_line() -> Program:
    """The person who types, as this system knows them: `alice@nas`."""
    return Program(COMMAND_LINE, client=f"{_user()}@{platform.node()}")


def _user() -> str:
    if sys.platform == "win32":
        user = getpass.getuser()
    else:
        import pwd

        try:  # not what variables of the environment say
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            user = f"uid-{os.getuid()}"
    return user

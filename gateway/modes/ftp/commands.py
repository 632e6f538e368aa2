"""THE table: each command, with its handler.

A handler gets what stands behind the command, and answers, or raises `Refused` or what a store
raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.modes.ftp import about_connections, about_files, about_transfers, signing_in, transfers
from gateway.modes.ftp.about_connections import always, one_of
from gateway.modes.ftp.replies import Reply
from gateway.modes.ftp.session import Session

Handler = Callable[[Session, str], Reply]


@dataclass(frozen=True, slots=True)
class Command:
    """`known`: for who is logged in. `path`: what stands behind it is one. `noted`: it has a line
    in the access log. `moves`: what was said of the next transfer is over with it."""

    run: Handler
    known: bool = True
    path: bool = False
    noted: bool = False
    moves: bool = False


def _help(_session: Session, _text: str) -> Reply:
    return Reply(214, "Commands:", tuple(sorted(COMMANDS)))


_FOR_ALL = {
    "USER": signing_in.user,
    "AUTH": about_connections.auth,
    "PBSZ": about_connections.pbsz,
    "PROT": about_connections.prot,
    "QUIT": about_connections.quit,
    "FEAT": about_connections.feat,
    "OPTS": about_connections.opts,
    "HELP": _help,
    "NOOP": always(200, "Here."),
    "SYST": always(215, "UNIX Type: L8"),
    "ABOR": always(226, "There is nothing to abort."),
    "ACCT": always(202, "There are none."),
}
_FOR_KNOWN = {
    "STAT": about_connections.stat,
    "TYPE": one_of("A I L", "Bytes go as they are, whatever the type."),
    "MODE": one_of("S", "A stream."),
    "STRU": one_of("F", "A file."),
    "REST": about_transfers.rest,
    "ALLO": about_transfers.allo,
    "PASV": about_transfers.pasv,
    "EPSV": about_transfers.epsv,
    "PORT": about_transfers.port,
    "EPRT": about_transfers.eprt,
    "PWD": about_files.pwd,
}
_ABOUT_PATHS = {
    "CWD": about_files.cwd,
    "CDUP": about_files.cdup,
    "SIZE": about_files.size,
    "MDTM": about_files.mdtm,
    "MLST": about_files.mlst,
    "DELE": about_files.dele,
    "MKD": about_files.mkd,
    "RMD": about_files.rmd,
    "RNFR": about_files.rnfr,
    "RNTO": about_files.rnto,
}
_MOVING = {
    "RETR": transfers.retrieve,
    "STOR": transfers.store,
    "APPE": transfers.append,
    "LIST": transfers.long_list,
    "NLST": transfers.name_list,
    "MLSD": transfers.machine_list,
}
_ALIASES = {"XPWD": "PWD", "XCWD": "CWD", "XCUP": "CDUP", "XMKD": "MKD", "XRMD": "RMD"}
"""RFC 1123 §4.1.3.1: older clients have these."""


def _table() -> Mapping[str, Command]:
    table = {name: Command(run, known=False) for name, run in _FOR_ALL.items()}
    table["PASS"] = Command(signing_in.password, known=False, noted=True)
    table |= {name: Command(run) for name, run in _FOR_KNOWN.items()}
    table |= {name: Command(run, path=True, noted=True) for name, run in _ABOUT_PATHS.items()}
    table |= {
        name: Command(run, path=True, noted=True, moves=True) for name, run in _MOVING.items()
    }
    return table | {name: table[other] for name, other in _ALIASES.items()}


COMMANDS = _table()

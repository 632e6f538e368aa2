"""`gateway flush`: a cache forgets, also while the gateway serves.

A purge is a mark in the cache's folder, which all workers see at once; so it counts for caches
in memory, too, whose entries this process cannot count.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

from gateway.access.identity import ROOT_ACCOUNT, Identity
from gateway.commands.columns import in_line, say
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, has_run, not_run
from gateway.services.chain import ChainError
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import Mark, NoSuchStore, Purge, PurgeKind

_NAMING: dict[PurgeKind, str] = {
    "prefix": "only keys that begin so",
    "key": "only this one, all its variants",
    "tag": "only what its source has given this tag",
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sid", metavar="SID", help="a cache")
    naming = parser.add_mutually_exclusive_group()
    for kind, about in _NAMING.items():
        naming.add_argument(
            f"--{kind}",
            dest="purge",
            metavar=kind.upper(),
            type=partial(_named, kind),
            default=Purge(),
            help=about,
        )
    parser.add_argument(
        "--soft", action="store_true", help="ask anew, and still serve it where the source fails"
    )
    add_place(parser)


def _named(kind: PurgeKind, value: str) -> Purge:
    if not value:
        raise argparse.ArgumentTypeError("it is empty; without it, all is flushed")
    return Purge(kind=kind, value=value)


def _run(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    if not has_run(configuration):
        raise ChainError(f"There is nothing to flush: {not_run(configuration)}")
    purge = replace(typed.purge, soft=typed.soft)
    runtime = open_runtime(configuration)
    try:
        mark = _flushed(runtime, typed.sid, purge)
    finally:
        runtime.close()
    say(f"{typed.sid}: {_told(purge, mark.entries)}")
    return 0


def _flushed(runtime: Runtime, sid: str, purge: Purge) -> Mark:
    identity = Identity(key="cli", account=ROOT_ACCOUNT, access="admin")
    try:
        return runtime.flush(identity, sid, purge)
    except NoSuchStore:
        raise NoSuchStore(f"There is no service {sid!r}.") from None


def _told(purge: Purge, entries: int) -> str:
    what = "all" if purge.kind == "all" else f"what has the {purge.kind} {in_line(purge.value)}"
    done = "is asked for anew" if purge.soft else "is gone"
    return f"{what} {done}" + (f" ({entries} entries)" if entries else "")


COMMAND = Command(
    name="flush",
    text="have a cache forget all, or what is named, also while serving",
    arguments=_arguments,
    run=_run,
)

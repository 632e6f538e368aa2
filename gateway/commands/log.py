"""`gateway log`: what happened in a service, out of its change feed, oldest first.

A line for each change; with `--json` an object of JSON, whose names are those of the standard
mode's `syncnext`. It changes nothing, and ends with what there was when it began.
"""

from __future__ import annotations

import argparse
import json
import sys

from gateway.commands.columns import in_line, say
from gateway.commands.command import Command
from gateway.commands.moments import METAVAR, before, moment, shown
from gateway.commands.one_service import opened_service
from gateway.commands.place import add_place, configured
from gateway.common.units import about_size
from gateway.services.history import pages
from gateway.storage import Change, ChangePage, Changes


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sid", metavar="SID", help="a service or bucket")
    parser.add_argument("--prefix", default="", help="only keys that begin so")
    parser.add_argument(
        "--since",
        metavar=METAVAR,
        type=moment,
        default=0,
        help="what happened from that time on, or after that change",
    )
    parser.add_argument("--json", action="store_true", help="for programs: an object a line")
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    with opened_service(configured(typed), typed.sid) as service:
        feed, prefix = service.need(Changes), service.fold(typed.prefix)
        written = _json if typed.json else _line
        for page in pages(feed, before(feed, typed.since)):
            if page.cut:
                say(f"NOTE: {_cut(page)}", sys.stderr)
            for change in page.changes:
                if change.key.startswith(prefix):
                    print(written(change))
    return 0


def _cut(page: ChangePage) -> str:
    kept = f"before {page.changes[0].sequence}" if page.changes else f"up to {page.last}"
    return f"what happened {kept} is no longer kept"


def _line(change: Change) -> str:
    size = about_size(change.size) if change.etag else ""
    parts = (
        f"{change.sequence:>8}",
        shown(change.time),
        f"{change.kind:<6}",
        f"{size:>10}",
        in_line(change.key),
        f"version {change.version}" if change.version else "",
        f"({in_line(change.cause)})" if change.cause else "",
    )
    return "  ".join(parts).rstrip()


def _json(change: Change) -> str:
    return json.dumps(
        {
            "syncId": change.sequence,
            "kind": change.kind,
            "time": shown(change.time),
            "path": change.key,
            "version": change.version,
            "size": change.size,
            "etag": change.etag,
            "contentType": change.content_type,
            "cause": change.cause,
        }
    )


COMMAND = Command(
    name="log",
    text="what happened in a service, oldest first, also while serving",
    arguments=_arguments,
    run=_run,
)

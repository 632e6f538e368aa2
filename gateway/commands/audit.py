"""`gateway audit`: who changed what in the catalog, newest first, also beside a running gateway."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from gateway.catalog import AuditEntry, Catalog
from gateway.commands.columns import in_line
from gateway.commands.command import Command
from gateway.commands.moments import milliseconds, shown, time
from gateway.commands.place import add_place, configured, opened_catalog

_PAGE = 500


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="TIME", type=time, help="only what came later")
    parser.add_argument("--actor", default="", metavar="WHO", help="a key, account or address")
    parser.add_argument("--action", default="", help='such as "key.add", or "key" for all of these')
    parser.add_argument("--subject", default="", help="what was changed: what that begins with")
    parser.add_argument("--json", action="store_true", help="for programs: an object a line")
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    written = _json if typed.json else _line
    with opened_catalog(configured(typed)) as catalog:
        for entry in _entries(catalog, typed):
            print(written(entry))
    return 0


def _entries(catalog: Catalog, typed: argparse.Namespace) -> Iterator[AuditEntry]:
    since = 0 if typed.since is None else milliseconds(typed.since)
    before: int | None = None
    while page := catalog.audit(
        before,
        _PAGE,
        since=since,
        actor=typed.actor,
        action=typed.action,
        subject=typed.subject,
    ):
        yield from page
        before = page[-1].id


def _line(entry: AuditEntry) -> str:
    who = f"{entry.key} of {entry.account}" if entry.key else ""
    detail = json.dumps(entry.detail, ensure_ascii=False) if entry.detail else ""
    by = ", ".join(filter(None, (who, entry.client, entry.mode)))
    parts = (
        shown(entry.time),
        f"{entry.action:<22}",
        f"{in_line(entry.subject):<24}",
        in_line(detail),
        f"by {in_line(by)}",
    )
    return "  ".join(filter(None, parts))


def _json(entry: AuditEntry) -> str:
    return json.dumps({**entry._asdict(), "time": shown(entry.time)})


COMMAND = Command(
    name="audit",
    text="who changed keys, services, bindings, settings and certificates, newest first",
    arguments=_arguments,
    run=_run,
)

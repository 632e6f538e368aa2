"""Audit: who changed what of the gateway, when, and from where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.paging import numbered, pager
from gateway.modes.operating import AuditInfo
from gateway.web.replies import Reply

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """`detail` are (name, value) as texts."""

    entry: AuditInfo
    detail: tuple[tuple[str, str], ...]


def show(call: Call) -> Reply:
    wanted = {name: call.query.get(name, "").strip() for name in ("actor", "action", "subject")}
    found = call.operator.audit(
        numbered(call),
        _SHOWN + 1,
        actor=wanted["actor"],
        action=wanted["action"],
        subject=wanted["subject"],
    )
    rows = [Row(one, tuple(_told(one.detail))) for one in found[:_SHOWN]]
    return call.show(
        "audit.html",
        rows=rows,
        wanted=wanted,
        filtered=any(wanted.values()),
        pager=pager(call, rows[-1].entry.id if len(found) > _SHOWN else None, **wanted),
    )


def _told(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in detail.items()
    ]


PAGES = (Page(name="ConsoleAudit", path="audit", get=show, title="Audit", reach="everything"),)

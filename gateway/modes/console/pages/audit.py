"""Audit: who changed what of the gateway, when, and from where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import AuditInfo
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """`detail` are (name, value) as texts."""

    entry: AuditInfo
    detail: tuple[tuple[str, str], ...]


def show(call: Call) -> Reply:
    wanted = {name: call.query.get(name, "").strip() for name in ("actor", "action", "subject")}
    before = _before(call.query.get("before", ""))
    found = call.operator.audit(
        before,
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
        first=before is None,
        older=rows[-1].entry.id if len(found) > _SHOWN else "",
    )


def _told(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in detail.items()
    ]


def _before(text: str) -> int | None:
    if not text:
        return None
    if (number := whole_number(text)) is None:
        raise ConsoleProblem("BadRequest", "There is no such place in the list.")
    return number


PAGES = (Page(name="ConsoleAudit", path="audit", get=show, title="Audit", reach="everything"),)

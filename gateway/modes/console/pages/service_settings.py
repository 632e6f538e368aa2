"""Settings of a service that people may write by hand: documents, as the mode has them that owns
each kind, and asked by that mode whether they can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.access.access import Access
from gateway.access.settings import SettingKind
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import Forbidden, Unsupported
from gateway.web.replies import Reply

_LONGEST = 64 << 10
"""Bytes of a document; S3 has no longer CORS configurations, and shorter policies."""


@dataclass(frozen=True, slots=True)
class Editable:
    """`given`: the service has one; `declared`: the configuration says it."""

    name: str
    given: bool
    declared: bool


def editable(call: Call, access: Access) -> list[Editable]:
    """Those that the key may see and change. Of a mode that is off only what there is."""
    found = list[Editable]()
    if not edits(call, access):
        return found
    for name, kind in sorted(call.gateway.kinds.items()):
        if kind.example and access.may(kind.read) and access.may(kind.write):
            version = _version(call, access, kind)
            if version is not None or name in call.gateway.offered:
                found.append(Editable(name, version is not None, version == 0))
    return found


def edits(call: Call, access: Access) -> bool:
    """Whoever has the service, or manages everything: what others may set of it by its rules, they
    do through the API that knows such rules."""
    owns = call.identity.access == "own" and call.identity.account == access.service.owner
    return owns or call.identity.manages_everything


def _version(call: Call, access: Access, kind: SettingKind[Any]) -> int | None:
    try:
        found = call.gateway.setting(access, kind)
    except ValueError:  # it cannot be read any more: it is there
        return 1
    return None if found is None else found.version


def show(call: Call) -> Reply:
    access, kind = _asked(call)
    try:
        found = call.gateway.setting(access, kind)
    except ValueError as error:
        return _page(call, kind, "", True, f"What there is cannot be read: {error}")
    if found is None:
        return _page(call, kind, kind.example.replace("BUCKET", access.service.sid), False)
    return _page(call, kind, found.document, True, declared=found.version == 0)


def change(call: Call) -> Reply:
    access, kind = _asked(call)
    if call.form.get("remove") == "1":
        call.gateway.remove_setting(access, kind)
        call.gateway.look()
        return call.see(f"services/{access.service.sid}", "setting-removed")
    document = call.form.get("document", "").replace("\r\n", "\n")
    trouble = _set(call, access, kind, document)
    if trouble:
        there = _version(call, access, kind) is not None
        return _page(call, kind, document, there, trouble, 422)
    return call.see(f"services/{access.service.sid}", "setting")


def _set(call: Call, access: Access, kind: SettingKind[Any], document: str) -> str:
    """Why it cannot be; "" when it is set."""
    if len(document.encode()) > _LONGEST:
        return f"A document has {_LONGEST} bytes at most."
    try:
        call.gateway.set_setting(access, kind, kind.parsed(document))
    except ValueError as error:
        return str(error)
    except Unsupported as error:
        return error.message
    call.gateway.look()
    return ""


def _asked(call: Call) -> tuple[Access, SettingKind[Any]]:
    access, kind = call.access(call.values["sid"]), call.gateway.kinds.get(call.values["kind"])
    if kind is None or not kind.example:
        raise ConsoleProblem("NotFound")
    if not edits(call, access):
        raise Forbidden
    access.require(kind.read)
    return access, kind


def _page(
    call: Call,
    kind: SettingKind[Any],
    document: str,
    given: bool,
    trouble: str = "",
    status: int = 200,
    *,
    declared: bool = False,
) -> Reply:
    return call.show(
        "service-setting.html",
        status,
        sid=call.values["sid"],
        kind=kind.name,
        document=document,
        given=given,
        trouble=trouble,
        declared=declared,
    )


PAGES = (
    Page(
        name="ConsoleSetting",
        path="services/{sid}/settings/{kind}",
        get=show,
        post=change,
        section="services",
    ),
)

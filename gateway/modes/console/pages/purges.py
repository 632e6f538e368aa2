"""Purges: caches are made to forget; jobs of zones, as far as they are; and what was forgotten
last, for who manages the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page, reaches
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import AuditInfo
from gateway.modes.purge_jobs import PurgeJob
from gateway.storage import Purge, PurgeKind, Purges
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

KINDS: Mapping[PurgeKind, str] = {
    "all": "Everything",
    "prefix": "Keys that begin with",
    "key": "This key, with all its variants",
    "tag": "What its source has given this tag",
}
_SHOWN = 50


def show(call: Call) -> Reply:
    return _page(call, {"sid": call.query.get("sid", "")})


def purge(call: Call) -> Reply:
    form = call.form
    sid, value = form.text("sid"), form.get("value", "")
    kind = next((one for one in KINDS if one == form.get("kind")), None)
    if kind is None:
        raise ConsoleProblem("BadRequest")
    if kind == "all" and form.text("confirm") != sid:
        return _page(call, form, f"To have it forget everything, type {sid} below.")
    if kind != "all" and not value:
        return _page(call, form, "Say what is to be forgotten.")
    wanted = Purge(kind=kind, value="" if kind == "all" else value, soft=form.get("soft") == "1")
    call.access(sid)
    mark = call.gateway.flush(call.identity, sid, wanted, call.facts)
    return call.see("purges", "done", sid=sid, entries=mark.entries)


def _page(call: Call, form: Mapping[str, str], trouble: str = "") -> Reply:
    return call.show(
        "purges.html",
        422 if trouble else 200,
        caches=[(sid, sid) for sid in _caches(call)],
        kinds=KINDS,
        form={name: form.get(name, "") for name in ("sid", "kind", "value", "soft")},
        trouble=trouble,
        entries=whole_number(call.query.get("entries", "")),
        last=_last(call),
        jobs=_jobs(call),
        everything=call.identity.manages_everything,
    )


def _last(call: Call) -> Sequence[AuditInfo]:
    if not call.identity.manages_everything:
        return ()
    return call.operator.audit(limit=_SHOWN, action="cache.flush")


def _jobs(call: Call) -> Sequence[PurgeJob] | None:
    """None where there are no zones, or the key has none."""
    if not (call.gateway.zones.offered and reaches(call.identity, "owner")):
        return None
    every = call.identity.manages_everything
    return call.gateway.purge_jobs.list(call.identity, limit=_SHOWN, every=every)


def _caches(call: Call) -> list[str]:
    """Those that the key may have forget."""
    return [
        one.service.sid
        for one in call.gateway.services(call.identity, call.facts)
        if one.service.has(Purges) and one.may("flush")
    ]


PAGES = (
    Page(
        name="ConsolePurges",
        path="purges",
        get=show,
        post=purge,
        title="Purges",
        said={"done": "What you named is let go of."},
    ),
)

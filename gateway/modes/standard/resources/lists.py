"""Lists: of services, of files, of a file's versions."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.access.access import Access
from gateway.modes.standard import details, versions, wire
from gateway.modes.standard.call import Call
from gateway.storage import ListQuery, VersionEntry, VersionPage, VersionQuery
from gateway.storage.paging import LIMIT
from gateway.web.api import tokens
from gateway.web.api.parameters import wrong
from gateway.web.replies import Reply


def servicelist(call: Call) -> Reply:
    found = call.gateway.services(call.identity, call.facts)
    visible = {one.service.sid for one in found}
    after, limit = call.after(), call.values["limit"]
    if after is not None:
        found = [one for one in found if one.service.sid > after[0]]
    page = found[:limit]
    following = tokens.token(page[-1].service.sid) if len(found) > limit else None
    services = [_service(one, visible) for one in page]
    return wire.reply({"services": services, "next": following})


def _service(access: Access, visible: set[str]) -> wire.Item:
    service = access.service
    about = service.about
    able, unknown = service.capabilities()
    item: wire.Item = {
        "sid": about.sid,
        "name": about.name or about.sid,
        "type": about.driver,
        "access": "write" if access.might("write") else "read",
        # Who may not see the service behind does not learn its name either.
        "source": about.source if about.source in visible else None,
        "capabilities": [f"{name[0].lower()}{name[1:]}" for name in able],
    }
    if unknown is not None:
        item["incomplete"] = True
    return item


def filelist(call: Call) -> Reply:
    values, after = call.values, call.after()
    page = call.access.list(
        ListQuery(
            prefix=values["prefix"] or "",
            delimiter=values["delimiter"] or "",
            after="" if after is None else after[0],
            limit=values["limit"],
        )
    )
    return wire.reply(
        {
            "files": [*map(wire.file, page.entries)],
            "prefixes": page.prefixes,
            "next": None if page.next is None else tokens.token(page.next),
        }
    )


def versionlist(call: Call) -> Reply:
    if call.values["path"] is None:
        return _all_versions(call)
    path, limit, after = (
        call.access.service.fold(call.path),
        call.values["limit"],
        call.after(2),
    )
    if after is not None and after[0] != path:
        raise wrong("after", "the `next` of a page of this file")
    older_than = None if after is None else after[1]
    page = _versions(call.access, path, older_than, min(limit + 1, LIMIT))
    found = [one for one in page.entries if one.key == path]
    # One more than asked for tells whether there are more; of the most that a store gives,
    # whether it has more of this file.
    more = len(found) > limit or (page.next == path and len(found) == len(page.entries))
    found = found[:limit]
    following = tokens.token(path, found[-1].version) if more and found else None
    return wire.reply({"versions": _said(call, found), "next": following})


def _all_versions(call: Call) -> Reply:
    key, version = call.after(2) or ("", "")
    query = VersionQuery(after=key, after_version=version, limit=call.values["limit"])
    page = call.access.versions(query)
    following = None if page.next is None else tokens.token(page.next, page.next_version)
    return wire.reply({"versions": _said(call, page.entries), "next": following})


def _said(call: Call, entries: Iterable[VersionEntry]) -> list[wire.Item]:
    if not call.values["details"]:
        return [*map(wire.version, entries)]
    return [{**wire.version(one), "details": _details(call, one)} for one in entries]


def _details(call: Call, entry: VersionEntry) -> wire.Item | None:
    if entry.marker:
        return None
    named = versions.name(entry.version, entry.etag)
    return details.of_version(call.access, entry.key, named)


def _versions(access: Access, path: str, older_than: str | None, limit: int) -> VersionPage:
    """Newest first, beginning with this file's."""
    if older_than is None:
        return access.versions(VersionQuery(prefix=path, limit=limit))
    return access.versions(
        VersionQuery(prefix=path, after=path, after_version=older_than, limit=limit)
    )

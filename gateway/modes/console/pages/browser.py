"""The Browser: the services, and what is in one, folder by folder and page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.access.access import Access
from gateway.modes.console import object_names
from gateway.modes.console.browsing import uploading
from gateway.modes.console.browsing.abilities import Abilities
from gateway.modes.console.browsing.browsed import PLACE, Browsed, keys_of
from gateway.modes.console.browsing.rows import rows
from gateway.modes.console.call import Call
from gateway.modes.console.object_names import DELIMITER
from gateway.modes.console.page import Page
from gateway.modes.console.pages import (
    browser_deleting,
    browser_files,
    browser_object,
    browser_sharing,
    browser_uploading,
)
from gateway.modes.console.paging import pager, position
from gateway.storage import Forbidden, ListPage, ListQuery, Measures, StorageError
from gateway.web.replies import Reply

LIMITS = (100, 250, 1000)
"""Rows of a page, of which one may choose."""

_SERVICES = 100


# services


@dataclass(frozen=True, slots=True)
class Shown:
    """A service in the list. `objects` and `bytes` are None where it does not count them."""

    sid: str
    name: str
    driver: str
    writable: bool
    volume: str = ""
    objects: int | None = None
    bytes: int | None = None


def services(call: Call) -> Reply:
    """Those in which the key may see something, and how much is in them."""
    starts, after = call.query.get("starts", ""), position(call).after
    found = [
        one
        for one in call.gateway.services(call.identity, call.facts)
        if one.service.sid.startswith(starts) and one.service.sid > after
    ]
    page = found[:_SERVICES]
    following = page[-1].service.sid if len(found) > len(page) else None
    return call.show(
        "browser_services.html",
        services=[*map(_shown, page)],
        starts=starts,
        pager=pager(call, following, starts=starts),
    )


def _shown(access: Access) -> Shown:
    about = access.service.about
    try:
        measures = access.service.find(Measures) if access.may("read-stats") else None
        stats = None if measures is None else measures.stats()
        writable = Abilities.of(access).writes
    except StorageError:  # of an upstream that does not answer nothing is known
        stats, writable = None, False
    counted = (None, None) if stats is None else (stats.current, stats.bytes)
    name = about.name or about.sid
    return Shown(about.sid, name, about.driver, writable, about.volume, *counted)


# what is in one


def listing(call: Call) -> Reply:
    seen, prefix, at = Browsed(call), _prefix(call), position(call)
    limit = _limit(call)
    refused = False
    page = ListPage()
    if seen.able.lists:
        query = ListQuery(prefix=prefix, delimiter=DELIMITER, after=at.after, limit=limit)
        try:
            page = seen.access.list(query)
        except Forbidden:  # of another prefix it may be allowed
            refused = True
    folder = object_names.folder_of(prefix)
    return call.show(
        "browser.html",
        403 if refused else 200,
        seen=seen,
        able=seen.able,
        prefix=prefix,
        folder=folder,
        starts=prefix[len(folder) :],
        crumbs=[*object_names.crumbs(folder)],
        rows=rows(page, prefix),
        first=not at.after,
        pager=pager(call, page.next, prefix=prefix, limit=limit),
        limit=limit,
        limits=[(str(one), f"{one:,}") for one in LIMITS],
        refused=refused,
        whole=uploading.SMALLEST if seen.able.multipart else call.gateway.options.max_body,
    )


def _prefix(call: Call) -> str:
    """As a link says it; or as the form does, whose fields are the folder and what was typed."""
    query = call.query
    if "prefix" in query:
        return query["prefix"]
    (folder,) = keys_of([query.get("folder", "")])
    return folder + query.get("starts", "")


def _limit(call: Call) -> int:
    said = call.query.get("limit", "")
    return next((one for one in LIMITS if said == str(one)), LIMITS[0])


def _page(name: str, path: str = "", **more: Any) -> Page:
    path = f"{PLACE}/{{sid}}/{path}" if path else f"{PLACE}/{{sid}}"
    return Page(name=f"Console{name}", path=path, section=PLACE, **more)


PAGES = (
    Page(name="ConsoleBrowser", path=PLACE, get=services, title="Browser"),
    _page(
        "Objects",
        get=listing,
        said={
            "deleted": "Deleted.",
            "uploaded": "Uploaded.",
        },
    ),
    _page(
        "Object",
        "object",
        get=browser_object.about,
        said={
            "restored": "The version was restored: a copy of it is the current one.",
            "version-deleted": "The version was deleted for good.",
        },
    ),
    _page("Download", "get", get=browser_files.download),
    _page("View", "view", get=browser_files.view, embedded=True),
    _page("Share", "share", post=browser_sharing.share),
    _page("Restore", "restore", post=browser_object.restore),
    _page(
        "Delete",
        "delete",
        post=browser_deleting.delete,
        form_limit=browser_deleting.FORM_LIMIT,
    ),
    _page("DeleteVersion", "delete-version", post=browser_deleting.delete_version),
    _page("UploadForm", "upload", post=browser_uploading.form, body="multipart"),
    _page("Put", "put", post=browser_uploading.put, body="stream"),
    _page("BeginUpload", "begin", post=browser_uploading.begin, body="stream"),
    _page("Parts", "parts", get=browser_uploading.parts),
    _page("PutPart", "part", post=browser_uploading.part, body="stream"),
    _page("CompleteUpload", "complete", post=browser_uploading.complete, body="stream"),
    _page("CancelUpload", "abort", post=browser_uploading.abort, body="stream"),
)

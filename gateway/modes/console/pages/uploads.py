"""Uploads in parts that are under way: of each service, how old they are and how much is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gateway.access.access import Access
from gateway.modes.console.browsing.abilities import Abilities
from gateway.modes.console.browsing.browsed import Browsed
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.paging import no_place, pager, position
from gateway.storage import (
    Forbidden,
    Measures,
    NoSuchUpload,
    StorageError,
    Upload,
    UploadQuery,
)
from gateway.storage.paging import LIMIT
from gateway.web.api import tokens
from gateway.web.replies import Reply

_SERVICES = 100
_SHOWN = 50
"""Uploads on a page: each is asked for its parts."""


@dataclass(frozen=True, slots=True)
class Taking:
    """A service that takes uploads in parts. `uploads` and `waiting`: how many are under way, and
    the bytes of their parts; None where it does not count them, or not for this key."""

    sid: str
    driver: str
    uploads: int | None = None
    waiting: int | None = None


def services(call: Call) -> Reply:
    """Those that take uploads in parts."""
    after = position(call).after
    found = (
        taking
        for one in call.gateway.services(call.identity, call.facts)
        if one.service.sid > after and (taking := _taking(one)) is not None
    )
    page = [*islice(found, _SERVICES + 1)]
    following = page[_SERVICES - 1].sid if len(page) > _SERVICES else None
    return call.show("uploads.html", services=page[:_SERVICES], pager=pager(call, following))


def _taking(access: Access) -> Taking | None:
    about = access.service.about
    try:
        if not Abilities.of(access).uploads:
            return None
        measures = access.service.find(Measures) if access.may("read-stats") else None
        if measures is None:
            return Taking(about.sid, about.driver)
        stats = measures.stats()
    except StorageError:  # of an upstream that does not answer nothing is known
        return None
    return Taking(about.sid, about.driver, stats.uploads, stats.waiting)


@dataclass(frozen=True, slots=True)
class Row:
    """An upload, with the number and the bytes of its parts; None where the key may not know.
    `more`: these are the first, and there are others."""

    upload: Upload
    parts: int | None = None
    size: int | None = None
    more: bool = False
    age: str = ""


def listing(call: Call) -> Reply:
    seen = Browsed(call)
    after, upload = _place(call)
    page = seen.access.uploads(UploadQuery(after=after, after_upload=upload, limit=_SHOWN))
    following = None if page.next is None else tokens.token(page.next, page.next_upload)
    return call.show(
        "uploads_of.html",
        seen=seen,
        able=seen.able,
        rows=[*_rows(seen.access, page.uploads, call.gateway.clock())],
        pager=pager(call, following),
    )


def _place(call: Call) -> Sequence[str]:
    """The key and the upload after which the page begins. Raises `ConsoleProblem`."""
    after = position(call).after
    try:
        return tokens.parts_of(after, 2) if after else ("", "")
    except ValueError:
        raise no_place() from None


def _rows(access: Access, uploads: Sequence[Upload], now: int) -> Iterator[Row]:
    for one in uploads:
        age = since(now - one.begun) if one.begun > 0 else ""
        try:
            parts = access.parts(one.key, one.id, 0, LIMIT)
        except NoSuchUpload:  # it is over by now
            continue
        except Forbidden:
            yield Row(one, age=age)
        else:
            size = sum(part.size for part in parts)
            yield Row(one, len(parts), size, len(parts) == LIMIT, age)


_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))


def since(milliseconds: int) -> str:
    """For people, in the largest unit of which there is one: "3 days"."""
    for name, seconds in _UNITS:
        count = milliseconds // (seconds * 1000)
        if count > 0:
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"


def abort(call: Call) -> Reply:
    seen = Browsed(call)
    try:
        seen.access.abort(seen.key, call.query.get("upload", ""))
    except NoSuchUpload:
        return call.see(f"uploads/{seen.sid}", "over")
    return call.see(f"uploads/{seen.sid}", "aborted")


PAGES = (
    Page(name="ConsoleUploads", path="uploads", get=services, title="Uploads"),
    Page(
        name="ConsoleUploadsOfService",
        path="uploads/{sid}",
        get=listing,
        section="uploads",
        said={
            "aborted": "The upload was aborted: its parts are gone.",
            "over": "That upload is over by now.",
        },
    ),
    Page(name="ConsoleAbortUpload", path="uploads/{sid}/abort", post=abort, section="uploads"),
)

"""Uploads in parts that are under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.access.access import Access
from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.storage import Forbidden, NoSuchUpload, Upload, UploadPage, UploadQuery
from gateway.web.api import tokens
from gateway.web.replies import Reply

_PAGE = 1000


def get_all(call: Call) -> Reply:
    access, (after, upload) = call.bucket, call.after(2) or ("", "")
    page = access.uploads(UploadQuery(after=after, after_upload=upload, limit=call.values["limit"]))
    following = None if page.next is None else tokens.token(page.next, page.next_upload)
    items = [item for one in page.uploads if (item := _item(call, access, one)) is not None]
    return wire.reply(wire.page("uploads", items, following))


def _item(call: Call, access: Access, upload: Upload) -> wire.Item | None:
    """None when it has ended meanwhile."""
    try:
        parts = _measured([part.size for part in access.all_parts(upload.key, upload.id)])
    except NoSuchUpload:
        return None
    except Forbidden:  # who may list uploads need not be one who may list their parts
        parts = dict.fromkeys(_measured([]))
    return {
        "upload_id": upload.id,
        "object_key": upload.key,
        "initiated_by": call.user(upload.options.owner),
        "content_type": upload.options.content_type,
        "initiated_at": wire.time(upload.begun),
        **parts,
    }


def _measured(sizes: Sequence[int]) -> wire.Item:
    size = sum(sizes)
    return {"part_count": len(sizes), "total_size": size, "total_size_human": wire.human(size)}


def abort(call: Call) -> Reply:
    access, wanted = call.bucket, call.values["upload_id"]
    found = next((one for one in _all(access) if one.id == wanted), None)
    if found is None:
        raise NoSuchUpload(upload=wanted)
    access.abort(found.key, found.id)
    return wire.done()


def _all(access: Access) -> Iterator[Upload]:
    """Page by page: an upload's id says nothing of its key."""
    page, more = UploadPage(), UploadQuery(limit=_PAGE)
    while True:
        page = access.uploads(more)
        yield from page.uploads
        if page.next is None:
            return
        more = UploadQuery(after=page.next, after_upload=page.next_upload, limit=_PAGE)

"""An object's bytes: to be kept, or to be looked at on its page.

What somebody has stored is not the console's: it is sent with a policy that lets it run nothing,
and, unless it is one of the kinds that are shown, never as a page.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.common.moments import http_date
from gateway.modes.console import security
from gateway.modes.console.browsing import dispositions, media_types
from gateway.modes.console.browsing.browsed import Browsed
from gateway.modes.console.call import Call
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import BytesBody, Get, ObjectInfo, Range, range_of
from gateway.web import http_ranges
from gateway.web.http_fields import Headers, byte_range, quoted, value
from gateway.web.replies import Reply

_TEXT = "text/plain; charset=utf-8"


def download(call: Call) -> Reply:
    """All of it, or the range that is asked for, as a file."""
    seen = Browsed(call)
    key = seen.key
    headers = [("content-disposition", dispositions.attachment(key))]
    return _answer(call, seen, Get(version=seen.version, range=_range(call)), headers, "")


def view(call: Call) -> Reply:
    """What may be shown, and nothing else; of a text its beginning."""
    seen = Browsed(call)
    info = seen.access.stat(seen.key, Get(version=seen.version))
    kind = media_types.preview(info.content_type, info.key)
    if kind is None:
        raise ConsoleProblem("UnsupportedMediaType", "What this object is cannot be shown here.")
    want = Get(version=seen.version, range=_range(call))
    headers = [("content-disposition", dispositions.inline(info.key))]
    if kind != "text":
        return _answer(call, seen, want, headers, media_types.kind_of(info.content_type, info.key))
    if not info.size:
        return Reply(200, [("content-type", _TEXT), *headers], b"")
    want = replace(want, range=Range(0, media_types.TEXT_SHOWN - 1))
    return _answer(call, seen, want, headers, _TEXT, whole=True)


def _range(call: Call) -> Range | None:
    text = call.environ.get("HTTP_RANGE")
    return byte_range(text) if text else None


def _answer(
    call: Call, seen: Browsed, want: Get, headers: Headers, kind: str, *, whole: bool = False
) -> Reply:
    """`kind`: in place of the object's own type. `whole`: what is sent is all that there is to
    be asked for."""
    environ, key = call.environ, seen.key
    if_range = environ.get("HTTP_IF_RANGE") if want.range is not None and not whole else None
    if environ["REQUEST_METHOD"] == "HEAD":
        info, want = http_ranges.read(lambda wish: seen.access.stat(key, wish), want, if_range)
        start, length = (0, info.size) if want.range is None else range_of(info, want)
        partial = want.range is not None and length and not whole
        said = [*headers, *_described(info, kind)]
        said += http_ranges.extent(info, start, length) if partial else []
        return Reply(206 if partial else 200, said, length=length)
    opened, want = http_ranges.read(lambda wish: seen.access.get(key, wish), want, if_range)
    said = [*headers, *_described(opened.info, kind)]
    partial = want.range is not None and opened.length and not whole
    said += http_ranges.extent(opened.info, opened.start, opened.length) if partial else []
    status = 206 if partial else 200
    if isinstance(opened.body, BytesBody):
        return Reply(status, said, opened.body.data)
    return Reply(status, said, opened.body, opened.length)


def _described(info: ObjectInfo, kind: str) -> Headers:
    headers = [
        ("content-type", value(kind or info.content_type)),
        ("content-security-policy", security.CONTENT_POLICY),
        ("accept-ranges", "bytes"),
        ("etag", quoted(info.etag)),
        ("last-modified", http_date(info.modified)),
    ]
    coding = [text for name, text in info.headers if name.lower() == "content-encoding"]
    if coding:  # what was stored packed is unpacked by who gets it
        headers.append(("content-encoding", value(", ".join(coding))))
    return [(name, text) for name, text in headers if text != '""']

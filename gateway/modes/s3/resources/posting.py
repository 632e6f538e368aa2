"""Uploads by browsers' forms: PostObject.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_plus, urlsplit

from gateway.common.xml import document, element
from gateway.modes.s3 import bodies, causes, constraints, replies, sums
from gateway.modes.s3.bodies import Body
from gateway.modes.s3.forms import fields, post_policy, signature
from gateway.modes.s3.forms.fields import Submission
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Headers, Reply
from gateway.modes.s3.request import S3Request, check_key
from gateway.modes.s3.resources import objects
from gateway.storage import PIECE, ObjectInfo

_SLACK = 1 << 20
"""Bytes of a body that are surely not its file's."""


def post_object(request: S3Request) -> Reply:
    if request.authenticated.credential is not None:
        raise S3Problem(
            "InvalidRequest", "An upload by a form is signed in its fields, and nowhere else."
        )
    size = bodies.announced(request, bodies.LARGEST_PUT + _SLACK)
    bodies.admit(request)  # its fields come at the client's pace, too
    submission = fields.read(request, size)
    given = submission.fields
    if not given.get("key"):
        raise fields.missing("key")
    gateway, now = request.gateway, request.gateway.clock()
    request.authenticated = signature.who(given, gateway.keys, now_ms=now, region=request.region)
    _is_of(request, given["key"])
    fields.fold(request, given)
    request.require()
    sizes = [(0, min(bodies.LARGEST_PUT, gateway.options.max_body))]
    if "policy" in given:
        allowed = post_policy.parse(given["policy"])
        allowed.check(request.bucket, given, now)
        sizes += allowed.sizes
    if given.get("bucket", request.bucket) != request.bucket:
        raise fields.wrong("bucket", "The form is for another bucket.", given["bucket"])
    constraints.check(request, "PutObject")
    source = _File(submission, max(least for least, _ in sizes), min(most for _, most in sizes))
    source.refuse(size - _SLACK)
    body = Body(source, None, sums.of_form(request), bodies.content_md5(request))
    info, said = objects.store(request, body, causes.FORM)
    return _answer(request, given, info, said)


def _is_of(request: S3Request, key: str) -> None:
    """Now it is known of which object the request is, and who makes it."""
    check_key(key)
    request.key = key
    record = request.environ["gateway.record"]
    record.key, record.key_id = key, request.identity.key
    record.account = request.identity.account


class _File:
    """The file of a form, of `least` to `most` bytes. `read` raises EntityTooLarge and
    EntityTooSmall, and at the end what is wrong with the form behind it."""

    def __init__(self, submission: Submission, least: int, most: int) -> None:
        self._submission, self._part = submission, submission.file
        self._least, self._most = least, most
        self._size, self._done = 0, False

    def read(self, size: int = PIECE, /) -> bytes:
        if self._done:
            return b""
        piece = self._part.read(size)
        self._size += len(piece)
        if self._size > self._most:
            while more := self._part.read():  # the answer says how many there are
                self._size += len(more)
            self.refuse(self._size)
        if not piece:
            self._end()
        return piece

    def refuse(self, size: int) -> None:
        """Raise EntityTooLarge for a file that has at least so many bytes and may not."""
        if size > self._most:
            raise S3Problem(
                "EntityTooLarge", ProposedSize=str(size), MaxSizeAllowed=str(self._most)
            )

    def _end(self) -> None:
        self._submission.end()
        if self._size < self._least:
            raise S3Problem(
                "EntityTooSmall", ProposedSize=str(self._size), MinSizeAllowed=str(self._least)
            )
        self._done = True

    def close(self) -> None:
        """The server closes its input."""


# the answer


def _answer(request: S3Request, given: Mapping[str, str], info: ObjectInfo, said: Headers) -> Reply:
    after = given.get("success_action_redirect") or given.get("redirect") or ""
    if _is_address(after):
        return Reply(303, [*said, ("location", _with_result(after, request, info))])
    said.append(("location", replies.value(request.location)))
    status = given.get("success_action_status")
    if status == "201":
        return replies.xml(
            document(
                "PostResponse",
                element("Location", request.location),
                element("Bucket", request.bucket),
                element("Key", request.key),
                element("ETag", replies.quoted(info.etag)),
                namespace="",
            ),
            headers=said,
            status=201,
        )
    return Reply(200 if status == "200" else 204, said)


def _is_address(text: str) -> bool:
    """Whether a browser may be sent there; anything else counts as if it were not given."""
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.netloc) and text.isprintable()


def _with_result(address: str, request: S3Request, info: ObjectInfo) -> str:
    result = "&".join(
        f"{name}={quote_plus(text)}"
        for name, text in (
            ("bucket", request.bucket),
            ("key", request.key),
            ("etag", replies.quoted(info.etag)),
        )
    )
    base, mark, fragment = address.partition("#")
    return replies.value(f"{base}{'&' if '?' in base else '?'}{result}{mark}{fragment}")

"""The mode of websites: buckets served as their website configuration says, to browsers.

It is reached by bindings, and by nothing else. Which bucket a request is for, its binding
says: by `service`; else by what stands for the `*` of its host; else the bucket has the name
of the host that is asked, as at AWS.

| asked for | answer |
|---|---|
| anything, where all is sent elsewhere | 301 |
| a key of a routing rule that waits for no error | its redirect |
| "" or what ends in `/` | the index document there |
| an object with a redirect of its own | 301 |
| what may not be read or is not there, where it is a folder with an index document | 302 to `…/` |
| what gives an error of a routing rule | its redirect |
| what gives another error from 400 on, to 499 | the error document, with that status |

May surprise: nobody is authenticated here; what is not for everybody is 403. Parameters of the
query say nothing. A key that is missing is 403, too, where not everybody may list the bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from gateway.modes import Gateway, WSGIApp
from gateway.modes.s3 import cross_origin, errors, replies
from gateway.modes.s3.application import S3Application
from gateway.modes.s3.configuration import website
from gateway.modes.s3.configuration.website import Redirect, RoutingRule, Website
from gateway.modes.s3.delivery.access_logs import Logged
from gateway.modes.s3.problems import TABLE, S3Problem
from gateway.modes.s3.redirects import NAME
from gateway.modes.s3.replies import Headers, Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import objects
from gateway.storage import NOTHING, BytesBody, Get, StorageError
from gateway.web import request_head

OPERATIONS = {"GET": "WebsiteGet", "HEAD": "WebsiteHead"}
_METHODS = {"GET": objects.get_object, "HEAD": objects.head_object}


class WebsiteApplication(S3Application):
    """Any request → a page, or where to go for it."""

    def done(self, environ: dict[str, Any]) -> Reply:
        bucket = bucket_of(environ)
        if not bucket:
            raise S3Problem("NoSuchBucket")
        request = S3Request(environ, self.gateway, bucket)
        request.query = NOTHING
        record = environ["gateway.record"]
        record.operation = OPERATIONS.get(request.method, "")
        record.sid, record.key = bucket, request.key
        if request.method == "OPTIONS":
            return cross_origin.preflight(request)
        if request.method not in _METHODS:
            raise S3Problem(
                "MethodNotAllowed",
                Method=request.method,
                ResourceType="OBJECT",
                Allow=", ".join(_METHODS),
            )
        if cross_origin.ORIGIN in environ:
            cross_origin.prepare(request)
        site = request.obeyed(website.SETTING.kind)
        if site is None:
            raise S3Problem("NoSuchWebsiteConfiguration", BucketName=bucket)
        return _served(request, site)

    def document(
        self, error: StorageError | S3Problem, path: str, environ: dict[str, Any]
    ) -> tuple[str, Reply]:
        """A page that says what is wrong, where the site has none."""
        code, reply = errors.reply(error, path, environ)
        if reply.status == 304:
            return code, reply
        message = errors.message_of(error)
        said = [one for one in reply.headers if one[0] != "content-type"]
        said += [
            ("x-amz-error-code", code),
            ("x-amz-error-message", replies.value(message)),
            ("content-type", "text/html; charset=utf-8"),
        ]
        body = _page(reply.status, code, message, environ["gateway.request_id"])
        return code, Reply(reply.status, said, body)


def bucket_of(environ: dict[str, Any]) -> str:
    """The bucket whose site is asked for."""
    binding = environ.get("gateway.binding")
    host = request_head.host(environ)
    if binding is None:
        return host
    if binding.service:
        return str(binding.service)
    below = binding.host or ""
    return host.removesuffix(below[1:]) if below.startswith("*.") else host


def _served(request: S3Request, site: Website) -> Reply:
    asked = request.key
    if site.everything is not None:
        return _sent(request, site.everything, asked)
    rule = site.rule(asked, None)
    if rule is not None:
        return _sent_by(request, rule, asked)
    request.key = site.page(asked)
    try:
        reply = _METHODS[request.method](request)
    except (StorageError, S3Problem) as error:
        return _instead(request, site, asked, error)
    location = next((text for name, text in reply.headers if name == NAME), None)
    if location is None:
        return reply
    if not isinstance(reply.body, bytes):
        reply.body.close()
    return Reply(301, [("location", location)])


def _instead(
    request: S3Request, site: Website, asked: str, error: StorageError | S3Problem
) -> Reply:
    """What is answered in place of an error. Raises it when there is nothing."""
    code = errors.code_of(error)
    status = TABLE[code][0]
    if status in (403, 404) and asked and not asked.endswith("/"):
        folder = f"{asked}/"
        if _is_there(request, site.page(folder)):
            return Reply(302, [("location", _path(request, folder))])
    rule = site.rule(asked, status)
    if rule is not None:
        return _sent_by(request, rule, asked)
    if not site.error or not 400 <= status < 500:
        raise error
    try:
        opened = request.access.get(site.error, Get())
    except StorageError:
        raise error from None
    said: Headers = [*replies.described(opened.info), ("x-amz-error-code", code)]
    record = request.environ["gateway.record"]
    record.code = code
    if isinstance(opened.body, BytesBody):
        return Reply(status, said, opened.body.data)
    return Reply(status, said, opened.body, opened.length)


def _is_there(request: S3Request, key: str) -> bool:
    try:
        request.access.stat(key, Get())
    except StorageError:
        return False
    return True


# where else to go


def _sent_by(request: S3Request, rule: RoutingRule, asked: str) -> Reply:
    return _sent(request, rule.redirect, rule.key(asked))


def _sent(request: S3Request, redirect: Redirect, key: str) -> Reply:
    protocol = redirect.protocol or request.environ["wsgi.url_scheme"]
    query = request.environ.get("QUERY_STRING", "")
    path = f"/{quote(key, safe='/~')}" if redirect.host else _path(request, key)
    address = f"{protocol}://{redirect.host or request.host}{path}{query and '?'}{query}"
    return Reply(redirect.status, [("location", replies.value(address))])


def _path(request: S3Request, key: str) -> str:
    """Of a key of this site. One that begins with a slash does not name a host."""
    path = f"{quote(key[:1], safe='~')}{quote(key[1:], safe='/~')}"
    return f"{request.environ.get('SCRIPT_NAME', '')}/{path}"


def _page(status: int, code: str, message: str, request_id: str) -> bytes:
    title = f"{status} {HTTPStatus(status).phrase}"
    return (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n"
        f"<li>Code: {escape(code)}</li>\n<li>Message: {escape(message)}</li>\n"
        f"<li>RequestId: {request_id}</li>\n<li>HostId: {request_id}</li>\n</ul>\n<hr/>\n"
        "</body>\n</html>\n"
    ).encode()


def create_app(gateway: Gateway) -> WSGIApp:
    return WebsiteApplication(gateway, Logged(gateway))

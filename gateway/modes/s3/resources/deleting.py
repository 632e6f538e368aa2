"""Removing objects: one, or up to a thousand in one commit."""

from __future__ import annotations

from itertools import compress

from gateway.common.xml import document
from gateway.modes.s3 import beside, bodies, documents, errors, headers, parsing
from gateway.modes.s3.beside import Beside
from gateway.modes.s3.problems import TABLE
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters
from gateway.storage import Delete, Deleted, Forbidden, StorageError
from gateway.web.http_fields import value


def delete_object(request: S3Request) -> Reply:
    options = Delete(
        version=request.version,
        conditions=headers.delete_conditions(request),
        bypass=parameters.bypass(request),
    )
    done = request.access.delete(request.key, options)
    said = []
    if done.marker:
        said.append(("x-amz-delete-marker", "true"))
    if done.version is not None:
        said.append(("x-amz-version-id", value(done.version)))  # as asked
    return Reply(204, said)


def delete_objects(request: S3Request) -> Reply:
    """Who may delete nothing is told so for each key, as by S3; an anonymous request's body
    is not waited for to say so."""
    access = request.access
    if request.anonymous and not (access.might("delete") or access.might("delete-version")):
        raise Forbidden
    data = bodies.document(request, checked=True)
    wanted = parsing.delete_objects(data, bypass=parameters.bypass(request))
    names = access.service.names_version
    named = [one.version is None or names(one.version) for _, one in wanted.items]
    results = iter(access.delete_many(compress(wanted.items, named)))
    done = [next(results) if good else None for good in named]
    rows = []
    for (key, options), result in zip(wanted.items, done, strict=True):
        _note(request, key, options, result)
        rows.append(
            _nameless(key, options) if result is None else _row(key, options, result, wanted.quiet)
        )
    return xml(document("DeleteResult", *rows))


def _note(
    request: S3Request, key: str, options: Delete, result: Deleted | StorageError | None
) -> None:
    """Have the bucket's access log say it."""
    code = "" if isinstance(result, Deleted) else "InvalidArgument"
    if isinstance(result, StorageError):
        code = errors.code_of(result)
    status = TABLE[code][0] if code else 204
    version = options.version or ""
    one = Beside(request.bucket, "BATCH.DELETE.OBJECT", key, version, status, code)
    beside.note(request.environ, one)


def _nameless(key: str, options: Delete) -> str:
    """No version is called so."""
    message = "Invalid version id specified"
    return documents.not_removed(key, options.version, "InvalidArgument", message)


def _row(key: str, options: Delete, result: Deleted | StorageError, quiet: bool) -> str:
    if isinstance(result, StorageError):
        code, message = errors.code_of(result), errors.message_of(result)
        return documents.not_removed(key, options.version, code, message)
    return "" if quiet else documents.removed(options.version, result._replace(key=key))

"""THE table of the standard mode's functions: routing, the OpenAPI document, the page at
`/-/docs/`, the examples and the tests read it, and nothing is written twice.

What a handler does with headers is its own; they are declared here so that
they are documented. Texts may have `code` in backquotes.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.modes.standard.answers import (
    BEFORE,
    DETAILS,
    ETAG,
    FILE_PATH,
    MODIFIED,
    NAMED,
    NEXT,
    REQUEST,
    SERVICE,
    SIZE,
    SYNC,
    TYPE,
    UPDATE,
)
from gateway.modes.standard.call import Call
from gateway.modes.standard.resources import feeds, files, lists, purging
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_SID = Parameter("sid", "The service’s id, from `servicelist`.", required=True, example="photos")
_PATH = Parameter(
    "path",
    "The file’s path, percent-encoded. A leading slash is dropped.",
    "path",
    required=True,
    example="cats/tom.jpg",
)
_VERSION = Parameter("version", "A version, from `versionlist`; without it the current one.")
_DETAILS = Parameter(
    "details",
    "`true`: with all that is known of each version, for who may read all of it.",
    "boolean",
)
_LIMIT = Parameter(
    "limit", "Items on a page, 1 to 1000.", "integer", default=1000, least=1, most=1000
)
_AFTER = Parameter("after", "The `next` of the page before.")

TABLE: tuple[Function[Call], ...] = (
    Function(
        "servicelist",
        ("GET",),
        None,
        lists.servicelist,
        "List services",
        "All services that the key may read, by id.",
        query=(_LIMIT, _AFTER),
        answer=(Field("services", "list", "The services.", of=SERVICE), NEXT),
    ),
    Function(
        "filelist",
        ("GET",),
        "list",
        lists.filelist,
        "List files",
        "The files of a service, in the order of their paths’ bytes. With a `delimiter`,"
        " paths that go on behind one are given once, as a prefix: folders, so to say.",
        query=(
            _SID,
            Parameter("prefix", "Only paths that begin with this.", example="cats/"),
            Parameter("delimiter", "Paths are cut behind it; `/` gives folders.", example="/"),
            _LIMIT,
            _AFTER,
        ),
        answer=(
            Field(
                "files",
                "list",
                "Files.",
                of=(
                    FILE_PATH,
                    SIZE,
                    ETAG,
                    TYPE,
                    MODIFIED,
                    NAMED,
                    Field("expires", "time", "In a cache: until when it is fresh.", optional=True),
                ),
            ),
            Field("prefixes", "texts", "Common beginnings, with their delimiter."),
            NEXT,
        ),
        errors=("unsupported",),
    ),
    Function(
        "getfile",
        ("GET", "HEAD"),
        "read",
        files.getfile,
        "Get a file",
        "The bytes of a file, or a range of them. `HEAD` gives the headers alone.",
        query=(_SID, _PATH, _VERSION),
        headers=(
            Parameter("Range", "Some bytes only: `bytes=0-99`, `bytes=100-`, `bytes=-10`."),
            Parameter("If-None-Match", "ETags; when the file has one of them: 304."),
            Parameter("If-Modified-Since", "A time; when it has not changed since: 304."),
            Parameter("If-Match", "ETags; when the file has none of them: 412."),
            Parameter("If-Unmodified-Since", "A time; when it has changed since: 412."),
            Parameter("If-Range", "An ETag or time; when it is not the file’s, all is sent."),
        ),
        statuses={200: "The whole file.", 206: "The range.", 304: "It has not changed."},
        answer_headers=(
            Parameter("ETag", "Changes with the bytes, in quotes."),
            Parameter("Last-Modified", "When it was written."),
            Parameter("Content-Range", "Which bytes these are, with 206."),
            Parameter("x-version", "The version's name."),
            Parameter("x-meta-*", "What was uploaded with it."),
        ),
        errors=(
            "file_not_found",
            "version_gone",
            "version_deleted",
            "precondition_failed",
            "invalid_range",
        ),
    ),
    Function(
        "uploadfile",
        ("PUT", "POST"),
        "write",
        files.uploadfile,
        "Upload a file",
        "Stores the body under a path, all of it or nothing. The body is the file, or a"
        " `multipart/form-data` form with one file. `Cache-Control`, `Content-Disposition`,"
        " `Content-Encoding`, `Content-Language` and `Expires` are kept and come back.",
        query=(_SID, _PATH),
        headers=(
            Parameter("Content-Type", "The file’s media type, kept with it."),
            Parameter("Content-MD5", "Base64 of the file’s MD5: checked before it is stored."),
            Parameter("If-None-Match", "`*`: only when there is no such file yet, else 412."),
            Parameter("If-Match", "An ETag: only in place of that file, else 412."),
            Parameter("If-Unmodified-Since", "A time: only in place of what is as old, else 412."),
            Parameter("x-meta-*", "Anything of yours, kept and given back: `x-meta-owner: me`."),
        ),
        body=True,
        answer=(FILE_PATH, SIZE, ETAG, NAMED, MODIFIED),
        statuses={201: "Stored, where nothing was.", 200: "Stored in place of another."},
        errors=(
            "bad_digest",
            "incomplete_body",
            "length_required",
            "precondition_failed",
            "too_large",
            "insufficient_storage",
            "quota_exceeded",
            "unsupported",
        ),
    ),
    Function(
        "deletefile",
        ("DELETE", "POST"),
        "delete",
        files.deletefile,
        "Delete a file",
        "Removes a file, or for good one version of it. Where versions are kept, a delete"
        " without `version` hides the file behind a marker. What is not there is no error.",
        query=(_SID, _PATH, _VERSION),
        headers=(
            Parameter("If-Match", "An ETag: only that file, else 412. Not with `version`."),
            Parameter("If-Unmodified-Since", "A time: only what is as old, else 412."),
        ),
        answer=(
            FILE_PATH,
            Field("deleted", "boolean", "Whether there was something."),
            Field("version", "text", "Of the marker, or of what was removed.", null=True),
        ),
        errors=("precondition_failed", "protected", "unsupported"),
    ),
    Function(
        "flush",
        ("POST",),
        "flush",
        purging.flush,
        "Flush a cache",
        "Makes a cache forget its files, or those that one parameter names: no old byte is"
        " served after the answer. Storages answer 501.",
        query=(
            _SID,
            Parameter("prefix", "Only paths that begin with this.", example="cats/"),
            _PATH._replace(about="Only this file, all its variants.", required=False, example=""),
            Parameter(
                "tag",
                "Only what its source has given this tag, in `Surrogate-Key`, `Cache-Tag` or"
                " `Cache-Groups`.",
            ),
            Parameter(
                "soft",
                "`true`: they are asked for anew, and may still be served where the source fails.",
                "boolean",
            ),
        ),
        answer=(Field("flushed", "integer", "How many entries, perhaps an estimate."),),
        errors=("unsupported",),
    ),
    Function(
        "versionlist",
        ("GET",),
        "list-versions",
        lists.versionlist,
        "List versions",
        "The versions of a file, newest first; without `path` those of all files, in the order of"
        " their paths’ bytes.",
        query=(_SID, _PATH._replace(required=False), _DETAILS, _LIMIT, _AFTER),
        answer=(
            Field(
                "versions",
                "list",
                "Versions.",
                of=(
                    FILE_PATH,
                    NAMED,
                    SIZE,
                    ETAG,
                    MODIFIED,
                    Field("deleted", "boolean", "It is a delete marker."),
                    Field("latest", "boolean", "It is the newest."),
                    SYNC,
                    DETAILS,
                ),
            ),
            NEXT,
        ),
        errors=("unsupported",),
    ),
    Function(
        "syncnext",
        ("GET",),
        "read-changes",
        feeds.syncnext,
        "Follow changes",
        "What happened in a service after a sync id: oldest first, without gaps. With `wait`"
        " it answers as soon as something happens. Go on with the last `syncId` that you got."
        " When `getfile` answers `version_gone` for a version, a newer update follows.",
        query=(
            _SID,
            Parameter(
                "syncid",
                "The last sync id that you know; 0 for the beginning.",
                "integer",
                default=0,
                most=(1 << 63) - 1,
            ),
            _DETAILS,
            Parameter("limit", "Updates, 1 to 1000.", "integer", default=1, least=1, most=1000),
            Parameter("wait", "Seconds to wait for one, up to 60.", "integer", default=0, most=60),
        ),
        answer=(
            Field("updates", "list", "Updates.", of=UPDATE),
            Field("lastSyncId", "integer", "Of the newest change of the service."),
            Field("feed", "text", "Sync ids are of this feed: another one counts anew."),
            Field("cut", "boolean", "Some that came after `syncid` are not kept any more."),
            BEFORE,
        ),
        errors=("unsupported", "busy"),
    ),
    Function(
        "reqlist",
        ("GET",),
        "read-requests",
        feeds.reqlist,
        "List requests",
        "The most recent requests to services that the key may read, newest first.",
        query=(
            _SID._replace(about="Only requests of this service.", required=False),
            _LIMIT._replace(default=100),
            _AFTER,
        ),
        answer=(Field("requests", "list", "Requests.", of=REQUEST), NEXT),
    ),
)

BY_NAME: Mapping[str, Function[Call]] = {one.name: one for one in TABLE}

COMMON_ERRORS = ("missing_parameter", "invalid_parameter", "unauthorized", "forbidden")


def errors_of(function: Function[Call]) -> tuple[str, ...]:
    """All codes that it is documented to answer."""
    names = {one.name for one in function.query}
    found = [*COMMON_ERRORS]
    found += ["service_not_found"] if "sid" in names else []
    found += ["invalid_path"] if "path" in names else []
    return (*found, *function.errors)

"""What the headers of a request say of a bucket: its access control list, versioning, and
storage type.

Some headers have two names: the one that the description has, and the original client's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from gateway.modes.ozone import acls, storage_types
from gateway.modes.ozone.problems import OzoneProblem
from gateway.storage import Versioning
from gateway.web.request_head import header_name

T = TypeVar("T")

ACL_HEADERS = ("HTTP_X_OZONE_ACL", "HTTP_X_OZONE_ACLS")
TYPE_HEADERS = (
    ("HTTP_X_OZONE_STORAGE_CLASS", "malformedStorageClass"),
    ("HTTP_X_OZONE_STORAGE_TYPE", "malformedStorageType"),
)
VERSIONING_HEADER = "HTTP_X_OZONE_BUCKET_VERSIONING"

_ALL = (*ACL_HEADERS, *(name for name, _ in TYPE_HEADERS), VERSIONING_HEADER)
_VERSIONING: Mapping[str, Versioning] = {"enabled": "on", "disabled": "suspended"}


class Said(NamedTuple):
    """None for what is not said."""

    acls: Sequence[acls.Change]
    versioning: Versioning | None
    storage_type: str | None


def read(environ: Mapping[str, Any], *, lower: bool) -> Said:
    """`lower`: names of users have no capitals. Raises `OzoneProblem`."""
    return Said(_acls(environ, lower), _versioning(environ), _storage_type(environ))


def refuse(environ: Mapping[str, Any]) -> None:
    """Of a volume, which has nothing of it: who gives somebody rights there, and is not told that
    these have none, believes it. Raises `OzoneProblem`."""
    for name in _ALL:
        if name in environ:
            raise OzoneProblem(
                "unknownProperty", f"{header_name(name)} is for buckets; a volume has none."
            )


def _acls(environ: Mapping[str, Any], lower: bool) -> list[acls.Change]:
    texts = [environ[name] for name in ACL_HEADERS if name in environ]
    given = [text.lower() for text in texts] if lower else texts
    return [one for text in given for one in _read("malformedACL", acls.changes, text)]


def _versioning(environ: Mapping[str, Any]) -> Versioning | None:
    given = environ.get(VERSIONING_HEADER)
    if given is None:
        return None
    found = _VERSIONING.get(given.strip().lower())
    if found is None:
        raise OzoneProblem("malformedBucketVersion")
    return found


def _storage_type(environ: Mapping[str, Any]) -> str | None:
    found: str | None = None
    for name, code in TYPE_HEADERS:
        if name in environ:
            said = _read(code, storage_types.parse, environ[name])
            if found not in (None, said):
                raise OzoneProblem(code, "The headers of class and type say different things.")
            found = said
    return found


def _read(code: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise OzoneProblem(code, str(error)) from None

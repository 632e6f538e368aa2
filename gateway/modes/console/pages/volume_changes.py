"""What is done to a volume: it is made, gets another owner or quota, and is dropped; and a bucket
is made in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.common.units import format_size, parse_size
from gateway.modes.console import errors
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.pages.volumes import Row, of
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Conflict,
    InvalidRequest,
    NotEmpty,
    StorageError,
    Unsupported,
)
from gateway.web.replies import Reply

_FIELDS: Mapping[type[Exception], str] = {
    AlreadyExists: "name",
    BadKey: "name",
    InvalidRequest: "owner",
    Unsupported: "quota",
    Conflict: "quota",
    ValueError: "quota",
}
"""What is wrong with a form → the field that it stands at."""
_OFFERED = 1000
"""Keys whose accounts are proposed as owners."""


def _refused(call: Call, error: Exception) -> dict[str, Any]:
    """What the form shows then, as it was typed."""
    field = next(name for kind, name in _FIELDS.items() if isinstance(error, kind))
    told = "That name is taken." if isinstance(error, AlreadyExists) else str(error)
    code = errors.code_of(error) if isinstance(error, StorageError) else "BadRequest"
    call.environ["gateway.record"].code = code
    typed = {name: call.form.text(name) for name in ("name", "owner", "quota")}
    return {"errors": {field: told}, "accounts": _accounts(call), **typed}


def _accounts(call: Call) -> list[str]:
    """Those that have keys, to be proposed: any may be typed."""
    return sorted({one.account for one in call.operator.credentials(0, _OFFERED)})


def _quota(call: Call) -> int | None:
    """Bytes. Raises `ValueError`."""
    text = call.form.text("quota")
    return parse_size(text) if text else None


# a new one


def show_add(call: Call) -> Reply:
    owner = call.identity.account
    accounts = _accounts(call)
    return call.show(
        "volume-add.html", name="", owner=owner, accounts=accounts, quota="", errors={}
    )


def add(call: Call) -> Reply:
    name, owner = call.form.text("name"), call.form.text("owner")
    try:
        quota = _quota(call)
        call.gateway.volumes.make(call.identity, name, owner=owner, quota=quota)
    except tuple(_FIELDS) as error:
        return call.show("volume-add.html", 422, **_refused(call, error))
    return call.see(f"volumes/{name}", "made")


# another owner, another quota


def show_change(call: Call) -> Reply:
    volume = _changeable(call)
    quota = "" if volume.info.quota is None else format_size(volume.info.quota)
    return call.show(
        "volume-change.html",
        volume=volume,
        owner=volume.info.owner,
        accounts=_accounts(call),
        quota=quota,
        errors={},
    )


def change(call: Call) -> Reply:
    volume, owner = _changeable(call), call.form.text("owner")
    changes = {"owner": owner} if owner != volume.info.owner else {}
    try:
        quota = _quota(call)
        call.gateway.volumes.change(call.identity, volume.info.name, quota=quota, **changes)
    except tuple(_FIELDS) as error:
        return call.show("volume-change.html", 422, volume=volume, **_refused(call, error))
    return call.see(f"volumes/{volume.info.name}", "changed")


# the end of one


def show_drop(call: Call) -> Reply:
    return _dropping(call, "")


def drop(call: Call) -> Reply:
    name = call.values["volume"]
    if call.form.text("confirm") != name:
        return _dropping(call, f"Type {name} to drop it.", 422)
    try:
        call.gateway.volumes.drop(call.identity, name)
    except NotEmpty:
        return _dropping(call, "There are buckets in it: drop those first.", 409)
    return call.see("volumes", "dropped")


def _dropping(call: Call, trouble: str, status: int = 200) -> Reply:
    return call.show("volume-drop.html", status, volume=_changeable(call), trouble=trouble)


def _changeable(call: Call) -> Row:
    volume = of(call)
    if volume.info.declared:
        raise ConsoleProblem("Conflict", "It is declared in the configuration, and changed there.")
    return volume


# a bucket in one


def show_bucket(call: Call) -> Reply:
    return call.show("volume-bucket.html", volume=of(call), bucket="", trouble="")


def add_bucket(call: Call) -> Reply:
    volume, bucket = call.values["volume"], call.form.text("bucket")
    try:
        access = call.gateway.volumes.create_bucket(call.identity, volume, bucket)
        call.environ["gateway.record"].sid = access.service.sid
        if call.form.get("versions") == "1":
            access.set_versioning("on")
    except AlreadyExists:
        return _bucket_refused(call, bucket, 409, "There is a bucket of that name in it.")
    except BadKey as error:
        return _bucket_refused(call, bucket, 422, error.message)
    return call.see(f"volumes/{volume}", "bucket")


def _bucket_refused(call: Call, bucket: str, status: int, trouble: str) -> Reply:
    call.environ["gateway.record"].code = "Conflict" if status == 409 else "BadRequest"
    return call.show("volume-bucket.html", status, volume=of(call), bucket=bucket, trouble=trouble)


PAGES = (
    Page(
        name="ConsoleVolumeAdd",
        path="add-volume",
        get=show_add,
        post=add,
        section="volumes",
        reach="everything",
    ),
    Page(
        name="ConsoleVolumeChange",
        path="volumes/{volume}/change",
        get=show_change,
        post=change,
        section="volumes",
        reach="everything",
    ),
    Page(
        name="ConsoleVolumeDrop",
        path="volumes/{volume}/drop",
        get=show_drop,
        post=drop,
        section="volumes",
        reach="owner",
    ),
    Page(
        name="ConsoleVolumeBucketAdd",
        path="volumes/{volume}/add-bucket",
        get=show_bucket,
        post=add_bucket,
        section="volumes",
        reach="owner",
    ),
)

"""What is done to a service as a whole: a bucket is made or dropped, versions are switched on, a
service is removed.

What cannot be taken back is asked for twice: the second page says what goes, and has its id typed.
"""

from __future__ import annotations

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.pages.services import access_of, creates, stats_of
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import ServiceDetails
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Conflict,
    NoSuchStore,
    NotEmpty,
    Versioning,
)
from gateway.web.replies import Reply

_SWITCHED: dict[str, Versioning] = {"on": "on", "suspended": "suspended"}


# buckets


def show_bucket(call: Call) -> Reply:
    _require_creating(call)
    return call.show("bucket-add.html", sid="", trouble="")


def add_bucket(call: Call) -> Reply:
    _require_creating(call)
    sid = call.form.text("sid")
    versions = call.form.get("versions") == "1"
    try:
        access = call.gateway.create(call.identity, sid)
    except AlreadyExists:
        return _bucket_refused(call, sid, 409, "That name is taken.")
    except BadKey as error:
        return _bucket_refused(call, sid, 422, str(error))
    call.environ["gateway.record"].sid = sid
    if versions:
        access.set_versioning("on")
    return call.see(f"services/{sid}", "made")


def _bucket_refused(call: Call, sid: str, status: int, trouble: str) -> Reply:
    call.environ["gateway.record"].code = "Conflict" if status == 409 else "BadRequest"
    return call.show("bucket-add.html", status, sid=sid, trouble=trouble)


def _require_creating(call: Call) -> None:
    if not creates(call):
        raise ConsoleProblem("Forbidden")


def show_drop(call: Call) -> Reply:
    return _dropping(call, "")


def drop(call: Call) -> Reply:
    sid = call.values["sid"]
    if call.form.text("confirm") != sid:
        return _dropping(call, f"Type {sid} to drop it.", 422)
    try:
        call.gateway.drop(call.identity, sid, call.facts)
    except NotEmpty:
        return _dropping(call, "It is not empty: delete what is in it first.", 409)
    return call.see("services", "dropped")


def _dropping(call: Call, trouble: str, status: int = 200) -> Reply:
    sid = call.values["sid"]
    access = access_of(call, sid)
    if access is None:
        raise NoSuchStore(name=sid)
    access.require("drop")
    return call.show("bucket-drop.html", status, sid=sid, stats=stats_of(access), trouble=trouble)


def switch_versions(call: Call) -> Reply:
    sid, wanted = call.values["sid"], _SWITCHED.get(call.form.text("versioning"))
    if wanted is None:
        raise ConsoleProblem("BadRequest")
    access = access_of(call, sid)
    if access is None or access.service.about.fixed:
        raise ConsoleProblem("Conflict", "Only a bucket's versions are switched here.")
    call.gateway.set_versioning(access, wanted)
    return call.see(f"services/{sid}", "versioning")


# services with a driver


def show_remove(call: Call) -> Reply:
    return _removing(call, "")


def remove(call: Call) -> Reply:
    sid = call.values["sid"]
    if call.form.text("confirm") != sid:
        return _removing(call, f"Type {sid} to remove it.", 422)
    try:
        call.operator.remove_service(sid)
    except Conflict as error:
        return _removing(call, str(error), 409)
    return call.see("services", "removed")


def _removing(call: Call, trouble: str, status: int = 200) -> Reply:
    details: ServiceDetails = call.operator.service(call.values["sid"])
    if details.info.origin != "added":
        raise ConsoleProblem("Conflict", "Only a service that was added is removed here.")
    return call.show("service-remove.html", status, details=details, trouble=trouble)


PAGES = (
    Page(
        name="ConsoleBucketAdd",
        path="add-bucket",
        get=show_bucket,
        post=add_bucket,
        section="services",
    ),
    Page(
        name="ConsoleBucketDrop",
        path="services/{sid}/drop",
        get=show_drop,
        post=drop,
        section="services",
    ),
    Page(name="ConsoleVersioning", path="services/{sid}/versions", post=switch_versions),
    Page(
        name="ConsoleServiceRemove",
        path="services/{sid}/remove",
        get=show_remove,
        post=remove,
        section="services",
        reach="everything",
    ),
)

"""Buckets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from gateway.access.access import Access
from gateway.access.settings import Wanted
from gateway.modes.ozone import acls, bucket_headers, storage_types, wire
from gateway.modes.ozone.acls import ACLS, Acls
from gateway.modes.ozone.bucket_headers import Said
from gateway.modes.ozone.call import Call
from gateway.modes.ozone.problems import OzoneProblem
from gateway.modes.ozone.storage_types import DEFAULT, STORAGE_TYPE
from gateway.storage import Conflict, StorageError, Unsupported, Versioning, Versions
from gateway.web.replies import Reply

_TRIES = 20


def create(call: Call) -> Reply:
    said = _said(call)
    if any(one.removes for one in said.acls):
        raise OzoneProblem("malformedACL", "There is nothing yet that could be removed.")
    settings: list[Wanted] = []
    if said.acls:
        settings.append((ACLS, acls.document(_changed((), said))))
    if said.storage_type not in (None, DEFAULT):
        settings.append((STORAGE_TYPE, storage_types.document(said.storage_type or DEFAULT)))
    volume, bucket, _, _ = call.place
    access = call.volumes.create_bucket(call.identity, volume, bucket, settings=settings)
    call.environ["gateway.record"].sid = access.service.sid
    if said.versioning == "on":
        try:
            call.gateway.set_versioning(access, "on")
        except StorageError:
            with suppress(StorageError):  # it is as it was asked for, or it is not there
                call.gateway.drop(call.identity, access.service.sid, call.facts)
            raise
    return wire.done(201)


def _said(call: Call) -> Said:
    return bucket_headers.read(call.environ, lower=call.options.auth == "simple")


def update(call: Call) -> Reply:
    access = call.access
    access.require(ACLS.write)
    said = _said(call)
    if said.storage_type is not None:
        access.require(STORAGE_TYPE.write)
    if said.versioning is not None:
        access.require("write-versioning")
        _version(call, access, said.versioning)
    if said.storage_type is not None:
        wanted = storage_types.document(said.storage_type)
        call.gateway.set_setting(access, STORAGE_TYPE, wanted)
    if said.acls:
        _set_acls(call, access, said)
    return wire.done()


def _version(call: Call, access: Access, wanted: Versioning) -> None:
    """What never kept versions is not suspended."""
    known = access.service.versioning
    if known != wanted and "on" in (known, wanted):
        call.gateway.set_versioning(access, wanted)


def _set_acls(call: Call, access: Access, said: Said) -> None:
    """To the list that there is, again when somebody has changed that meanwhile."""
    for again in reversed(range(_TRIES)):
        try:
            _try_acls(call, access, said)
        except Conflict:
            if not again:
                raise
        else:
            return


def _try_acls(call: Call, access: Access, said: Said) -> None:
    setting = call.gateway.setting(access, ACLS)
    known, version = ((), 0) if setting is None else (setting.value, setting.version)
    wanted = _changed(known, said)
    if wanted and wanted != known:
        call.gateway.set_setting(access, ACLS, acls.document(wanted), since=version)
    elif wanted != known:
        call.gateway.remove_setting(access, ACLS, since=version)


def _changed(known: Acls, said: Said) -> Acls:
    try:
        return acls.changed(known, said.acls)
    except ValueError as error:
        raise OzoneProblem("malformedACL", str(error)) from None


def delete(call: Call) -> Reply:
    call.gateway.drop(call.identity, call.access.service.sid, call.facts)
    return wire.done()


def info(call: Call) -> Reply:
    access = call.access
    access.require("list", "")
    return wire.document(_shown(call, access))


def listed(call: Call) -> Reply:
    page = call.volumes.buckets(
        call.identity,
        call.place.volume,
        prefix=call.values["prefix"] or "",
        after=call.values["prev-key"] or "",
        limit=call.values["max-keys"],
        facts=call.facts,
    )
    return wire.document({"buckets": _measured(call, page.items)})


def _measured(call: Call, found: Sequence[Access]) -> list[wire.Item]:
    measured = call.gateway.measured_of(found)
    return [{**_shown(call, one), **wire.measured(measured.get(one.service.sid))} for one in found]


def _shown(call: Call, access: Access) -> wire.Item:
    about, settings = access.service.about, access.settings
    told = ACLS.name in settings and access.may("list", "")  # not to who may only write
    given = call.gateway.obeyed(access, ACLS) if told else None
    kind = call.gateway.obeyed(access, STORAGE_TYPE) if STORAGE_TYPE.name in settings else None
    return wire.bucket(
        about.volume,
        about.bucket,
        about.created,
        given or (),
        "ENABLED" if _keeps_versions(access) else "DISABLED",
        kind or DEFAULT,
    )


def _keeps_versions(access: Access) -> bool:
    if access.service.find(Versions) is None:
        return False
    try:
        return access.service.versioning == "on"
    except Unsupported:
        return False

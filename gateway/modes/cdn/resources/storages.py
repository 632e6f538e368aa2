"""Storages: made, listed, measured, removed, and given another password."""

from __future__ import annotations

from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.modes.storages import Storage
from gateway.web import request_head
from gateway.web.replies import Reply


def create(call: Call) -> Reply:
    made = call.gateway.storages.make(call.identity, call.values["name"], call.values["region"])
    return wire.done("Storage Created", id=made.number)


def list_all(call: Call) -> Reply:
    return wire.reply([_shown(call, one) for one in call.gateway.storages.list(call.identity)])


def get(call: Call) -> Reply:
    return wire.reply(_shown(call, _found(call)))


def size(call: Call) -> Reply:
    found = call.gateway.storages.size(call.identity, call.values["id"])
    return wire.reply({"bytes": found.bytes, "objects": found.objects})


def patch_all(call: Call) -> Reply:
    secret = call.gateway.storages.change_password(call.identity, call.values["region"])
    return wire.reply({"new_ftp_password": secret.reveal()})


def delete(call: Call) -> Reply:
    call.gateway.storages.drop(call.identity, call.values["id"])
    return wire.done("Storage was deleted")


def _found(call: Call) -> Storage:
    return call.gateway.storages.find(call.identity, call.values["id"])


def _shown(call: Call, one: Storage) -> wire.Item:
    return {
        "id": one.number,
        "container": one.sid,
        "ftp_host": call.gateway.storages.ftp_place(request_head.host(call.environ)),
        "ftp_user": one.user,
        "ftp_password": None if one.password is None else one.password.reveal(),
        "region": one.region,
        "synchronized_with_storage": None,
    }

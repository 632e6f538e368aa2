"""Volumes: namespaces of buckets with an owner, and a quota that spans them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.modes.management.problems import ManagementProblem
from gateway.modes.management.resources import buckets
from gateway.modes.volumes import UNCHANGED, VolumeInfo
from gateway.storage import AlreadyExists, BadKey, NotEmpty, VolumeStats
from gateway.web.api import tokens
from gateway.web.api.parameters import UnfitMember
from gateway.web.replies import Reply


def get_all(call: Call) -> Reply:
    values = call.values
    page = call.gateway.volumes.list(
        call.identity,
        every=call.identity.manages_everything,
        prefix=values["prefix"] or "",
        after=_after(call),
        limit=values["limit"],
    )
    used = call.gateway.volumes.used([one.name for one in page.items])
    items = [_item(call, one, used) for one in page.items]
    return wire.reply(wire.page("volumes", items, _token(page.next)))


def _after(call: Call) -> str:
    after = call.after()
    return "" if after is None else after[0]


def _token(following: str | None) -> str | None:
    return None if following is None else tokens.token(following)


def _item(call: Call, info: VolumeInfo, used: Mapping[str, VolumeStats]) -> wire.Item:
    found = used.get(info.name)
    return {
        "name": info.name,
        "owner": call.user(info.owner),
        "created_at": wire.time(info.created) if info.created else None,
        "quota": info.quota,
        "quota_human": None if info.quota is None else wire.human(info.quota),
        "total_size": None if found is None else found.used,
        "total_size_human": None if found is None else wire.human(found.used),
        "bucket_count": None if found is None else found.buckets,
        "is_declared": bool(info.declared),
    }


def _one(call: Call, info: VolumeInfo, status: int = 200) -> Reply:
    return wire.reply(_item(call, info, call.gateway.volumes.used([info.name])), status)


def create(call: Call) -> Reply:
    values = call.values
    try:
        made = call.gateway.volumes.make(
            call.identity, values["name"], owner=_owner(call), quota=values["quota"]
        )
    except AlreadyExists:
        raise ManagementProblem("VolumeAlreadyExists") from None
    except BadKey as error:
        raise UnfitMember(f'The member "name" cannot be that: {error.message}') from None
    return _one(call, made, 201)


def _owner(call: Call) -> str:
    """The account of the credential that is named."""
    return call.operator.credential(call.values["owner_id"]).account


def get(call: Call) -> Reply:
    return _one(call, _named(call))


def _named(call: Call) -> VolumeInfo:
    return call.gateway.volumes.find(call.identity, call.values["volume"])


def update(call: Call) -> Reply:
    values, changes = call.values, dict[str, Any]()
    if values["unlimited"] and values["quota"] is not None:
        raise UnfitMember('The members "quota" and "unlimited" contradict each other.')
    if values["owner_id"] is not None:
        changes["owner"] = _owner(call)
    quota = None if values["unlimited"] else UNCHANGED
    if values["quota"] is not None:
        quota = values["quota"]
    call.gateway.volumes.change(call.identity, values["volume"], quota=quota, **changes)
    return wire.done()


def delete(call: Call) -> Reply:
    try:
        call.gateway.volumes.drop(call.identity, call.values["volume"])
    except NotEmpty:
        raise ManagementProblem("VolumeNotEmpty") from None
    return wire.done()


# what is in one


def get_buckets(call: Call) -> Reply:
    """Of a volume that the key reaches: who was given something in another one sees its buckets
    in the list of all."""
    values, after = call.values, _after(call)
    page = call.gateway.volumes.buckets(
        call.identity,
        _named(call).name,
        prefix=values["prefix"] or "",
        after=after,
        limit=values["limit"],
        facts=call.facts,
    )
    return wire.reply(wire.page("buckets", buckets.said(call, page.items), _token(page.next)))


def create_bucket(call: Call) -> Reply:
    values = call.values
    with buckets.creating():
        made = call.gateway.volumes.create_bucket(call.identity, values["volume"], values["name"])
    return wire.reply(buckets.whole(call, made), 201)

"""Buckets, and all other services that the key reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.access.access import Access
from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.modes.management.problems import ManagementProblem
from gateway.modes.management.resources import objects
from gateway.storage import AlreadyExists, BadKey, Measures, Stats
from gateway.web.api import tokens
from gateway.web.api.parameters import UnfitMember
from gateway.web.replies import Reply


def reached(call: Call) -> Sequence[Access]:
    """All of them, by name."""
    found = call.gateway.services(call.identity, call.facts)
    return [one for one in found if call.reaches(one.service.owner)]


def said(call: Call, found: Sequence[Access]) -> list[wire.Item]:
    measured = call.gateway.measured(call.identity, call.facts) if found else {}
    return [_item(call, one, measured.get(one.service.sid)) for one in found]


def _item(call: Call, access: Access, stats: Stats | None) -> wire.Item:
    service = access.service
    return {
        "name": service.sid,
        "region": call.gateway.options.region,
        "owner": call.user(service.owner),
        "created_at": wire.time(service.about.created),
        **wire.measured(stats),
    }


def get_all(call: Call) -> Reply:
    found, after, limit = reached(call), call.after(), call.values["limit"]
    if after is not None:
        found = [one for one in found if one.service.sid > after[0]]
    page = found[:limit]
    following = tokens.token(page[-1].service.sid) if len(found) > limit else None
    return wire.reply(wire.page("buckets", said(call, page), following))


def get(call: Call) -> Reply:
    access = call.bucket
    page = objects.page(access, "", "", objects.MOST)
    return wire.reply({**_item(call, access, _stats(access)), **page})


def create(call: Call) -> Reply:
    name, region = call.values["name"], call.values["region"]
    if region not in (None, own := call.gateway.options.region):
        raise UnfitMember(f'The member "region" is not {own}, where all buckets are.')
    owner = call.operator.credential(call.values["owner_id"])
    identity = replace(call.identity, account=owner.account)
    try:
        made = call.gateway.create(identity, name)
    except AlreadyExists:
        raise ManagementProblem("BucketAlreadyExists") from None
    except BadKey as error:
        raise UnfitMember(f'The member "name" cannot be that: {error.message}') from None
    return wire.reply({**_item(call, made, _stats(made)), "objects": []}, 201)


def _stats(access: Access) -> Stats | None:
    return access.stats() if access.service.find(Measures) is not None else None


def delete(call: Call) -> Reply:
    call.gateway.drop(call.identity, call.bucket.service.sid, call.facts)
    return wire.done()

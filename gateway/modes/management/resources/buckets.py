"""Buckets, and all other services that the key reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    measured = call.gateway.measured_of(found)
    return [_item(call, one, measured.get(one.service.sid)) for one in found]


def _item(call: Call, access: Access, stats: Stats | None) -> wire.Item:
    service, about = access.service, access.service.about
    item = {
        "name": service.sid,
        "region": call.gateway.options.region,
        "owner": call.user(service.owner),
        "created_at": wire.time(about.created),
        **wire.measured(stats),
    }
    within = {"volume": about.volume, "name_in_volume": about.bucket}
    return {**item, **within} if about.volume else item


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
    return wire.reply({**whole(call, access), **page})


def create(call: Call) -> Reply:
    name, region = call.values["name"], call.values["region"]
    if region not in (None, own := call.gateway.options.region):
        raise UnfitMember(f'The member "region" is not {own}, where all buckets are.')
    owner = call.operator.credential(call.values["owner_id"])
    identity = replace(call.identity, account=owner.account)
    with creating():
        made = call.gateway.create(identity, name)
    return wire.reply({**whole(call, made), "objects": []}, 201)


@contextmanager
def creating() -> Iterator[None]:
    """What is wrong with a new bucket's name, said of the member that has it."""
    try:
        yield
    except AlreadyExists:
        raise ManagementProblem("BucketAlreadyExists") from None
    except BadKey as error:
        raise UnfitMember(f'The member "name" cannot be that: {error.message}') from None


def whole(call: Call, access: Access) -> wire.Item:
    return _item(call, access, _stats(access))


def _stats(access: Access) -> Stats | None:
    return access.stats() if access.service.find(Measures) is not None else None


def delete(call: Call) -> Reply:
    call.gateway.drop(call.identity, call.bucket.service.sid, call.facts)
    return wire.done()

"""Presigned URLs: made, and listed until they are over."""

from __future__ import annotations

from gateway.common.presigning import presigned_url
from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.modes.operating import PresignedInfo
from gateway.web import addressing
from gateway.web.api import tokens
from gateway.web.replies import Reply


def get_all(call: Call) -> Reply:
    limit, after = call.values["limit"], call.numbered_after()
    found = call.operator.presigned(after, limit + 1)
    page = found[:limit]
    following = tokens.token(str(page[-1].id)) if len(found) > limit else None
    return wire.reply(wire.page("urls", [*map(_item, page)], following))


def _item(info: PresignedInfo) -> wire.Item:
    return {
        "bucket_name": info.bucket,
        "object_key": info.key,
        "method": info.method,
        "access_key": info.access_key,
        "expires_at": wire.time(info.expires),
        "created_at": wire.time(info.created),
    }


def create(call: Call) -> Reply:
    """What the URL is for need not be there yet, but its bucket."""
    values, gateway, now = call.values, call.gateway, call.gateway.clock()
    sid, key = call.open(values["bucket_name"]).service.sid, values["object_key"]
    method, seconds = values["method"], values["expires_in"]
    credential = call.operator.signing(values["access_key"])
    url = presigned_url(
        addressing.address(gateway, "s3", call.environ),
        sid,
        key,
        access_key=credential.id,
        secret=credential.secret,
        region=gateway.options.region,
        now=now,
        seconds=seconds,
        method=method,
    )
    access = gateway.access(credential.identity, sid, call.facts)
    gateway.note_presigned(access, key, method, expires=now + seconds * 1000)
    return wire.reply({"url": url}, 201)

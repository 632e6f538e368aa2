"""Objects: listed, described, deleted. Their bytes are the other modes'."""

from __future__ import annotations

from gateway.access.access import Access
from gateway.modes import KEY_LIMIT
from gateway.modes.management import errors, wire
from gateway.modes.management.call import Call
from gateway.storage import Delete, Get, ListQuery, StorageError
from gateway.web.api import tokens
from gateway.web.api.parameters import UnfitMember, is_key, shown
from gateway.web.replies import Reply

MOST = 1000


def page(access: Access, prefix: str, after: str, limit: int) -> wire.Item:
    found = access.list(ListQuery(prefix=prefix, after=after, limit=limit))
    following = None if found.next is None else tokens.token(found.next)
    return wire.page("objects", [*map(wire.item, found.entries)], following)


def get_all(call: Call) -> Reply:
    prefix, after, limit = call.values["prefix"] or "", call.after(), call.values["limit"]
    return wire.reply(page(call.bucket, prefix, "" if after is None else after[0], limit))


def get(call: Call) -> Reply:
    access = call.bucket
    info = access.stat(call.values["key"], Get(keyless=True))
    return wire.reply(wire.details(access.service.sid, info))


def delete(call: Call) -> Reply:
    """What is not there is said so: where versions are kept, there would be a marker of it."""
    access, key = call.bucket, call.values["key"]
    access.authorize("delete", key)
    access.delete(key)
    return wire.done()


def delete_many(call: Call) -> Reply:
    keys: list[str] = call.values["keys"]
    for key in keys:
        if not is_key(key):
            right = f"keys have 1 to {KEY_LIMIT} bytes of UTF-8"
            raise UnfitMember(f'The member "keys" has {shown(key)}; {right}.')
    results = call.bucket.delete_many((key, Delete()) for key in keys)
    failed = [
        _failed(key, result)
        for key, result in zip(keys, results, strict=True)
        if isinstance(result, StorageError)
    ]
    gone = [
        key
        for key, result in zip(keys, results, strict=True)
        if not isinstance(result, StorageError)
    ]
    return wire.reply({"deleted": gone, "errors": failed} if failed else {"deleted": gone})


def _failed(key: str, error: StorageError) -> wire.Item:
    code = errors.code_of(error)
    return {"key": key, "code": code, "message": errors.message_of(error, code)}

"""Keys by number, each with the user whose it is."""

from __future__ import annotations

from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.modes.management.resources import buckets
from gateway.modes.operating import CredentialInfo
from gateway.storage import Secret
from gateway.web.api import tokens
from gateway.web.replies import Reply


def _named(info: CredentialInfo) -> wire.Item:
    return {"id": info.number, "access_key": info.id}


def _state(info: CredentialInfo) -> wire.Item:
    return {
        "user_name": info.user_name,
        "is_active": info.active,
        "created_at": wire.time(info.created) if info.created else None,
    }


def get_all(call: Call) -> Reply:
    limit, after = call.values["limit"], call.numbered_after()
    found = call.operator.credentials(after, limit + 1)
    page = found[:limit]
    following = tokens.token(str(page[-1].number)) if len(found) > limit else None
    items = [{**_named(one), **_state(one)} for one in page]
    return wire.reply(wire.page("credentials", items, following))


def create(call: Call) -> Reply:
    secret = call.values["secret_key"]
    made = call.operator.add_credential(
        user_name=call.values["user_name"] or "",
        access_key=call.values["access_key"] or "",
        secret_key=None if secret is None else Secret(secret),
    )
    told = {"secret_key": made.secret.reveal()}
    return wire.reply({**_named(made.info), **told, **_state(made.info)}, 201)


def get(call: Call) -> Reply:
    info = call.operator.credential(call.values["id"])
    owned = [one for one in buckets.reached(call) if one.service.owner == info.account]
    shown = buckets.said(call, owned[:1000])
    return wire.reply(
        {**_named(info), **_state(info), "bucket_count": len(owned), "buckets": shown}
    )


def update(call: Call) -> Reply:
    call.operator.change_credential(
        call.values["id"],
        user_name=call.values["user_name"],
        active=call.values["is_active"],
    )
    return wire.done()


def delete(call: Call) -> Reply:
    call.operator.remove_credential(call.values["id"])
    return wire.done()

"""Volumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.modes.ozone import auth, bucket_headers, quotas, wire
from gateway.modes.ozone.call import Call
from gateway.modes.ozone.problems import OzoneProblem
from gateway.modes.volumes import UNCHANGED
from gateway.storage import AlreadyExists, Forbidden, NotEmpty
from gateway.web.replies import Reply


def create(call: Call) -> Reply:
    _require_admin(call)
    owner = _owner(call)
    if owner is None:
        raise OzoneProblem("userNotFound", "x-ozone-user says who is to own the volume.")
    account, user = owner
    given = call.values["quota"]
    quota = None if given is None else _quota(given)
    bucket_headers.refuse(call.environ)
    with _taken():
        call.volumes.make(call.identity, call.place.volume, owner=account, user=user, quota=quota)
    return wire.done(201)


def update(call: Call) -> Reply:
    _require_admin(call)
    account, user = _owner(call) or (None, None)
    given = call.values["quota"]
    quota = None
    if given is not None and not quotas.removes(given):
        quota = _quota(given)
    bucket_headers.refuse(call.environ)
    call.volumes.change(
        call.identity,
        call.place.volume,
        owner=account,
        user=user,
        quota=UNCHANGED if given is None else quota,
    )
    return wire.done()


def delete(call: Call) -> Reply:
    with _taken():
        call.volumes.drop(call.identity, call.place.volume)
    return wire.done()


def info(call: Call) -> Reply:
    return wire.document(wire.volume(call.volumes.find(call.identity, call.place.volume)))


def listed(call: Call) -> Reply:
    every = bool(call.values["root-scan"])
    try:
        page = call.volumes.list(
            call.identity,
            every=every,
            prefix=call.values["prefix"] or "",
            after=call.values["prev-key"] or "",
            limit=call.values["max-keys"],
        )
    except Forbidden:
        raise OzoneProblem("Unauthorized", "A list of all volumes is for administrators.") from None
    return wire.document({"volumes": [*map(wire.volume, page.items)]})


def _require_admin(call: Call) -> None:
    """Before anything else is looked at."""
    if not call.identity.manages_everything:
        raise OzoneProblem("accessDenied", "That is for administrators.")


def _owner(call: Call) -> tuple[str, str] | None:
    """(account, what the owner is called) of whom `x-ozone-user` names; None when it names
    nobody. Raises `OzoneProblem`."""
    named = auth.owner_named(call.environ)
    if named is None:
        return None
    if call.options.auth == "simple":
        return named.lower(), named.lower()
    key, account = call.gateway.keys.credential(named), call.gateway.account(named)
    if key is None and account is None:
        raise OzoneProblem("userNotFound", "x-ozone-user names neither a key nor an account.")
    owner = named if key is None else key.identity.account
    if account is not None and owner != named:
        # Who manages an account chooses what its keys are called: it gets nothing by that.
        raise OzoneProblem("userNotFound", "x-ozone-user names an account, and a key of another.")
    return owner, named


def _quota(text: str) -> int | None:
    try:
        return quotas.parse(text)
    except ValueError as error:
        raise OzoneProblem("malformedQuota", str(error)) from None


@contextmanager
def _taken() -> Iterator[None]:
    """What else these say of buckets."""
    try:
        yield
    except AlreadyExists:
        raise OzoneProblem("volumeAlreadyExists") from None
    except NotEmpty:
        raise OzoneProblem("volumeNotEmpty") from None

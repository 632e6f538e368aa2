"""Storages: services that accounts make for their files, each with a user of its own for FTP.

A password is in the answer to the POST that asks for it, and nowhere else: no address leads to it,
and no cache keeps it. Who manages the gateway sees all storages, others those of their account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.access.identity import Identity
from gateway.modes.console import errors
from gateway.modes.console.call import Call
from gateway.modes.console.page import Handler, Page
from gateway.modes.console.pages.zones import offered
from gateway.modes.console.paging import numbered, pager
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.storages import REGIONS, Storage
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Conflict,
    InvalidRequest,
    NotEmpty,
    Secret,
    Stats,
)
from gateway.web import request_head
from gateway.web.replies import Reply

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A storage, with how much is in it; None where nobody can say that now."""

    info: Storage
    stats: Stats | None


def listing(call: Call) -> Reply:
    every = call.identity.manages_everything
    found = call.gateway.storages.list(
        call.identity, every=every, before=numbered(call), limit=_SHOWN + 1
    )
    rows = found[:_SHOWN]
    services = [call.gateway.access(call.identity, one.sid, call.facts) for one in rows]
    measured = call.gateway.measured_of(services)
    return call.show(
        "storages.html",
        rows=[Row(one, measured.get(one.sid)) for one in rows],
        everything=every,
        ftp=_ftp(call),
        pager=pager(call, rows[-1].number if len(found) > _SHOWN else None),
    )


def show(call: Call) -> Reply:
    info = _of(call)
    service = call.gateway.access(call.identity, info.sid, call.facts)
    return call.show(
        "storage.html",
        info=info,
        stats=call.gateway.measured_of([service]).get(info.sid),
        everything=call.identity.manages_everything,
        ftp=_ftp(call),
    )


def _of(call: Call) -> Storage:
    """That of the path. Raises `NotFound`, also for another account's."""
    number = request_head.whole_number(call.values["storage"])
    if number is None:
        raise ConsoleProblem("NotFound")
    return call.gateway.storages.find(call.identity, number)


def _ftp(call: Call) -> str | None:
    return call.gateway.storages.ftp_place(request_head.host(call.environ))


# a new one


def show_add(call: Call) -> Reply:
    return _adding(call, "", REGIONS[0], {})


def add(call: Call) -> Reply:
    name, region = call.form.text("name"), call.form.text("region")
    if region not in REGIONS:
        raise ConsoleProblem("BadRequest")
    try:
        made = call.gateway.storages.make(call.identity, name, region)
    except (AlreadyExists, BadKey, InvalidRequest) as error:
        code, _, told = errors.told(error)
        call.environ["gateway.record"].code = code
        return _adding(call, name, region, {"name": told}, 422)
    return call.see(f"storages/{made.number}", "made")


def _adding(call: Call, name: str, region: str, errors: dict[str, str], status: int = 200) -> Reply:
    return call.show(
        "storage-add.html",
        status,
        name=name,
        region=region,
        regions=[(one, one) for one in REGIONS],
        errors=errors,
    )


# its password


def show_password(call: Call) -> Reply:
    """Of its user; None where that was switched off."""
    info = _of(call)
    if info.password is None:
        raise ConsoleProblem("Conflict", "Its user was switched off: nobody comes in by that.")
    return _shown(call, info, info.password, "The password")


def ask_another(call: Call) -> Reply:
    info, whose = _of(call), _whose(call)
    several = [one.sid for one in call.gateway.storages.list(whose) if one.region == info.region]
    return call.show("storage-another.html", info=info, several=several)


def another(call: Call) -> Reply:
    """That of a region is one, so others of the account get it, too."""
    info = _of(call)
    secret = call.gateway.storages.change_password(_whose(call), info.region)
    return _shown(call, info, secret, "Another password")


def _whose(call: Call) -> Identity:
    """Who manages everything acts for others here."""
    return replace(call.identity, account=_of(call).account)


def _shown(call: Call, info: Storage, secret: Secret, title: str) -> Reply:
    return call.show(
        "storage-password.html", info=info, title=title, ftp=_ftp(call), secret=secret.reveal()
    )


# the end of one


def show_drop(call: Call) -> Reply:
    return _dropping(call, _of(call), "")


def drop(call: Call) -> Reply:
    info = _of(call)
    if call.form.text("confirm") != info.sid:
        return _dropping(call, info, f"Type {info.sid} to drop it.", 422)
    try:
        call.gateway.storages.drop(call.identity, info.number)
    except NotEmpty:
        return _dropping(call, info, "There are files in it: delete those first.", 409)
    except Conflict as error:
        return _dropping(call, info, error.message, 409)
    return call.see("storages", "dropped")


def _dropping(call: Call, info: Storage, trouble: str, status: int = 200) -> Reply:
    return call.show("storage-drop.html", status, info=info, trouble=trouble)


def _page(name: str, path: str, get: Handler | None, post: Handler | None, **said: str) -> Page:
    return Page(
        name=name,
        path=path,
        get=get,
        post=post,
        title="Storages" if path == "storages" else "",
        section="storages",
        reach="owner",
        offered=offered,
        said=said,
    )


_GONE = "The storage is dropped, and its user."

PAGES = (
    _page("ConsoleStorages", "storages", listing, None, dropped=_GONE),
    _page("ConsoleStorageAdd", "add-storage", show_add, add),
    _page("ConsoleStorage", "storages/{storage}", show, None, made="The storage is made."),
    _page("ConsoleStoragePassword", "storages/{storage}/password", None, show_password),
    _page("ConsoleStorageAnother", "storages/{storage}/another", ask_another, another),
    _page("ConsoleStorageDrop", "storages/{storage}/drop", show_drop, drop),
)

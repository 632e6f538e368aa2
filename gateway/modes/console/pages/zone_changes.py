"""What is done to a zone: it is made, changed, enabled and disabled, made to forget, given
certificates, and dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.modes.console import errors
from gateway.modes.console.call import Call
from gateway.modes.console.page import Handler, Page
from gateway.modes.console.pages import zone_forms
from gateway.modes.console.pages.zones import of, offered, shown
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.zones import ZoneInfo
from gateway.storage import Conflict, InvalidRequest
from gateway.web.replies import Reply

_REFUSED = (InvalidRequest, Conflict, ConsoleProblem)
"""What a form says back; anything else is a page of its own."""


def _told(call: Call, error: InvalidRequest | Conflict | ConsoleProblem) -> str:
    """Its sentence, which the log has by its code."""
    code, _, text = errors.told(error)
    call.environ["gateway.record"].code = code
    return text


def _form(call: Call, info: ZoneInfo | None, given: Mapping[str, str], trouble: str = "") -> Reply:
    """`info` None: a new one, of who calls."""
    account = call.identity.account if info is None else info.account
    whose = replace(call.identity, account=account)  # who manages everything changes others'
    own = 0 if info is None else info.number
    zones = [one.number for one in call.gateway.zones.list(whose)]
    return call.show(
        "zone-form.html",
        422 if trouble else 200,
        info=info,
        given=given,
        trouble=trouble,
        storages=[(str(one.number), one.sid) for one in call.gateway.storages.list(whose)],
        others=[(str(one), f"zone {one}") for one in zones if one != own],
        auth=[(name, title) for name, (title, *_) in zone_forms.AUTH.items()],
        signed=info is not None and info.document["hash_secret"] is not None,
    )


def show_add(call: Call) -> Reply:
    return _form(call, None, zone_forms.fields(zone_forms.EMPTY))


def add(call: Call) -> Reply:
    try:
        wanted, _ = zone_forms.asked(call.form, None)
        made = call.gateway.zones.make(call.identity, wanted)
    except _REFUSED as error:
        return _form(call, None, zone_forms.typed(call.form, zone_forms.EMPTY), _told(call, error))
    return call.see(f"zones/{made.number}", "made")


def show_change(call: Call) -> Reply:
    info = of(call)
    return _form(call, info, zone_forms.fields(_begun(info)))


def change(call: Call) -> Reply:
    info = of(call)
    try:
        wanted, helpers = zone_forms.asked(call.form, info.document)
        call.gateway.zones.patch(call.identity, info.number, wanted, helpers)
    except _REFUSED as error:
        given = zone_forms.typed(call.form, info.document)
        return _form(call, info, given, _told(call, error))
    return call.see(f"zones/{info.number}", "changed")


def _begun(info: ZoneInfo) -> Mapping[str, Any]:
    """What a form begins with where the zone says nothing."""
    links = ("hash_algorithm", "hash_ttl")
    return {
        name: zone_forms.EMPTY[name] if name in links and one is None else one
        for name, one in info.document.items()
    }


def switch(call: Call) -> Reply:
    info, on = of(call), call.form.get("active") == "1"
    try:
        call.gateway.zones.patch(call.identity, info.number, {}, ["enable" if on else "disable"])
    except _REFUSED as error:
        return shown(call, _told(call, error), 422)
    return call.see(f"zones/{info.number}", "on" if on else "off")


def purge(call: Call) -> Reply:
    """A list that came out empty is not meant to be everything: that has a form of its own."""
    info, form = of(call), call.form
    files, prefixes = (
        [text for line in form.get(name, "").splitlines() if (text := line.strip())]
        for name in ("files", "prefixes")
    )
    everything = form.get("everything") == "1"
    if everything and form.text("confirm") != info.counted_as:
        return shown(call, f"To have it forget everything, type {info.counted_as}.", 422)
    if not (everything or files or prefixes):
        return shown(call, "Say what is to be forgotten.", 422)
    named: dict[str, Any] = {} if everything else {"files": files, "prefixes": prefixes}
    try:
        call.gateway.purge_jobs.begin(
            call.identity, info.number, **named, soft=form.get("soft") == "1"
        )
    except _REFUSED as error:
        return shown(call, _told(call, error), 422, form)
    return call.see(f"zones/{info.number}", "purged")


def order(call: Call) -> Reply:
    """Those that failed are tried again, as somebody who has set it right wants."""
    info = of(call)
    try:
        call.gateway.certificates.order(info.custom_domains, again=True)
    except _REFUSED as error:
        return shown(call, _told(call, error), 422)
    return call.see(f"zones/{info.number}", "ordered")


def show_drop(call: Call) -> Reply:
    return _dropping(call, of(call), "")


def drop(call: Call) -> Reply:
    info = of(call)
    if call.form.text("confirm") != info.counted_as:
        return _dropping(call, info, f"Type {info.counted_as} to drop it.", 422)
    try:
        call.gateway.zones.drop(call.identity, info.number)
    except Conflict as error:
        return _dropping(call, info, _told(call, error), 409)
    return call.see("zones", "dropped")


def _dropping(call: Call, info: ZoneInfo, trouble: str, status: int = 200) -> Reply:
    return call.show("zone-drop.html", status, info=info, trouble=trouble)


def _page(name: str, path: str, get: Handler | None, post: Handler) -> Page:
    return Page(
        name=name, path=path, get=get, post=post, section="zones", reach="owner", offered=offered
    )


PAGES = (
    _page("ConsoleZoneAdd", "add-zone", show_add, add),
    _page("ConsoleZoneChange", "zones/{zone}/change", show_change, change),
    _page("ConsoleZoneSwitch", "zones/{zone}/active", None, switch),
    _page("ConsoleZonePurge", "zones/{zone}/purge", None, purge),
    _page("ConsoleZoneOrder", "zones/{zone}/order", None, order),
    _page("ConsoleZoneDrop", "zones/{zone}/drop", show_drop, drop),
)

"""Certificates: those that an account has brought, and what comes of those that were ordered.

A key is taken, and never shown: also not to who has just typed it. Who manages the gateway sees
everybody's, others those of their account and of its zones' domains.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.modes.certifying import CertificateState
from gateway.modes.console import errors
from gateway.modes.console.call import Call
from gateway.modes.console.page import Handler, Page
from gateway.modes.console.pages.zones import offered
from gateway.modes.console.paging import numbered, pager
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import Conflict, InvalidRequest
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_SHOWN = 50


def show(call: Call) -> Reply:
    return _shown(call)


def upload(call: Call) -> Reply:
    form = call.form
    try:
        call.gateway.uploaded_certificates.upload(
            call.identity, form.text("certificate"), form.text("key"), form.text("bundle")
        )
    except (Conflict, InvalidRequest) as error:
        code, _, told = errors.told(error)
        call.environ["gateway.record"].code = code
        return _shown(call, told, 422)
    return call.see("certificates", "brought")


def remove(call: Call) -> Reply:
    number = whole_number(call.values["certificate"])
    if number is None:
        raise ConsoleProblem("NotFound")
    call.gateway.uploaded_certificates.remove(call.identity, number)
    return call.see("certificates", "removed")


def _shown(call: Call, trouble: str = "", status: int = 200) -> Reply:
    every, after = call.identity.manages_everything, numbered(call) or 0
    found = call.gateway.uploaded_certificates.list(call.identity, every=every)
    rows = [one for one in found if one.number > after][: _SHOWN + 1]
    more = len(rows) > _SHOWN
    rows = rows[:_SHOWN]
    return call.show(
        "certificates.html",
        status,
        trouble=trouble,
        typed={name: call.form.get(name, "") for name in ("certificate", "bundle")},
        rows=rows,
        states=_states(call),
        everything=every,
        now=call.gateway.clock(),
        pager=pager(call, rows[-1].number if more else None),
    )


def _states(call: Call) -> Sequence[CertificateState]:
    states = call.gateway.certificates.states()
    if call.identity.manages_everything or not states:
        return states
    zones = call.gateway.zones.list(call.identity)
    own = {domain for one in zones for domain in one.custom_domains}
    return [one for one in states if one.name in own]


def _page(
    name: str, path: str, get: Handler | None, post: Handler, title: str = "", **said: str
) -> Page:
    return Page(
        name=name,
        path=path,
        get=get,
        post=post,
        title=title,
        section="certificates",
        reach="owner",
        offered=offered,
        said=said,
    )


_BROUGHT = "The certificate is shown to who asks for its names from now on."
_REMOVED = "The certificate is removed."

PAGES = (
    _page(
        "ConsoleCertificates",
        "certificates",
        show,
        upload,
        "Certificates",
        brought=_BROUGHT,
        removed=_REMOVED,
    ),
    _page("ConsoleCertificateRemove", "certificates/{certificate}/remove", None, remove),
)

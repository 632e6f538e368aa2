"""A link to an object, for whoever gets it, for some time: a presigned URL of the S3 API."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.common.presigning import LONGEST, presigned_url
from gateway.modes.console.browsing.browsed import Browsed
from gateway.modes.console.call import Call
from gateway.modes.console.pages import browser_object
from gateway.modes.console.pages.browser_object import Link
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import Forbidden
from gateway.web import addressing
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_UNITS: Mapping[str, int] = {"minutes": 60, "hours": 3600, "days": 86_400}
_SHORTEST = 60


def share(call: Call) -> Reply:
    """The object's page, with the link. It is said once, and stands in no address."""
    seen = Browsed(call)
    key, seconds = seen.key, _seconds(call)
    seen.access.stat(key)
    gateway, access_key = call.gateway, call.identity.key
    credential = gateway.keys.credential(access_key)
    if credential is None:  # it was switched off at this moment
        raise Forbidden
    now = gateway.clock()
    link = presigned_url(
        addressing.address(gateway, "s3", call.environ),
        seen.sid,
        key,
        access_key=access_key,
        secret=credential.secret,
        region=gateway.options.region,
        now=now,
        seconds=seconds,
    )
    expires = now + seconds * 1000
    gateway.note_presigned(seen.access, key, "GET", expires=expires)
    return browser_object.show(seen, Link(link, expires))


def _seconds(call: Call) -> int:
    text, unit = call.form.text("life"), _UNITS.get(call.form.get("unit", ""), 0)
    number = whole_number(text) or 0
    if not _SHORTEST <= number * unit <= LONGEST:
        raise ConsoleProblem("BadRequest", "A link counts for one minute to seven days.")
    return number * unit

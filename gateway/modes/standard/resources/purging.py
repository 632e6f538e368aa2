"""flush: make a cache forget."""

from __future__ import annotations

from gateway.modes.standard import wire
from gateway.modes.standard.call import Call
from gateway.replies import Reply
from gateway.storage import Unsupported


def flush(call: Call) -> Reply:
    call.access.require("write")
    about = call.access.service.about
    raise Unsupported(f"The service {about.sid!r} (type {about.driver!r}) is no cache.")
    return wire.reply({"flushed": 0})

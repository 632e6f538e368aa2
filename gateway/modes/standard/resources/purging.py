"""flush: make a cache forget."""

from __future__ import annotations

from gateway.modes.standard import wire
from gateway.modes.standard.call import Call
from gateway.storage import Purge
from gateway.web.replies import Reply


def flush(call: Call) -> Reply:
    prefix = call.values["prefix"]
    mark = call.access.purge(Purge(kind="prefix", value=prefix) if prefix else Purge())
    return wire.reply({"flushed": mark.entries})

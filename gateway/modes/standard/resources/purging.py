"""flush: make a cache forget."""

from __future__ import annotations

from gateway.modes.standard import wire
from gateway.modes.standard.call import Call
from gateway.modes.standard.problems import StandardProblem
from gateway.storage import Purge
from gateway.web.api.parameters import wrong
from gateway.web.replies import Reply


def flush(call: Call) -> Reply:
    mark = call.access.purge(_purge(call))
    return wire.reply({"flushed": mark.entries})


def _purge(call: Call) -> Purge:
    """What is named; all, where nothing is. Raises `StandardProblem`."""
    prefix, path, tag = (call.values[one] for one in ("prefix", "path", "tag"))
    soft = bool(call.values["soft"])
    if [prefix, path, tag].count(None) < 2:
        raise StandardProblem("invalid_parameter", "One of prefix, path and tag may be given.")
    if path is not None:
        return Purge(kind="key", value=path, soft=soft)
    if tag is not None:
        if not tag:
            raise wrong("tag", "a tag")
        return Purge(kind="tag", value=tag, soft=soft)
    return Purge(kind="prefix", value=prefix, soft=soft) if prefix else Purge(soft=soft)

"""Purge jobs: begun, looked at, and removed."""

from __future__ import annotations

from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.problems import CdnProblem
from gateway.modes.purge_jobs import PurgeJob
from gateway.storage import Conflict
from gateway.web.replies import Reply


def begin(call: Call) -> Reply:
    values, files = call.values, list[str]()
    if values["files"] is not None:
        files = [line for text in values["files"].split("\n") if (line := text.strip())]
        if not files:  # a list that came out empty is not meant to be everything
            raise CdnProblem("InvalidParameter", "files: none is named. Without it, all are meant.")
    made = call.gateway.purge_jobs.begin(
        call.identity,
        values["id"],
        files,
        prefixes=values["prefixes"] or (),
        tags=values["tags"] or (),
        soft=bool(values["soft"]),
    )
    return wire.done("Purge request received", job_id=made.id)


def list_all(call: Call) -> Reply:
    found = call.gateway.purge_jobs.list(call.identity, call.values["status"], call.values["count"])
    return wire.reply([_shown(one) for one in found])


def get(call: Call) -> Reply:
    return wire.reply(_shown(call.gateway.purge_jobs.find(call.identity, call.values["id"])))


def delete(call: Call) -> Reply:
    try:
        call.gateway.purge_jobs.remove(call.identity, call.values["id"])
    except Conflict as error:
        raise CdnProblem("InvalidRequest", error.message) from None
    return wire.done("The purge job was removed")


def _shown(one: PurgeJob) -> wire.Item:
    """What most jobs do not have is left out."""
    found: wire.Item = {
        "job_id": one.id,
        "files": one.files,
        "status": one.status,
        "created_at": wire.seconds(one.created),
    }
    if len(one.files) < one.count:
        found["files_count"] = one.count
    more = {"prefixes": one.prefixes, "tags": one.tags, "soft": one.soft, "message": one.problem}
    return found | {name: value for name, value in more.items() if value}

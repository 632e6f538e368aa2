"""Replication: services that follow others, who is told of changes, and what runs by itself."""

from __future__ import annotations

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.web.replies import Reply


def show(call: Call) -> Reply:
    operator = call.operator
    replicas = operator.replicas()
    theirs = {one.progress.name for one in replicas if one.progress is not None}
    return call.show(
        "replication.html",
        replicas=replicas,
        followers=[one for one in operator.followers() if one.name not in theirs],
        jobs=operator.jobs(),
        now=call.gateway.clock(),
    )


PAGES = (
    Page(
        name="ConsoleReplication",
        path="replication",
        get=show,
        title="Replication",
        reach="everything",
    ),
)

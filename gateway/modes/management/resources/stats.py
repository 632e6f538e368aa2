"""How much there is of everything."""

from __future__ import annotations

from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.modes.management.resources import buckets
from gateway.web.replies import Reply


def get(call: Call) -> Reply:
    reached = buckets.reached(call)
    measured = call.gateway.measured(call.identity, call.facts)
    counted = [measured[sid] for sid in (one.service.sid for one in reached) if sid in measured]
    size = sum(one.bytes for one in counted)
    return wire.reply(
        {
            "credentials": call.operator.count_credentials(),
            "buckets": len(reached),
            "objects": sum(one.current for one in counted),
            "total_storage": size,
            "total_storage_human": wire.human(size),
            "active_multipart_uploads": sum(one.uploads for one in counted),
            "active_presigned_urls": call.operator.count_presigned(),
        }
    )

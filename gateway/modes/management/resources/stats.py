"""How much there is of everything."""

from __future__ import annotations

from gateway.modes.management import wire
from gateway.modes.management.call import Call
from gateway.modes.management.resources import buckets
from gateway.web.replies import Reply


def get(call: Call) -> Reply:
    reached = buckets.reached(call)
    measured = call.gateway.measured(call.identity, call.facts)
    total = measured.total(one.service.sid for one in reached)
    return wire.reply(
        {
            "credentials": call.operator.count_credentials(),
            "buckets": len(reached),
            "objects": total.current,
            "total_storage": total.bytes,
            "total_storage_human": wire.human(total.bytes),
            "active_multipart_uploads": total.uploads,
            "active_presigned_urls": call.operator.count_presigned(),
        }
    )

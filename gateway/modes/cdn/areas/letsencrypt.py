"""Certificates that an authority gives for the domains of a zone."""

from __future__ import annotations

from gateway.modes.cdn.areas.numbers import number
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import letsencrypt
from gateway.web.api.fields import Field
from gateway.web.api.table import Function

FUNCTIONS: tuple[Function[Call], ...] = (
    Function(
        "orderCertificates",
        ("POST",),
        None,
        letsencrypt.order,
        "Certificates for a zone",
        "Have the authority of this gateway (Let’s Encrypt, say) give one for each of the zone’s"
        " custom domains, and renew it. They have to lead here. What it refused before is said in"
        " its words, and tried again.",
        place="letsencrypt/{zone_id}",
        parts=(number("Of the zone.", name="zone_id"),),
        answer=(Field("message", "text", "What is done now."),),
        statuses={200: "All have one: nothing changed.", 202: "It is begun, or under way."},
        errors=("InvalidRequest", "NotOffered", "NotAvailable"),
    ),
)

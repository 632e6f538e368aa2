"""Certificates that an account brings for its domains."""

from __future__ import annotations

from gateway.modes.cdn.areas.numbers import number
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import certificates
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_ID = number("Of the certificate.", example="18")
_CERTIFICATE = (
    Field("id", "integer", "Its number, never another’s."),
    Field("hostname", "text", "The first name that it is for."),
    Field("fingerprint", "text", "Its SHA-1, in hex."),
    Field(
        "used_in_zones",
        "list",
        "The account’s zones with a domain that it is for, one for each such domain.",
        of=(
            Field("zone_id", "integer", "Of the zone."),
            Field("domain", "text", "Of the zone, that visitors ask for."),
            Field("cdn_domain", "text", "The zone’s own name."),
        ),
    ),
)

FUNCTIONS: tuple[Function[Call], ...] = (
    Function(
        "listCertificates",
        ("GET",),
        None,
        certificates.list_all,
        "Certificates",
        "All that the account has brought, by number.",
        place="certificates",
        answer=_CERTIFICATE,
        many=True,
    ),
    Function(
        "getCertificate",
        ("GET",),
        None,
        certificates.get,
        "One certificate",
        "What it is for, and where it is used. Its key is never shown.",
        place="certificate/{id}",
        parts=(_ID,),
        answer=_CERTIFICATE,
    ),
    Function(
        "uploadCertificate",
        ("POST",),
        None,
        certificates.upload,
        "Bring a certificate",
        "It is shown at once to who asks for one of its names by TLS. Refused is what no client"
        " would take, what is over, and what is for a name that somebody else has here. Of several"
        " for a name the last one counts.",
        place="certificate",
        members=(
            Parameter("certificate", "In PEM.", required=True, least=1, example="-----BEGIN…"),
            Parameter(
                "key",
                "Its private key, in PEM, without a password.",
                required=True,
                example="-----…",
            ),
            Parameter("ca_bundle", "Those that lead from it to a known one, in PEM."),
        ),
        answer=(
            Field("message", "text", "That it is done."),
            Field("id", "integer", "Of the certificate."),
        ),
        errors=("Conflict", "NoSpace"),
    ),
    Function(
        "deleteCertificate",
        ("DELETE",),
        None,
        certificates.delete,
        "Remove a certificate",
        "Who asks for its names gets what there is besides, from the next handshake on.",
        place="certificate/{id}",
        parts=(_ID,),
        answer=(Field("message", "text", "That it is done."),),
    ),
)

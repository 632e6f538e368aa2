"""Zones: names, origins, and what is between them."""

from __future__ import annotations

from gateway.modes.cdn.areas.numbers import number
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import zones
from gateway.modes.zones import HELPERS
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_NUMBER = (number("The zone’s id.", name="zone_id"),)
_SIZE = Parameter(
    "object_size",
    "`small`: objects of 20 MB and more are handed through, and not kept. It stays what it was"
    " when the zone was made.",
    values=("small", "big"),
)
_UPSTREAM = Parameter(
    "upstream",
    "Where files come from: `endpoints` (`host`, `port`; of `aws-s3` `bucket` and `region`, too),"
    " `type` (`own` or `aws-s3`), `proto` (`http` or `https`), `host_header`, and `auth`"
    " (`type`: `none`, `http_basic`, `aws_signing_key` or `aws_secret_key`, with what belongs to"
    " it). Of several endpoints the first that can answer is asked.",
    "object",
    example='{"endpoints": [{"host": "news.com", "port": 80}], "type": "own", "proto": "http",'
    ' "host_header": "news.com", "auth": {"type": "none"}}',
)
_OTHERS = (
    Parameter(
        "storage_id",
        "A storage of the account, in place of `upstream`.",
        "integer",
        least=1,
        most=1 << 53,
    ),
    Parameter(
        "custom_domains",
        "Names besides the zone’s own; each is to lead to that (CNAME).",
        "texts",
        most=100,
        example="cdn.section9.com",
    ),
    Parameter(
        "error_pages",
        "Where errors lead, as in `404:https://www.example.com/lost`.",
        "texts",
        most=100,
    ),
    Parameter(
        "referers",
        "Hosts whose pages may lead here, with all below them. With `!` before it one that may"
        " not; `!none` refuses who says of no page.",
        "texts",
        most=100,
    ),
    Parameter("geo_filter_allow", "Countries that alone may read (ISO 3166-1).", "texts", most=300),
    Parameter("geo_filter_deny", "Countries that may not.", "texts", most=300),
    Parameter(
        "limit_rate_global",
        "Bytes a second for each connection, as in `20k`. Excludes `limit_rate_security`.",
    ),
    Parameter("limit_rate_security", "The limit is what a signed link says.", values=("on", "off")),
    Parameter("hash_secret", "Whoever has it signs links; without such a link nobody gets in."),
    Parameter("hash_algorithm", "Of these; `md5` unless it is said.", values=("md5", "sha1")),
    Parameter(
        "hash_ttl",
        "Seconds that a link is good for; 3600 unless it is said.",
        "integer",
        least=1,
        most=10 * 365 * 86_400,
    ),
    Parameter(
        "cache_reuse_from",
        "The id of a zone of the account whose cache answers for this one: what it has not is"
        " asked of that zone’s origin.",
        "integer",
        least=1,
        most=1 << 53,
    ),
    Parameter(
        "expiration",
        "Seconds that files are kept, whatever the origin says of that.",
        "integer",
        least=0,
        most=10 * 365 * 86_400,
        example="3600",
    ),
)
_MEMBERS = (_SIZE, _UPSTREAM, *_OTHERS)
_ABOUT_HELPERS = {
    "enable": "Serve it.",
    "disable": "Serve it no more: its names lead nowhere. What its cache has stays.",
    "clear_security_token": "No signed links any more.",
    "clear_geo_filters": "No filter of countries any more.",
    "clear_limit_rates": "No limits of rates any more.",
    "clear_origins_auth": "The origin is asked without credentials.",
    "clear_referers": "No filter of referers any more.",
    "clear_referer_filter_rules": "The same.",
    "clear_custom_domains": "No names besides its own any more.",
    "clear_origins_header": "The origin is asked for its own host.",
    "clear_reuse_cache": "Its own cache answers again.",
}
_HELPERS = tuple(Parameter(name, _ABOUT_HELPERS[name], "flag") for name in HELPERS)

_ENDPOINT = (
    Field("host", "text", "Its host or address."),
    Field("port", "integer", "Its port.", optional=True),
    Field("bucket", "text", "Of `aws-s3`.", optional=True),
    Field("region", "text", "Of `aws-s3`.", optional=True),
)
_SHOWN = (
    Field("id", "text", "The zone’s id."),
    Field("cdn_domain", "text", "Its own name."),
    Field("object_size", "text", "As asked for.", values=("small", "big")),
    Field(
        "upstream",
        "object",
        "Where files come from, without passwords and keys; null with a storage.",
        null=True,
        of=(
            Field("endpoints", "list", "Whom it asks.", of=_ENDPOINT),
            Field("type", "text", "As asked for.", values=("own", "aws-s3")),
            Field("proto", "text", "As asked for.", values=("http", "https")),
            Field("host_header", "text", "As asked for.", null=True),
            Field("auth", "map", "Its `type`, and who asks."),
        ),
    ),
    Field("is_active", "text", "`1` where it is served.", values=("0", "1")),
    Field("create_ts", "text", "When it was made, a Unix timestamp."),
    Field("update_ts", "text", "When it was last changed."),
    Field("storage_id", "integer", "As asked for.", null=True),
    Field("error_pages", "object", "Addresses by status; without any, in a list of zones, a list."),
    Field("referers", "texts", "As asked for."),
    Field("geo_filter", "object", "`allow` and `deny`; without any, a list."),
    Field("limit_rate", "object", "`global` or `security`; without any, a list."),
    Field("custom_domains", "texts", "As asked for."),
    Field("cache_reuse_from", "integer", "As asked for.", null=True),
    Field("expiration", "integer", "As asked for.", null=True),
)
_CERTIFIED = Field(
    "ssl_type",
    "text",
    "`own` where there is a certificate for one of its domains.",
    values=("own", "shared"),
)
_SECURITY = (
    Field("hash_secret", "text", "As asked for.", null=True),
    Field("hash_algorithm", "text", "As asked for.", null=True),
    Field("hash_ttl", "integer", "As asked for.", null=True),
    Field(
        "reconfig_status",
        "text",
        "`ready` when every worker serves it as it is shown here.",
        values=("ready", "reconfiguring"),
    ),
)
_DONE = (Field("message", "text", "What was done."),)

FUNCTIONS: tuple[Function[Call], ...] = (
    Function(
        "listZones",
        ("GET",),
        None,
        zones.get_all,
        "Zones",
        'Those of your account; with `count=1` only how many these are: `{"count": 3}`.',
        place="zones",
        query=(Parameter("count", "Only their number.", "flag"),),
        answer=(*_SHOWN, *_SECURITY),
        many=True,
    ),
    Function(
        "createZone",
        ("POST",),
        None,
        zones.create,
        "Make a zone",
        "It is served at once, at its `cdn_domain` and its custom domains.",
        place="zone",
        members=(
            _SIZE._replace(required=True, example="small"),
            *_MEMBERS[1:],
        ),
        answer=(Field("zone_id", "integer", "Its id."),),
    ),
    Function(
        "getZone",
        ("GET",),
        None,
        zones.get,
        "A zone",
        "As it is, without the secrets of its origin.",
        place="zone/{zone_id}",
        parts=_NUMBER,
        answer=(*_SHOWN, _CERTIFIED, *_SECURITY),
    ),
    Function(
        "replaceZone",
        ("PUT",),
        None,
        zones.replace,
        "Replace a zone’s configuration",
        "What is not said is as if it had never been. No cache is lost.",
        place="zone/{zone_id}",
        parts=_NUMBER,
        members=_MEMBERS,
        answer=_DONE,
        errors=("Conflict",),
    ),
    Function(
        "patchZone",
        ("PATCH",),
        None,
        zones.patch,
        "Change a zone",
        "What is not said stays. The flags may be in the query as well, and come before the rest.",
        place="zone/{zone_id}",
        parts=_NUMBER,
        query=_HELPERS,
        members=(*_MEMBERS, *_HELPERS),
        answer=_DONE,
        errors=("Conflict",),
    ),
    Function(
        "deleteZone",
        ("DELETE",),
        None,
        zones.delete,
        "Delete a zone",
        "With all that its cache has. 406 while another zone uses that.",
        place="zone/{zone_id}",
        parts=_NUMBER,
        answer=_DONE,
        errors=("StillUsed",),
    ),
)

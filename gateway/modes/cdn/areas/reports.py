"""What was served, in numbers."""

from __future__ import annotations

from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import reports
from gateway.telemetry.reports import LENGTHS, Split
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_FROM = Parameter(
    "from",
    "From when on: `2014-03-12 15:32`, with or without `GMT+3` behind it, `2014-03-12`, or a Unix"
    " timestamp; 24 hours before `to`, if it is not given. The slot in which that is is whole.",
    most=40,
    least=1,
    example="2015-08-12",
)
_TO = _FROM._replace(
    name="to", about="Until when, which is not in it: the same; else now.", example="2015-08-13"
)
_BY = Parameter("by", "How long slots are.", default="hour", values=tuple(LENGTHS), example="hour")
_ZONES = Parameter(
    "zones",
    "Ids of zones, separated by commas; else all zones of the account.",
    pattern=r"\d{1,9}(,\d{1,9})*",
    least=1,
    most=5000,
)
_ZONE = Parameter("zone", "The zone’s id.", "integer", required=True, most=1 << 31, example="1")
_LIMITS = " At most 35,000 slots."
_DESCRIPTION = Field("element_description", "texts", "What each number of an element is.")
_DURATION = Field("element_duration", "integer", "Seconds of a slot.")
_ROWS = (_DESCRIPTION, _DURATION, Field("elements", "rows", "One for each slot, zeros too."))
_MAP = "An element for each slot, zeros too, by {}."
_COMMON = ("NotFound", "NotOffered", "NotAvailable")


def _usage(name: str, place: str, title: str, parts: tuple[Parameter, ...]) -> Function[Call]:
    return Function(
        name,
        ("GET",),
        None,
        reports.usage,
        title,
        "Hits and bytes served, of a zone, or of all zones of the account (`0`).",
        query=(_FROM._replace(name="date_from"), _TO._replace(name="date_to")),
        place=place,
        parts=parts,
        answer=(
            Field("hits", "integer", "Requests, however they were answered."),
            Field("bytes_served", "integer", "Bytes of the answers’ bodies."),
        ),
        errors=_COMMON,
    )


def _series(
    place: str, title: str, what: reports.What, about: str, split: Split = "", name: str = ""
) -> Function[Call]:
    words = [one.capitalize() for one in place.split("/")]
    return Function(
        f"report{''.join(words)}",
        ("GET",),
        None,
        reports.series(what, about, split, name),
        title,
        f"{title} in each slot, of zones together.{_LIMITS}",
        query=(_FROM, _TO, _ZONES, _BY),
        place=f"reports/{place}",
        answer=_ROWS,
        errors=_COMMON,
    )


_BYTES = "bytes served in this time slot"
"""Also of the hits by HTTP/2 and SSL: so the interface says it."""

FUNCTIONS: tuple[Function[Call], ...] = (
    _usage("reportAccount", "reports", "Usage of the account", ()),
    Function(
        "reportCountries",
        ("GET",),
        None,
        reports.countries,
        "Countries",
        "Hits and bytes by the visitors’ countries, by day; `ZZ`: nobody knows.",
        query=(
            _FROM,
            _TO,
            _ZONES,
            Parameter(
                "countries",
                "Two letters each (ISO 3166-1), separated by commas; else all that there were.",
                pattern="[A-Za-z]{2}(,[A-Za-z]{2})*",
                least=2,
                most=1000,
            ),
        ),
        place="reports/countries",
        answer=(_DESCRIPTION, _DURATION, Field("elements", "rows by name", _MAP.format("country"))),
        errors=_COMMON,
    ),
    _series("bytes", "Bytes served", "bytes", _BYTES),
    _series("bytes/http2", "Bytes served by HTTP/2", "bytes", _BYTES, split="http", name="2"),
    _series("bytes/ssl", "Bytes served by TLS", "bytes", _BYTES, split="tls", name="tls"),
    _series("hits", "Hits", "hits", "hits"),
    _series("hits/http2", "Hits by HTTP/2", "hits", _BYTES, split="http", name="2"),
    _series("hits/ssl", "Hits by TLS", "hits", _BYTES, split="tls", name="tls"),
    Function(
        "reportStorages",
        ("GET",),
        None,
        reports.storages,
        "Storages",
        "Bytes in all storages of the account together, hour by hour, as they were last measured"
        f" in it.{_LIMITS}",
        query=(_FROM, _TO, _BY._replace(values=("hour",))),
        place="reports/storages",
        answer=_ROWS,
        errors=_COMMON,
    ),
    Function(
        "reportStatusCodes",
        ("GET",),
        None,
        reports.statuses,
        "Status codes",
        f"Hits by status, and how many of a hundred these are.{_LIMITS}",
        query=(
            _FROM,
            _TO,
            _ZONES,
            _BY,
            Parameter("code", "One status alone.", "integer", least=100, most=599, example="404"),
        ),
        place="reports/status/codes",
        answer=(_DESCRIPTION, _DURATION, Field("elements", "rows by name", _MAP.format("status"))),
        errors=_COMMON,
    ),
    _usage(
        "reportZone",
        "reports/{zone}",
        "Usage of a zone",
        (_ZONE,),
    ),
)

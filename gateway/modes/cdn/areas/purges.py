"""Having the caches of zones forget."""

from __future__ import annotations

from gateway.modes.cdn.areas.numbers import number
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.resources import purges
from gateway.modes.purge_jobs import MOST_FILES, MOST_NAMES, STATUSES
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

_ZONE = number("Of the zone.")
_JOB = Parameter(
    "id",
    "Of the job.",
    required=True,
    pattern="[0-9a-f]{32}",
    example="2170dd23decc45691adf28987282d0bc",
)
_JOB_ANSWER = (
    Field("job_id", "text", "Of the job."),
    Field("files", "texts", "Addresses; none where it is all that the zone’s cache has."),
    Field("status", "text", "How far it is.", values=STATUSES),
    Field("created_at", "time", "When it was begun."),
    Field("files_count", "integer", "Where there are more than are listed.", optional=True),
    Field("prefixes", "texts", "If there are any.", optional=True),
    Field("tags", "texts", "If there are any.", optional=True),
    Field("soft", "boolean", "Where it is.", optional=True),
    Field("message", "text", "Why it has failed.", optional=True),
)

FUNCTIONS: tuple[Function[Call], ...] = (
    Function(
        "listPurgeJobs",
        ("GET",),
        None,
        purges.list_all,
        "Purge jobs",
        "Those of the account, the newest first, each with its first 20 files.",
        place="purge",
        query=(
            Parameter("status", "Only those that are so far.", values=STATUSES, example="finished"),
            Parameter("count", "How many.", "integer", default=20, least=1, most=500, example="20"),
        ),
        answer=_JOB_ANSWER,
        many=True,
    ),
    Function(
        "purgeZone",
        ("POST",),
        None,
        purges.begin,
        "Purge files",
        "Has a zone’s cache forget files, in one step. Nothing named is all that it has.",
        place="purge/zone/{id}",
        parts=(_ZONE,),
        members=(
            Parameter(
                "files",
                f"At most {MOST_FILES}, each on a line of its own: `/dir/file.txt`, or an address"
                " of the zone. What it has of a query counts for nothing: a file goes with all that"
                " it was asked with.",
                example="/example/logo.png",
            ),
            Parameter(
                "prefixes", "Beginnings of such paths: `/dir/`.", "texts", least=1, most=MOST_NAMES
            ),
            Parameter(
                "tags", "Of `Surrogate-Key` or `Cache-Tag`.", "texts", least=1, most=MOST_NAMES
            ),
            Parameter("soft", "What is named is only asked for anew.", "flag"),
        ),
        answer=(
            Field("message", "text", "That it is begun."),
            Field("job_id", "text", "By which is asked what has become of it."),
        ),
    ),
    Function(
        "getPurgeJob",
        ("GET",),
        None,
        purges.get,
        "One purge job",
        "With all its files. It is `finished` when no worker answers any more from the cache what"
        " was there before.",
        place="purge/job/{id}",
        parts=(_JOB,),
        answer=_JOB_ANSWER,
    ),
    Function(
        "deletePurgeJob",
        ("DELETE",),
        None,
        purges.delete,
        "Remove a purge job",
        "One that waits is not carried out then. What is running, or has failed, stays.",
        place="purge/job/{id}",
        parts=(_JOB,),
        answer=(Field("message", "text", "That it is done."),),
        errors=("InvalidRequest",),
    ),
)

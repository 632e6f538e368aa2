"""Volumes: namespaces of buckets with an owner and a quota; which there are, and what is in one.

Who manages the gateway sees all of them, others those that they own.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.access import Access
from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.paging import pager, position
from gateway.modes.volumes import VolumeInfo
from gateway.storage import Stats, VolumeStats
from gateway.web.replies import Reply

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A volume, with what is in it; None where nobody counts that."""

    info: VolumeInfo
    stats: VolumeStats | None


def listing(call: Call) -> Reply:
    starts, volumes = call.query.get("starts", "").strip(), call.gateway.volumes
    page = volumes.list(
        call.identity,
        every=call.identity.manages_everything,
        prefix=starts,
        after=position(call).after,
        limit=_SHOWN,
    )
    used = volumes.used([one.name for one in page.items])
    return call.show(
        "volumes.html",
        rows=[Row(one, used.get(one.name)) for one in page.items],
        starts=starts,
        everything=call.identity.manages_everything,
        pager=pager(call, page.next, starts=starts),
    )


def of(call: Call) -> Row:
    """That of the path. Raises `NoSuchVolume`, and `Forbidden` for who sees a bucket of it."""
    info = call.gateway.volumes.find(call.identity, call.values["volume"])
    return Row(info, call.gateway.volumes.used([info.name]).get(info.name))


@dataclass(frozen=True, slots=True)
class Bucket:
    """`name`: in its volume. `stats`: None where nobody counts, or the key may not know."""

    name: str
    sid: str
    driver: str
    created: int
    stats: Stats | None


def show(call: Call) -> Reply:
    volume, starts = of(call), call.query.get("starts", "").strip()
    page = call.gateway.volumes.buckets(
        call.identity,
        volume.info.name,
        prefix=starts,
        after=position(call).after,
        limit=_SHOWN,
        facts=call.facts,
    )
    measured = call.gateway.measured_of(page.items)
    return call.show(
        "volume.html",
        volume=volume,
        buckets=[_bucket(one, measured.get(one.service.sid)) for one in page.items],
        starts=starts,
        everything=call.identity.manages_everything,
        pager=pager(call, page.next, starts=starts),
    )


def _bucket(access: Access, stats: Stats | None) -> Bucket:
    about = access.service.about
    return Bucket(about.bucket, about.sid, about.driver, about.created, stats)


PAGES = (
    Page(
        name="ConsoleVolumes",
        path="volumes",
        get=listing,
        title="Volumes",
        reach="owner",
        said={"dropped": "The volume is dropped."},
    ),
    Page(
        name="ConsoleVolume",
        path="volumes/{volume}",
        get=show,
        section="volumes",
        reach="owner",
        said={
            "made": "The volume is made.",
            "changed": "The volume is changed. That counts from now on.",
            "bucket": "The bucket is made.",
        },
    ),
)

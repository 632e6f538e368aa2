"""What is answered: documents in JSON, and headers. Pure functions.

Times are dates of HTTP. The members of a document have the original server's order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.common.moments import http_date
from gateway.modes.ozone import quotas
from gateway.modes.ozone.acls import Acl
from gateway.modes.volumes import VolumeInfo
from gateway.storage import Encryption, Entry, ObjectInfo, Stats
from gateway.web.api import downloads
from gateway.web.http_fields import Headers
from gateway.web.replies import Reply

Item = dict[str, Any]

_MD5 = re.compile("[0-9a-f]{32}")
BINARY = "application/octet-stream"
_VARY = "authorization, x-ozone-user"


def document(content: Mapping[str, Any], status: int = 200) -> Reply:
    """It is never cached: what it says depends on who asks."""
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return Reply(status, headers, json.dumps(content).encode())


def done(status: int = 200) -> Reply:
    return Reply(status, [("content-type", BINARY)])


# documents


def volume(info: VolumeInfo) -> Item:
    return {
        "owner": {"name": info.user or info.owner},
        "quota": quotas.shown(info.quota),
        "volumeName": info.name,
        "createdOn": http_date(info.created),
        "createdBy": info.created_by or None,
    }


def bucket(
    volume: str,
    name: str,
    created: int,
    acls: tuple[Acl, ...],
    versioning: str,
    storage_type: str,
) -> Item:
    return {
        "volumeName": volume,
        "bucketName": name,
        "createdOn": http_date(created),
        "acls": [one.shown for one in acls],
        "versioning": versioning,
        "storageType": storage_type,
    }


def measured(stats: Stats | None) -> Item:
    """How much is in a bucket; null where its store does not count."""
    if stats is None:
        return {"bytesUsed": None, "keyCount": None}
    return {"bytesUsed": stats.bytes, "keyCount": stats.current}


def key(one: Entry | ObjectInfo, md5: str | None) -> Item:
    """`version`: no store counts them; what a version is called is text."""
    when = http_date(one.modified)
    return {
        "version": 0,
        "md5hash": md5,
        "createdOn": when,
        "modifiedOn": when,
        "size": one.size,
        "keyName": one.key,
    }


def md5(etag: str, encryption: Encryption | None = None) -> str | None:
    """In hexadecimal digits; None where the ETag is none (see `ObjectInfo.etag`)."""
    told = encryption is None or encryption.kind == "managed"
    return etag if told and _MD5.fullmatch(etag) else None


# headers


def validators(info: ObjectInfo) -> Headers:
    """What a 304 says."""
    return downloads.validators(info, _VARY)


def described(info: ObjectInfo) -> Headers:
    """What a GET says of a key, but for its length and range."""
    return downloads.described(info, _VARY)

"""What may change without new bytes, and what keeps a version from being removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from drivers.s3 import documents
from drivers.s3.multipart import S3Multipart
from drivers.s3.reading import Bucket
from drivers.s3.refusals import About
from drivers.s3.request_headers import (
    EVENT_HOLDS,
    check_tags,
    iso,
    refused,
)
from gateway.storage import (
    Conditions,
    EventHold,
    Get,
    InvalidRequest,
    Labels,
    NotFound,
    ObjectInfo,
    Protects,
    RetentionMode,
    Unsupported,
)
from gateway.storage.checksums import compute

C = TypeVar("C")


def _unconditional(conditions: Conditions | None, key: str) -> None:
    if conditions is not None:
        raise refused("conditions", "to a condition of such a change", key)


class Labelling(Bucket, Labels):
    def set_labels(
        self,
        key: str,
        version: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        if attributes:
            names = ", ".join(sorted(attributes))
            raise refused("attributes", f"what the gateway's modes add to objects ({names})", key)
        _unconditional(conditions, key)
        if tags is not None:
            self._set_tags(key, version, tags)
        return self.stat(key, Get(version=version))

    def _set_tags(self, key: str, version: str | None, tags: Mapping[str, str]) -> None:
        about = About(self.name, key, version)
        query = [("tagging", "")] + ([("versionId", version)] if version is not None else [])
        if not tags:
            self.ask("DELETE", key, query=query, about=about)
            return
        check_tags(tags)
        body = documents.tagging(tags)
        headers = {"content-md5": compute("MD5", body), "content-type": "application/xml"}
        self.ask("PUT", key, query=query, headers=headers, body=body, about=about)


class Guarding(Bucket, Protects):
    """Only a bucket that was made with object lock can protect."""

    locks: bool | None = None
    """Whether it can; None: nobody has asked yet."""

    @property
    def always_protects(self) -> bool:
        return self.can_protect()

    def can_protect(self) -> bool:
        if self.locks is None:
            try:
                data = self.ask("GET", None, query=[("object-lock", "")]).data
            except (NotFound, Unsupported, InvalidRequest):
                self.locks = False
            else:
                said = documents.fields(documents.parse(data, "ObjectLockConfiguration"))
                self.locks = said.get("ObjectLockEnabled") == "Enabled"
        return self.locks

    def set_retention(
        self,
        key: str,
        version: str | None,
        mode: RetentionMode | None,
        until: int | None,
        *,
        event: EventHold | None = None,
        bypass: bool = False,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        _unconditional(conditions, key)
        if event is not None:
            raise refused("event holds", EVENT_HOLDS, key)
        said = "", ""  # S3's way of saying that there is none any more
        if mode is not None:
            if until is None:
                raise InvalidRequest("A retention has an end.", key=key)
            said = mode.upper(), iso(until)
        self._write(key, version, "retention", documents.retention(*said), bypass=bypass)
        return self.stat(key, Get(version=version))

    def set_hold(
        self, key: str, version: str | None, hold: bool, *, conditions: Conditions | None = None
    ) -> ObjectInfo:
        _unconditional(conditions, key)
        self._write(key, version, "legal-hold", documents.legal_hold(hold))
        return self.stat(key, Get(version=version))

    def _write(
        self, key: str, version: str | None, what: str, body: bytes, *, bypass: bool = False
    ) -> None:
        query = [(what, "")] + ([("versionId", version)] if version is not None else [])
        headers = {"content-md5": compute("MD5", body), "content-type": "application/xml"}
        if bypass:
            headers["x-amz-bypass-governance-retention"] = "true"
        about = About(self.name, key, version)
        self.ask("PUT", key, query=query, headers=headers, body=body, about=about)


class Whole(S3Multipart, Labelling, Guarding):
    """All that a bucket can do."""

    def find(self, capability: type[C]) -> C | None:
        if capability is Protects and not self.can_protect():
            return None
        return super().find(capability)

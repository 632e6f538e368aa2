"""A store that keeps its promises: what links between services and modes get.

A driver may be able to do little more than `get`. `Service` says what the
whole can do (`find`), fills in what can be made from the rest (copy, upload
in parts), and refuses the rest with `Unsupported`, naming the service. It
does not ask who is calling: that is `access.Access`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from gateway.access.grants import Grant
from gateway.storage import (
    CAPABILITIES,
    NOTHING,
    NULL_VERSION,
    Complete,
    Conditions,
    Conflict,
    Copies,
    Delete,
    Encryption,
    Get,
    Multipart,
    NoSuchKey,
    NotFound,
    ObjectInfo,
    Opened,
    Part,
    PartRef,
    Put,
    Readable,
    StorageError,
    Store,
    Unsupported,
    Upload,
    UploadPage,
    UploadQuery,
    Versioning,
    Versions,
    Writable,
    carried,
)

C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What is known of a service besides its store. `declared` names the place in the
    configuration that declares it; "" when the catalog has it: then `row` is its number there,
    which no other ever has. `added`: it has a driver and options of its own there; else it is
    a bucket that was made through an API. `part_of`: with what it is made and removed, as in
    "zone 5"; "" where it is by itself. `volume` is the one that it is in, and `bucket` what
    it is called there; both "" where it is in none."""

    sid: str
    name: str = ""
    driver: str = ""
    owner: str = "root"
    created: int = 0
    declared: str = ""
    added: bool = False
    part_of: str = ""
    source: str = ""
    grants: tuple[Grant, ...] = ()
    row: int | None = None
    volume: str = ""
    bucket: str = ""

    @property
    def fixed(self) -> str:
        """Why it cannot be changed as a bucket can; "" when it can."""
        if self.declared:
            return f"is declared in the configuration ({self.declared})"
        if self.part_of:
            return f"is part of the {self.part_of}"
        return "has options of its own (`gateway services show`)" if self.added else ""


_LACKING: Mapping[str, str] = {
    "Annotates": "keeps no annotations",
    "Buckets": "has no buckets in it",
    "Changes": "has no feed of its changes",
    "Copies": "makes no copies without moving bytes",
    "Forwards": "has no origin to pass requests on to",
    "Labels": "keeps no tags or attributes",
    "Listable": "cannot be listed",
    "Measures": "does not know how much is in it",
    "Multipart": "takes no uploads in parts",
    "Presigns": "gives no presigned URLs",
    "Protects": "has no retention periods or legal holds",
    "Purges": "is no cache, so there is nothing to flush",
    "Replicates": "cannot be a replica",
    "Varies": "has one answer for each key",
    "Versions": "keeps no versions",
    "Volumes": "has no volumes",
    "Writable": "cannot be written",
}
"""What a service without a capability is to who needs that, in a user's words."""


class Service(Store):
    """`staging` gives the `Multipart` store in which parts wait for a store that has
    no uploads of its own, so that any worker can take the next part. It keeps
    versions: two uploads of one key are two versions there."""

    def __init__(
        self,
        about: Identification,
        store: Store,
        *,
        staging: Callable[[], Multipart] | None = None,
    ) -> None:
        self.store, self._staging = store, staging
        self._needed: dict[type, Any] = {}
        self.identify(about)

    def identify(self, about: Identification) -> None:
        """Say anew what is known of it."""
        self.about = about
        self.sid, self.owner, self.grants = about.sid, about.owner, about.grants

    def beside(self, about: Identification, store: Store) -> Service:
        """One of its buckets, when its store is an account."""
        return Service(about, store)

    @property
    def path_keys(self) -> bool:  # type: ignore[override]  # it is the store's
        return self.store.path_keys

    @property
    def case_sensitive(self) -> bool:  # type: ignore[override]  # as above
        return self.store.case_sensitive

    @property
    def keeps_owners(self) -> bool:  # type: ignore[override]  # as above
        return self.store.keeps_owners

    def find(self, capability: type[C]) -> C | None:
        found = self.store.find(capability)
        if found is not None or self.store.find(Writable) is None:
            return found
        if capability is Copies or (capability is Multipart and self._staging is not None):
            return cast(C, self)
        return None

    def has(self, capability: type) -> bool:
        """Whether it finds it, as far as that is known now: an upstream that does not answer keeps
        it to itself."""
        try:
            return self.find(capability) is not None
        except StorageError:
            return False

    def capabilities(self) -> tuple[list[str], StorageError | None]:
        """The names of what it can do; and why it is not known whether it can do more, which
        an upstream that does not answer keeps to itself."""
        able, reason = list[str](), None
        for one in CAPABILITIES:
            try:
                if self.find(one) is not None:
                    able.append(one.__name__)
            except StorageError as error:
                reason = error
        return able, reason

    def need(self, capability: type[C]) -> C:
        """That capability, or `Unsupported` naming what is missing where."""
        found: C | None = self._needed.get(capability)
        if found is not None:
            return found
        found = self.find(capability)
        if found is None:
            raise self.lacks(capability)
        self._needed[capability] = found
        return found

    def lacks(self, capability: type) -> Unsupported:
        """What is said to who needs that where it is missing."""
        name = capability.__name__
        lacking = _LACKING.get(name, f"has no {name}")
        return Unsupported(
            f"The service {self.sid!r} (driver {self.about.driver!r}) {lacking}.", capability=name
        )

    def behind(self, key: str) -> tuple[Store, str]:
        return self.store.behind(key)

    # for who links to it; `access.Access` asks the store

    def get(self, key: str, want: Get = Get()) -> Opened:
        return self.store.get(key, want)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        return self.store.stat(key, want)

    # versions

    @property
    def versioning(self) -> Versioning:
        versions = self.find(Versions)
        return "off" if versions is None else versions.versioning

    def set_versioning(self, state: Versioning) -> None:
        if self.about.fixed:
            raise Conflict(f"The service {self.about.fixed}, which decides about its versions.")
        self.need(Versions).set_versioning(state)

    def names_version(self, text: str) -> bool:
        """Whether a version of it could be called so."""
        versions = self.find(Versions)
        return text == NULL_VERSION if versions is None else versions.names_version(text)

    # copy: by the store when it can, else read and written

    def copy(
        self,
        source: Service,
        source_key: str,
        key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> ObjectInfo:
        copies, (origin, origin_key) = self.store.find(Copies), source.behind(source_key)
        if copies is not None and copies.reaches(origin):
            return copies.copy(origin, origin_key, key, want, options)
        conditions, want = want.conditions, replace(want, conditions=None)
        with source.get(source_key, want) as opened:
            if conditions is not None:
                conditions.check_copy(opened.info)
            options = replace(options, size=opened.length)
            return self.need(Writable).put(key, opened.body, options)

    def reaches(self, source: Any) -> bool:
        return True

    # in parts: by the store when it can, else staged and then put whole

    def _multipart(self) -> Multipart:
        found = self.store.find(Multipart)
        if found is not None:
            return found
        if self._staging is None or self.store.find(Writable) is None:
            self.need(Multipart)
        assert self._staging is not None
        return self._staging()

    def begin(self, key: str, options: Put = Put()) -> Upload:
        multipart = self._multipart()
        if self.store.find(Multipart) is None:  # it is put whole only when all parts are there
            self.need(Writable).check_put(options)
        return multipart.begin(key, options)

    def upload(self, key: str, upload: str) -> Upload:
        return self._multipart().upload(key, upload)

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        return self._multipart().put_part(key, upload, number, source, options)

    def copy_part(
        self,
        key: str,
        upload: str,
        number: int,
        source: Service,
        source_key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> Part:
        multipart, copies = self._multipart(), self.store.find(Copies)
        origin, origin_key = source.behind(source_key)
        if copies is not None and copies.reaches(origin):
            return multipart.copy_part(key, upload, number, origin, origin_key, want, options)
        conditions, want = want.conditions, replace(want, conditions=None)
        with source.get(source_key, want) as opened:
            if conditions is not None:
                conditions.check_copy(opened.info)
            return multipart.put_part(
                key, upload, number, opened.body, replace(options, size=opened.length)
            )

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        return self._multipart().parts(key, upload, after, limit)

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        return self._multipart().uploads(query)

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        multipart = self._multipart()
        if self.store.find(Multipart) is not None:
            return multipart.complete(key, upload, parts, options)
        return self._complete_staged(multipart, key, upload, parts, options)

    def _complete_staged(
        self,
        staging: Multipart,
        key: str,
        upload: str,
        parts: Sequence[PartRef],
        options: Complete,
    ) -> ObjectInfo:
        """Complete it where it is staged, then put it whole. Each step may be repeated."""
        self._check(key, options.conditions)  # now, while the upload can still go on
        staged = staging.complete(
            key, upload, parts, replace(options, conditions=None, protection=None)
        )
        store = cast(Store, staging)
        want = Get(version=staged.version, encryption=options.encryption)
        try:
            opened = store.get(key, want)
        except NotFound:  # it was put before, and only the answer was lost
            return self.store.stat(key)
        with opened:
            whole = _put_of(opened.info, size=opened.length, encryption=options.encryption)
            whole = replace(whole, conditions=options.conditions)
            if options.protection is not None:
                whole = replace(whole, protection=options.protection)
            info = self.need(Writable).put(key, opened.body, whole)
        cast(Writable, staging).delete(key, Delete(version=staged.version))
        return info

    def _check(self, key: str, conditions: Conditions | None) -> None:
        if conditions is None:
            return
        try:
            info = self.store.stat(key)
        except NoSuchKey:
            conditions.check_write(key, None)
        else:
            conditions.check_write(key, info)

    def abort(self, key: str, upload: str) -> None:
        self._multipart().abort(key, upload)


def _put_of(info: ObjectInfo, *, size: int, encryption: Encryption | None) -> Put:
    """All that an object has, to put it whole into another store; checksums of its parts'
    checksums are not among it."""
    composite = info.checksum_type == "COMPOSITE"
    return Put(
        size=size,
        checksums=NOTHING if composite else info.checksums,
        checksum_type=None if composite else info.checksum_type,
        **carried(info, encryption=encryption or info.encryption),
    )

"""May this identity do this to that key? One evaluator, for every mode.

A mode translates its own language of rules (S3 ACLs, …) into grants on a
service or an object; they are evaluated here only, so that what one door
denies no other door gives. `Access` is a service as an identity sees it:
modes touch services through it alone.

No answer depends on data before it is authorized: who may neither read a key
nor list its service cannot tell a missing key from a private one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from gateway.access.identity import Identity
from gateway.services.service import Service
from gateway.storage import (
    ChangePage,
    Changes,
    Complete,
    Delete,
    Deleted,
    Forbidden,
    Get,
    Labels,
    Listable,
    ListPage,
    ListQuery,
    Mark,
    Measures,
    MethodNotAllowed,
    NotFound,
    ObjectInfo,
    Opened,
    Part,
    PartRef,
    Protection,
    Protects,
    Purge,
    Purges,
    Put,
    Readable,
    Stats,
    StorageError,
    Upload,
    UploadPage,
    UploadQuery,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
    WrongKey,
)
from gateway.storage.paging import check_moves

Action = Literal[
    "list",
    "read",
    "write",
    "purge",
    "read-acl",
    "write-acl",
    "read-grants",
    "write-grants",
    "admin",
]
"""What is done. `list` a service's keys and uploads, `read` an object, `write` (put and
delete), `purge` (remove a version for good), `read-acl` and `write-acl` of an object,
`read-grants` and `write-grants` of the service, `admin` (its settings, and itself)."""

Permission = Literal["read", "write", "read-acl", "write-acl", "full"]

EVERYONE = "*"
AUTHENTICATED = "~"

GRANTS = "grants"
"""The attribute of an object that holds its grants: `[[grantee, permission], …]`."""


class Grant(NamedTuple):
    """`grantee`: an account's id, `EVERYONE`, or `AUTHENTICATED` (any account).

    On a service, `read` lets its keys be listed and `write` lets objects be
    put and deleted; on an object, `read` lets it be read.
    """

    grantee: str
    permission: Permission


_SERVICE_ACTIONS: Mapping[Permission, frozenset[Action]] = {
    "read": frozenset({"list"}),
    "write": frozenset({"write"}),
    "read-acl": frozenset({"read-grants"}),
    "write-acl": frozenset({"write-grants"}),
    "full": frozenset({"list", "write", "read-grants", "write-grants"}),
}
"""What a grant on a service gives: nothing on the objects of others (as S3's ACLs)."""

_OBJECT_ACTIONS: Mapping[Permission, frozenset[Action]] = {
    "read": frozenset({"read"}),
    "write": frozenset(),
    "read-acl": frozenset({"read-acl"}),
    "write-acl": frozenset({"write-acl"}),
    "full": frozenset({"read", "read-acl", "write-acl"}),
}
_READING: frozenset[Action] = frozenset({"list", "read", "read-acl", "read-grants"})
_WRITING: frozenset[Action] = _READING | {"write", "purge"}
_ALL: frozenset[Action] = _WRITING | {"write-acl", "write-grants", "admin"}
_OF_LEVEL: Mapping[str, frozenset[Action]] = {
    "read": _READING,
    "write": _WRITING,
    "admin": _ALL,
    "read-all": _READING,
    "write-all": _WRITING,
    "own": frozenset(),
}


def acting_for(identity: Identity) -> str:
    """The account whose rights the key has; "" when it has only those that its access
    names (a table, `read-all`, `write-all`), whatever its account owns."""
    return identity.account if identity.access in ("own", "admin") else ""


def _granted(
    grants: Iterable[Grant], identity: Identity, table: Mapping[Permission, frozenset[Action]]
) -> set[Action]:
    actions: set[Action] = set()
    account = acting_for(identity)
    for grantee, permission in grants:
        if grantee == EVERYONE or (account and grantee in (AUTHENTICATED, account)):
            actions |= table[permission]
    return actions


def allowed_on_service(identity: Identity, service: Service) -> frozenset[Action]:
    """All actions that `identity` may do in `service`, to whatever key."""
    allowed = allowed_by_access(identity, service)
    if not service.grants:
        return allowed
    return allowed | _granted(service.grants, identity, _SERVICE_ACTIONS)


def allowed_by_access(identity: Identity, service: Service) -> frozenset[Action]:
    """Those that the key's access gives, without grants."""
    access = identity.access
    if access == "admin":
        return _ALL
    if not isinstance(access, str):
        level = access.get(service.sid)
        return _OF_LEVEL[level] if level else frozenset()
    account = acting_for(identity)
    return _ALL if account and account == service.owner else _OF_LEVEL[access]


def allowed_on_object(identity: Identity, info: ObjectInfo) -> frozenset[Action]:
    """The actions that the object itself gives `identity`: its writer's, and its grants'."""
    account = acting_for(identity)
    if account and account == info.owner:
        return _OBJECT_ACTIONS["full"]
    grants = (Grant(*one) for one in info.attributes.get(GRANTS, ()))
    return frozenset(_granted(grants, identity, _OBJECT_ACTIONS))


class Access:
    """A service seen by an identity. Each method decides first and acts then;
    it raises `Forbidden`, or what the service raises."""

    __slots__ = ("_allowed", "identity", "service")

    def __init__(self, service: Service, identity: Identity) -> None:
        self.service, self.identity = service, identity
        self._allowed = allowed_on_service(identity, service)

    # deciding

    def may(self, action: Action) -> bool:
        return action in self._allowed

    @property
    def visible(self) -> bool:
        """Whether the service is shown in lists of services."""
        return bool(self._allowed & {"list", "read", "write", "admin"})

    def require(self, action: Action) -> None:
        if action not in self._allowed:
            raise Forbidden

    def _hide(self, error: StorageError) -> StorageError:
        """What to say of a missing object to somebody who may perhaps not know of it."""
        return error if "list" in self._allowed else Forbidden()

    def _object(self, action: Action, key: str, want: Get) -> ObjectInfo:
        """The object, once it is sure that `action` may be done to it."""
        encryption = want.encryption if action == "read" else None
        try:
            info = self.service.stat(key, Get(version=want.version, encryption=encryption))
        except (NotFound, MethodNotAllowed, WrongKey) as error:
            raise self._hide(error) from None
        self._require_on(action, info)
        return info

    def _require_on(self, action: Action, info: ObjectInfo) -> None:
        if action not in self._allowed and action not in allowed_on_object(self.identity, info):
            raise Forbidden(key=info.key)

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        if "read" in self._allowed:
            return self.service.get(key, want)
        self._object("read", key, want)
        opened = self.service.get(key, want)
        try:  # it may be another object than it was just now
            self._require_on("read", opened.info)
        except Forbidden:
            opened.close()
            raise
        return opened

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        if "read" in self._allowed:
            return self.service.stat(key, want)
        self._object("read", key, want)
        info = self.service.stat(key, want)
        self._require_on("read", info)  # it may be another object than it was just now
        return info

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        self.require("list")
        page = self.service.need(Listable).list(query)
        check_moves(page.next, query.after)
        return page

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        self.require("list")
        page = self.service.need(Versions).versions(query)
        check_moves(page.next, query.after, page.next_version, query.after_version)
        return page

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        self.require("list")
        page = self.service.uploads(query)
        check_moves(page.next, query.after, page.next_upload, query.after_upload)
        return page

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        self.require("read")
        return self.service.need(Changes).changes(after, limit, wait)

    def stats(self) -> Stats:
        self.require("list")
        return self.service.need(Measures).stats()

    # writing

    def _owned(self, options: Put) -> Put:
        return options if options.owner else replace(options, owner=self.identity.account)

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        self.require("write")
        return self.service.put(key, source, self._owned(options))

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        self.require("write")
        return self.service.delete(key, self._within_rights(options))

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> Sequence[Deleted | StorageError]:
        self.require("write")
        return self.service.delete_many(
            (key, self._within_rights(options)) for key, options in items
        )

    def purge(self, purge: Purge = Purge()) -> Mark:
        """Make a cache forget."""
        self.require("write")
        return self.service.need(Purges).purge(purge)

    def _within_rights(self, options: Delete) -> Delete:
        if options.version is not None:
            self.require("purge")
        if options.bypass and not self.may("admin"):
            raise Forbidden("Only who administers the service may override a retention.")
        return options

    def copy(
        self,
        source: Access,
        source_key: str,
        key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> ObjectInfo:
        self.require("write")
        source.authorize_read(source_key, want)
        return self.service.copy(source.service, source_key, key, want, self._owned(options))

    def authorize_read(self, key: str, want: Get = Get()) -> None:
        """Raise unless `key` may be read; who may not list learns nothing else."""
        if "read" not in self._allowed:
            self._object("read", key, want)

    def authorize(self, action: Action, key: str, version: str | None = None) -> ObjectInfo:
        """The object, for who may do `action` to it."""
        return self._object(action, key, Get(version=version))

    # in parts

    def begin(self, key: str, options: Put = Put()) -> Upload:
        self.require("write")
        return self.service.begin(key, self._owned(options))

    def upload(self, key: str, upload: str) -> Upload:
        self.require("write")
        return self.service.upload(key, upload)

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        self.require("write")
        return self.service.put_part(key, upload, number, source, options)

    def copy_part(
        self,
        key: str,
        upload: str,
        number: int,
        source: Access,
        source_key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> Part:
        self.require("write")
        source.authorize_read(source_key, want)
        return self.service.copy_part(
            key, upload, number, source.service, source_key, want, options
        )

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        self.require("write")
        return self.service.parts(key, upload, after, limit)

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        self.require("write")
        return self.service.complete(key, upload, parts, options)

    def abort(self, key: str, upload: str) -> None:
        self.require("write")
        self.service.abort(key, upload)

    # labels, protection, settings

    def tags(self, key: str, version: str | None = None) -> ObjectInfo:
        """The object, for who may read it; its tags are among what it says."""
        return self._object("read", key, Get(version=version))

    def set_tags(self, key: str, version: str | None, tags: Mapping[str, str]) -> ObjectInfo:
        self.require("write")
        return self.service.need(Labels).set_labels(key, version, tags=tags)

    def grants(self, key: str, version: str | None = None) -> ObjectInfo:
        """The object, for who may read its grants."""
        return self._object("read-acl", key, Get(version=version))

    def set_attributes(
        self, key: str, version: str | None, attributes: Mapping[str, Any]
    ) -> ObjectInfo:
        """Change an object's grants, and what else its modes keep with it."""
        self._object("write-acl", key, Get(version=version))
        return self.service.need(Labels).set_labels(key, version, attributes=attributes)

    def protect(
        self, key: str, version: str | None, protection: Protection, *, bypass: bool = False
    ) -> ObjectInfo:
        self.require("admin" if bypass else "write")
        return self.service.need(Protects).protect(key, version, protection, bypass=bypass)

    @property
    def versioning(self) -> Versioning:
        self.require("list")
        return self.service.versioning

    def set_versioning(self, state: Versioning) -> None:
        self.require("admin")
        self.service.set_versioning(state)

"""A service as an identity sees it: each method decides first, and acts then.

What somebody asks for, modes do through `Access` alone; `service` is for what a service can, and
for what nobody asks for (a job, a step back). What a plain owner does is decided here, by a look
into a set; where it depends on more, by `authorizer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, TypeVar

from gateway.access.acting import acted, has_changed, having
from gateway.access.actions import Action, Actions, ObjectAction, of
from gateway.access.authorizer import Authorizer
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.ruleset import RuleSet
from gateway.services.service import Service
from gateway.storage import (
    Annotate,
    Annotated,
    Annotates,
    AnnotationPage,
    AnnotationQuery,
    Brought,
    ChangePage,
    Changes,
    Complete,
    Conditions,
    Delete,
    Deleted,
    EventHold,
    Forbidden,
    Forward,
    Forwards,
    Get,
    Labels,
    Listable,
    ListPage,
    ListQuery,
    Mark,
    Measures,
    MethodNotAllowed,
    NoSuchUpload,
    NotFound,
    ObjectInfo,
    Opened,
    OpenedAnnotation,
    Part,
    PartRef,
    Protects,
    Purge,
    Purges,
    Put,
    Readable,
    RetentionMode,
    Stats,
    StorageError,
    Upload,
    UploadPage,
    UploadQuery,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
    Writable,
)
from gateway.storage.objects import now
from gateway.storage.paging import LIMIT, check_moves

W = TypeVar("W", Delete, Annotate)

_SHOWN: tuple[Action, ...] = ("list", "read", "write", "admin")
"""Who may do none of these, does not see a service in a list."""

_MAKING: Actions = frozenset(
    ("write", "write-tags", "write-new-acl", "write-retention", "write-hold")
)
"""All that making an object may need."""

_ANYTHING: tuple[Action, ...] = ("read", "write", "delete")
"""What somebody may want of an origin to whom requests are passed on."""

_OF_WHO_BEGAN: Actions = frozenset(("list-parts", "abort"))
"""Who began an upload may do these to it."""


def _seen(info: ObjectInfo) -> Mapping[str, Any]:
    """What it may depend on whether somebody may write an object's lists."""
    return {"owner": info.owner, "attributes": info.attributes, "tags": info.tags}


class Access:
    """Methods raise `Forbidden`, or what the service raises.

    `rules` are the service's (without them its grants are all that is said of it), `facts`
    those of the request."""

    __slots__ = (
        "_always",
        "_depending",
        "_facts",
        "_rules",
        "_said",
        "identity",
        "service",
        "settings",
    )

    def __init__(
        self,
        service: Service,
        identity: Identity,
        *,
        rules: RuleSet | None = None,
        facts: Facts = UNKNOWN,
    ) -> None:
        self.service, self.identity, self._facts = service, identity, facts
        if rules is None:
            rules = RuleSet(service.sid, service.owner, service.grants)
        self._said, self._rules = rules, rules.compiled(identity)
        self._always = self._rules.always
        self._depending: Authorizer | None = None
        self.settings: Set[str] = rules.settings
        """The kinds of settings that the service has, when this was made."""

    @property
    def _authorizer(self) -> Authorizer:
        """Made when it is first needed: most who ask may always do what they do."""
        found = self._depending
        if found is None:
            found = self._depending = Authorizer(
                self.service.store, self.identity, self._said, self._rules, self._facts
            )
        return found

    # asking

    def may(self, action: Action, key: str | None = None, version: str | None = None) -> bool:
        """Whether the service's rules allow it. `key`: the object's, or the prefix of a list;
        None for what is done to the service."""
        return self._authorizer.may(action, key, version)

    def might(self, action: Action) -> bool:
        """Whether they may allow it for some key."""
        return self._authorizer.might(action)

    @property
    def visible(self) -> bool:
        """Whether the service is shown in lists of services."""
        return not self._always.isdisjoint(_SHOWN) or any(map(self.might, _SHOWN))

    def require(self, action: Action, key: str | None = None, version: str | None = None) -> None:
        if action not in self._always:
            self._authorizer.require(action, key, version)

    def require_of(self, action: Action, info: ObjectInfo, version: str | None = None) -> None:
        """Raise unless it may be done to an object (of a version that was named: to that),
        which was looked at."""
        action = of(action, version)
        if action not in self._always:
            self._authorizer.require_of(action, info, version)

    def authorize(self, action: Action, key: str, version: str | None = None) -> ObjectInfo:
        """The object, for who may do `action` to it."""
        return self._authorizer.object(action, key, Get(version=version))

    def authorize_read(self, key: str, want: Get = Get(), *, named: bool = True) -> None:
        """Raise unless `key` may be read; who may not list learns nothing else. `named`: the
        version of `want` was asked for; else it is the one that a look at the key has found."""
        if self._reads_all(of("read", want.version if named else None)):
            return
        if named or want.version is None:
            self._authorizer.object("read", key, want)
        else:
            self._authorizer.require_found("read", key, want)

    def _reads_all(self, action: Action) -> bool:
        """Whatever is there, and it may know what is not."""
        return action in self._always and "list" in self._always

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        action: Action = "read" if want.version is None else "read-version"
        if action in self._always and "list" in self._always:
            return self.service.store.get(key, want)
        allowed = self._authorizer.may_read(action, key, want)
        try:
            opened = self.service.store.get(key, want)
        except (NotFound, MethodNotAllowed) as error:
            raise self._authorizer.hidden(error, key) from None
        try:  # it may be another object than it was just now
            if not allowed:
                self._authorizer.require_of(action, opened.info, want.version)
        except Forbidden:
            opened.close()
            raise
        return opened

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        action = of("read", want.version)
        if self._reads_all(action):
            return self.service.store.stat(key, want)
        allowed = self._authorizer.may_read(action, key, want)
        try:
            info = self.service.store.stat(key, want)
        except (NotFound, MethodNotAllowed) as error:
            raise self._authorizer.hidden(error, key) from None
        if not allowed:  # it may be another object than it was just now
            self._authorizer.require_of(action, info, want.version)
        return info

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        self.require("list", query.prefix)
        page = self.service.need(Listable).list(query)
        check_moves(page.next, self.service.fold(query.after))
        return page

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        self.require("list-versions", query.prefix)
        page = self.service.need(Versions).versions(query)
        check_moves(
            page.next, self.service.fold(query.after), page.next_version, query.after_version
        )
        return page

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        self.require("list-uploads", query.prefix)
        page = self.service.uploads(query)
        check_moves(page.next, self.service.fold(query.after), page.next_upload, query.after_upload)
        return page

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        self.require("read-changes")
        return self.service.need(Changes).changes(after, limit, wait)

    def stats(self) -> Stats:
        self.require("read-stats")
        return self.service.need(Measures).stats()

    # writing

    def _made(self, key: str, options: Put) -> Put:
        """What the object is to have, for who may give it that."""
        if not self._always >= _MAKING:
            self._authorizer.require_making(key, options)
        if options.conditions is not None:
            self._authorizer.require_compared(key, options.conditions)
        if self._said.defaults:
            options = self._with_defaults(options)
        owner = self._said.keeper or options.owner or self.identity.account
        return options if options.owner == owner else replace(options, owner=owner)

    def _with_defaults(self, options: Put) -> Put:
        """What the service's settings give it; nobody has to be allowed that."""
        time = self._facts.time
        for default in self._said.defaults:
            options = default(options, now() if time is None else time)
        return options

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        options = self._made(key, options)
        return self.service.need(Writable).put(key, source, options)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        return acted(
            key,
            lambda: self._removing(key, options),
            lambda removing: self.service.need(Writable).delete(key, removing),
        )

    def _removing(self, key: str, options: W, action: Action = "delete") -> W:
        """What is to be removed, or replaced, for who may do that."""
        seen = self._authorizer.require_removing(action, key, options)
        conditions = having(self.service.store, seen, options.conditions)
        return options if seen is None else replace(options, conditions=conditions)

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> Sequence[Deleted | StorageError]:
        """One result for each; who may not remove one is told so in its place."""
        asked = list(items)
        allowed: list[tuple[str, Delete]] = []
        results: list[Deleted | StorageError | None] = []
        for key, options in asked:
            try:
                allowed.append((key, self._removing(key, options)))
            except Forbidden as error:
                results.append(error)
            else:
                results.append(None)
        done = iter(self.service.need(Writable).delete_many(allowed) if allowed else ())
        return [
            self._once_more(asked[place], next(done)) if result is None else result
            for place, result in enumerate(results)
        ]

    def _once_more(
        self, item: tuple[str, Delete], result: Deleted | StorageError
    ) -> Deleted | StorageError:
        """What became of it, after all, where it had other tags by then."""
        if not has_changed(result):
            return result
        try:
            return self.delete(*item)
        except StorageError as error:
            return error

    def _labelling(
        self,
        key: str,
        version: str | None,
        actions: Sequence[Action],
        act: Callable[[Conditions | None], ObjectInfo],
    ) -> ObjectInfo:
        if self._always.issuperset(actions):
            return act(None)

        def decide() -> Conditions | None:
            return having(
                self.service.store, self._authorizer.require_changing(key, version, *actions)
            )

        return acted(key, decide, act)

    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        """Have an origin do what only that knows: it is for who may do all that one could mean."""
        for action in _ANYTHING:
            self.require(action, key)
        return self.service.need(Forwards).forward(key, body, request)

    def purge(self, purge: Purge = Purge()) -> Mark:
        """Make a cache forget."""
        self.require("flush")
        return self.service.need(Purges).purge(purge)

    def copy(
        self,
        source: Access,
        source_key: str,
        key: str,
        want: Get = Get(),
        options: Put = Put(),
        *,
        named: bool = True,
        annotated: bool = True,
    ) -> ObjectInfo:
        """`named`: see `authorize_read`. `annotated`: with the annotations of the source."""
        options = self._made(key, options)
        source.authorize_read(source_key, want, named=named)
        brought = source._brought(source_key, want.version) if annotated else ()
        if brought:
            self.service.need(Annotates)
            source.authorize("read-annotation", source_key, want.version if named else None)
            self.require("write-annotation", key)
        if brought or not annotated:
            options = replace(options, annotations=brought)
        return self.service.copy(source.service, source_key, key, want, options)

    def _brought(self, key: str, version: str | None) -> tuple[Brought, ...]:
        annotates = self.service.find(Annotates)
        return () if annotates is None else annotates.brought(key, version)

    # in parts

    def begin(self, key: str, options: Put = Put()) -> Upload:
        return self.service.begin(key, self._made(key, options))

    def upload(self, key: str, upload: str, action: ObjectAction = "write") -> Upload:
        """The upload, for who may do `action` with it."""
        if action in _OF_WHO_BEGAN:
            self._require_begun(action, key, upload)
        else:
            self.require(action, key)
        return self.service.upload(key, upload)

    def _require_begun(self, action: Action, key: str, upload: str) -> None:
        if action not in self._always:
            self._authorizer.require_begun(action, key, lambda: self.service.upload(key, upload))

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        self.require("write", key)
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
        *,
        named: bool = True,
    ) -> Part:
        """`named`: see `authorize_read`."""
        self.require("write", key)
        source.authorize_read(source_key, want, named=named)
        return self.service.copy_part(
            key, upload, number, source.service, source_key, want, options
        )

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        self._require_begun("list-parts", key, upload)
        return self.service.parts(key, upload, after, limit)

    def all_parts(self, key: str, upload: str) -> Iterator[Part]:
        """Those that are there, in order, a page at a time."""
        after = 0
        while found := self.parts(key, upload, after, LIMIT):
            yield from found
            if len(found) < LIMIT:
                return
            after = found[-1].number

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        self.require("write", key)
        if options.conditions is not None:
            self._authorizer.require_compared(key, options.conditions)
        if self._said.defaults:
            options = self._protected(key, upload, options)
        return self.service.complete(key, upload, parts, options)

    def _protected(self, key: str, upload: str, options: Complete) -> Complete:
        """What began before there was a default has that of now. Where the store is made to
        protect, an upload's protection is what it began with: another process began it, perhaps,
        and what with is not known here."""
        protects = self.service.find(Protects)
        if protects is None or protects.always_protects:
            return options
        try:
            begun = self.service.upload(key, upload).options
        except NoSuchUpload:  # who completes it once more gets the answer of the first time
            return options
        protection = self._with_defaults(begun).protection
        return (
            options if protection == begun.protection else replace(options, protection=protection)
        )

    def abort(self, key: str, upload: str) -> None:
        self._require_begun("abort", key, upload)
        self.service.abort(key, upload)

    # labels, protection, settings

    def tags(self, key: str, version: str | None = None) -> ObjectInfo:
        """The object, for who may read its tags, which are among what it says."""
        return self._authorizer.object("read-tags", key, Get(version=version))

    def set_tags(self, key: str, version: str | None, tags: Mapping[str, str]) -> ObjectInfo:
        return self._labelling(
            key,
            version,
            [of("write-tags" if tags else "delete-tags", version)],
            lambda seen: self.service.need(Labels).set_labels(
                key, version, tags=tags, conditions=seen
            ),
        )

    def annotation(self, key: str, name: str, version: str | None = None) -> OpenedAnnotation:
        self.authorize("read-annotation", key, version)
        opened = self.service.need(Annotates).annotation(key, name, version)
        try:  # of another object than it was just now, perhaps
            self.require_of("read-annotation", opened.object, version)
        except Forbidden:
            opened.body.close()
            raise
        return opened

    def annotations(self, key: str, query: AnnotationQuery = AnnotationQuery()) -> AnnotationPage:
        self.authorize("list-annotations", key, query.version)
        page = self.service.need(Annotates).annotations(key, query)
        self.require_of("list-annotations", page.object, query.version)
        check_moves(page.next, query.after)
        return page

    def put_annotation(
        self, key: str, name: str, data: bytes, options: Annotate = Annotate()
    ) -> Annotated:
        return acted(
            key,
            lambda: self._removing(key, options, "write-annotation"),
            lambda put: self.service.need(Annotates).put_annotation(key, name, data, put),
        )

    def delete_annotation(self, key: str, name: str, options: Delete = Delete()) -> ObjectInfo:
        return acted(
            key,
            lambda: self._removing(key, options, "delete-annotation"),
            lambda removing: self.service.need(Annotates).delete_annotation(key, name, removing),
        )

    def grants(self, key: str, version: str | None = None) -> ObjectInfo:
        """The object, for who may read its grants."""
        return self._authorizer.object("read-acl", key, Get(version=version))

    def set_attributes(
        self, key: str, version: str | None, attributes: Mapping[str, Any]
    ) -> ObjectInfo:
        """Change an object's grants, and what else its modes keep with it: of the one that was
        looked at, and not of one that was put there meanwhile. Raises `Conflict` when there is
        another each time."""

        def act(info: ObjectInfo) -> ObjectInfo:
            strong = () if info.etag.startswith("W/") else (info.etag,)
            same = Conditions(if_match=strong, if_modified=info.modified)
            always = of("write-acl", version) in self._always
            return self.service.need(Labels).set_labels(
                key,
                info.version if version is None else version,
                attributes=attributes,
                conditions=having(self.service.store, None if always else _seen(info), same),
            )

        def decide() -> ObjectInfo:
            return self._authorizer.object("write-acl", key, Get(version=version))

        return acted(key, decide, act, lambda _: True)

    def set_retention(
        self,
        key: str,
        version: str | None,
        mode: RetentionMode | None,
        until: int | None,
        *,
        event: EventHold | None = None,
        bypass: bool = False,
    ) -> ObjectInfo:
        return self._labelling(
            key,
            version,
            ["write-retention", "bypass-governance"] if bypass else ["write-retention"],
            lambda seen: self.service.need(Protects).set_retention(
                key, version, mode, until, event=event, bypass=bypass, conditions=seen
            ),
        )

    def set_hold(self, key: str, version: str | None, hold: bool) -> ObjectInfo:
        return self._labelling(
            key,
            version,
            ["write-hold"],
            lambda seen: self.service.need(Protects).set_hold(key, version, hold, conditions=seen),
        )

    @property
    def versioning(self) -> Versioning:
        self.require("read-versioning")
        return self.service.versioning

    def set_versioning(self, state: Versioning) -> None:
        self.require("write-versioning")
        self.service.set_versioning(state)

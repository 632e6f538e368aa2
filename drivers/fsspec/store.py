"""The `fsspec` driver: a store whose objects are the files below a URL.

What a file system cannot keep is refused, or kept in sidecars: see `metadata`.
Reading an impossible key finds nothing; writing one is `BadKey`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from drivers.fsspec import paths, supported, walk
from drivers.fsspec.label import Label, Sidecars, plain
from drivers.fsspec.opening import Target
from drivers.fsspec.tree import Draft, Found, Moved, Tree
from gateway.storage import (
    NULL_VERSION,
    BadKey,
    Conditions,
    Context,
    Delete,
    Deleted,
    Entry,
    Get,
    Intake,
    Labels,
    Listable,
    ListPage,
    ListQuery,
    NoSuchKey,
    NoSuchVersion,
    ObjectInfo,
    Opened,
    Place,
    Probe,
    Put,
    Readable,
    Store,
    Unsupported,
    Writable,
)
from gateway.storage.options import AtLeast, Duration, Secrets

C = TypeVar("C")
R = TypeVar("R")
_SWEEP_EVERY = 6 * 3600
_LEFT_FOR = 24 * 3600 * 1000
"""Milliseconds after which what a crash left is removed."""

_LOOKS = 10
"""Times that an object may change while somebody looks at it."""


@dataclass(eq=False)
class FileSystem(Store, Writable, Listable, Labels):
    """Files, wherever fsspec finds them.

    `url`: what fsspec opens, without a password.
    `storage_options`: fsspec's own for that URL.
    `metadata`: a put that carries what a file cannot keep is refused, or has that in a file
        beside it (a sidecar).
    `connections`: at once, at most.
    `timeout`: for one call, and to wait for a connection.
    """

    driver: ClassVar[str] = "fsspec"
    path_keys = True

    url: str
    storage_options: Annotated[Mapping[str, Any], Secrets] = field(default_factory=dict, repr=False)
    metadata: Literal["refuse", "sidecar"] = "refuse"
    connections: Annotated[int, AtLeast(1)] = 8
    timeout: Annotated[float, Duration] = 60.0

    def __post_init__(self) -> None:
        self._target = Target.of(self.url, self.storage_options)
        self._tree: Tree | None = None

    @property
    def keeps_owners(self) -> bool:  # type: ignore[override]  # sidecars do
        return self.metadata == "sidecar"

    @property
    def in_one_process(self) -> bool:
        return self._target.in_one_process

    def places(self, folder: Path | None, sid: str) -> tuple[Place, ...]:
        root = self._target.folder
        return () if root is None else (Place(folder=root, owner="files", tree=True),)

    def open(self, context: Context) -> None:
        tree = self._target.open(context, connections=self.connections, timeout=self.timeout)
        self._tree = tree

        def sweep() -> None:
            before = context.clock() - _LEFT_FOR
            tree.sweep(before)
            if tree.exclusive:  # elsewhere a look at all of them costs too much
                Sidecars(tree).sweep(before)

        self._jobs, self._job = context.jobs, f"files {context.sid}"
        if tree.writes:
            context.jobs.add(self._job, _SWEEP_EVERY, sweep)

    def close(self) -> None:
        if self._tree is not None:
            self._jobs.remove(self._job)
            self._tree.close()
            self._tree = None

    def find(self, capability: type[C]) -> C | None:
        found = super().find(capability)
        if capability is Labels and self.metadata == "refuse":
            return None
        if capability in (Labels, Writable) and self._tree is not None and not self._tree.writes:
            return None
        return found

    def probe(self) -> Probe:
        tree = self._open_tree
        able = {"read": True, "list": True, "write": tree.writes, "conditions": tree.conditional}
        able |= {"metadata": self.metadata == "sidecar", "versions": False}
        return Probe(target=self.url, can=able, notes=tree.probe())

    @property
    def _open_tree(self) -> Tree:
        assert self._tree is not None, "open() comes first"
        return self._tree

    @property
    def _sidecars(self) -> Sidecars | None:
        return Sidecars(self._open_tree) if self.metadata == "sidecar" else None

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        for _ in range(_LOOKS):
            with suppress(Moved):
                return self._read(key, want)
        return self._read(key, want)

    def _read(self, key: str, want: Get) -> Opened:
        handle = self._seen(key, self._open_tree.open)
        if handle is None:
            raise NoSuchKey(key=key)
        try:
            info = self._described(key, handle.found)
            start, length = supported.span(key, info, want)
        except BaseException:
            handle.close()
            raise
        return Opened(info=info, body=handle.body(start, length), start=start, length=length)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        info = self._seen(key, self._current)
        if info is None:
            raise NoSuchKey(key=key)
        supported.span(key, info, want)
        return info

    def _current(self, key: str) -> ObjectInfo | None:
        tree = self._open_tree
        for _ in range(_LOOKS):
            found = tree.stat(key)
            if found is None:
                return None
            with suppress(Moved):
                return self._described(key, found)
        raise Moved(key=key)

    def _described(self, key: str, found: Found) -> ObjectInfo:
        """Raises `Moved` when a sidecar may be gone because the file is."""
        sidecars = self._sidecars
        if sidecars is None:
            return plain(key, found)
        label = sidecars.read(key, found)
        if label is None:
            now = self._open_tree.stat(key)
            if now is None or now.token != found.token:
                raise Moved(key=key)
        return label.info(key, found) if label else plain(key, found)

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        page = walk.page(self._open_tree, query)
        entries = (self._entry(one.text, one.found) for one in page.items if one.found)
        return ListPage(
            entries=tuple(entries),
            prefixes=tuple(one.text for one in page.items if one.found is None),
            next=page.next,
        )

    def _entry(self, key: str, found: Found) -> Entry:
        sidecars = self._sidecars
        label = None if sidecars is None else sidecars.read(key, found)
        info = label.info(key, found) if label else plain(key, found)
        return Entry(
            key,
            info.size,
            info.etag,
            info.modified,
            info.content_type,
            storage_class=info.storage_class,
            owner=info.owner,
        )

    # writing

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        self._check(key)
        if not self._open_tree.writes:
            raise Unsupported(
                "The file system behind this service cannot replace a file in one step, so"
                " it is only read.",
                key=key,
                capability="Writable",
            )
        if options.conditions is not None:
            self._need_conditions(key)
        sidecar = self.metadata == "sidecar"
        self.check_put(options)
        if not sidecar:
            supported.check_type(key, options)
        intake = Intake.of(source, options, keeps=sidecar)
        with self._open_tree.draft(key) as draft:
            for piece in iter(intake.read, b""):
                draft.write(piece)
            label = Label.of(options, intake) if sidecar else None
            return self._commit(key, draft, label, options.conditions)

    def check_put(self, options: Put) -> None:
        supported.check(options, sidecar=self.metadata == "sidecar")

    def _commit(
        self, key: str, draft: Draft, label: Label | None, conditions: Conditions | None
    ) -> ObjectInfo:
        """Sidecar, conditions, file, in this order; the sidecar last where its name depends
        on what the store makes of the file. What was there goes with its sidecar."""
        sidecars = Sidecars(self._open_tree)
        while True:
            coming = draft.finish()
            if label and coming and not sidecars.add(key, coming, label):
                continue
            try:
                done = self._replace(key, draft, coming, label, conditions)
            except BaseException:
                if label and coming:
                    sidecars.drop_unless_current(key, coming)
                raise
            if done is not None:
                before, now = done
                if label and before and before.token != now.token:
                    sidecars.drop(key, before)
                return label.info(key, now) if label else plain(key, now)
            if label and coming:
                sidecars.drop(key, coming)

    def _replace(
        self,
        key: str,
        draft: Draft,
        coming: Found | None,
        label: Label | None,
        conditions: Conditions | None,
    ) -> tuple[Found | None, Found] | None:
        """(what was there, what is there); None when the two could not be told apart."""
        tree = self._open_tree
        with tree.lock(key):
            before = tree.stat(key)
            self._obey(key, before, conditions)
            if coming and before and tree.exclusive and coming.token == before.token:
                return None
            now = draft.commit()
            if label and coming is None:
                Sidecars(tree).replace(key, now, label)
            return before, now

    def _obey(self, key: str, before: Found | None, conditions: Conditions | None) -> None:
        if conditions is not None:
            info = None if before is None else self._described(key, before)
            conditions.check_write(key, info)

    def check_delete(self, options: Delete) -> None:
        if options.conditions is not None:
            self._need_conditions()

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        if options.conditions is not None:
            self._need_conditions(key)
        tree = self._open_tree
        there = self._seen(key, tree.stat)
        if there is None or options.version not in (None, NULL_VERSION):
            self._obey(key, None, options.conditions)
            return Deleted(key, existed=False)
        with tree.lock(key):
            before = tree.stat(key)
            self._obey(key, before, options.conditions)
            if before is None:
                return Deleted(key, existed=False)
            try:
                tree.remove(key)
            except NoSuchKey:  # another program was faster
                return Deleted(key, existed=False)
        if self.metadata == "sidecar":
            Sidecars(tree).drop(key, before)
        return Deleted(key, existed=True)

    @property
    def compares_seen(self) -> bool:
        return self._open_tree.conditional

    def set_labels(
        self,
        key: str,
        version: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        if version not in (None, NULL_VERSION):
            raise NoSuchVersion(key=key, version=version)
        tree = self._open_tree
        if not self._seen(key, tree.stat):
            raise NoSuchKey(key=key)
        given = None if tags is None else dict(tags)  # now: they may be fetched (see `settled`)
        with tree.lock(key):
            found = tree.stat(key)
            if found is None:
                raise NoSuchKey(key=key)
            sidecars = Sidecars(tree)
            before = sidecars.read(key, found) or Label.bare(key)
            if conditions is not None:
                conditions.check_write(key, before.info(key, found))
            label = before.changed(given, attributes)
            sidecars.replace(key, found, label)
        return label.info(key, found)

    # what cannot be

    def _check(self, key: str) -> None:
        paths.check(key, windows=self._open_tree.windows)
        if why := self._open_tree.refusal(key):
            raise BadKey(f"This store keeps objects as files, and {why}.", key=key)

    def _seen(self, key: str, look: Callable[[str], R | None]) -> R | None:
        """What is no path is no object, which is all that a reader asks."""
        try:
            self._check(key)
            return look(key)
        except BadKey:
            return None

    def _need_conditions(self, key: str | None = None) -> None:
        if not self._open_tree.conditional:
            raise Unsupported(
                "The file system behind this service cannot look and write in one step, so"
                " conditions are refused.",
                key=key,
                capability="conditions",
            )

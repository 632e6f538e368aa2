"""What a store may be able to do beyond `get`. Ask with `store.find(Capability)`.

Each is a class of its own, so that a driver says what it can do by what it
inherits, and a caller asks for an ability and never for a driver's name.
Every method may raise what `errors.py` lists; what is named here is what a
caller relies on. Methods are called from many threads at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.storage.annotations import (
    Annotate,
    Annotated,
    Annotation,
    AnnotationPage,
    AnnotationQuery,
    Brought,
    OpenedAnnotation,
)
from gateway.storage.bodies import Readable, pieces
from gateway.storage.conditions import Conditions
from gateway.storage.errors import Conflict, NotFound, StorageError
from gateway.storage.objects import NOTHING, EventHold, ObjectInfo, Part, RetentionMode
from gateway.storage.paging import (
    ListPage,
    ListQuery,
    UploadPage,
    UploadQuery,
    VersionPage,
    VersionQuery,
)
from gateway.storage.replicas import Arrival, Position, Received
from gateway.storage.types import (
    BucketInfo,
    Change,
    ChangePage,
    Complete,
    Delete,
    Deleted,
    Forward,
    Get,
    Mark,
    Opened,
    PartRef,
    Purge,
    Put,
    Recount,
    Scrubbed,
    Stats,
    Upload,
    Versioning,
    VolumeRecount,
    VolumeStats,
)


class Writable(ABC):
    @abstractmethod
    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        """Store all of `source` under `key`, or nothing: atomic, also for readers.

        Read it through `intake.Intake`, which counts and checks. Conditions
        are evaluated together with the commit, so that of many writers with
        `if_none_match = ("*",)` one succeeds; a store that cannot raises
        `Unsupported` when conditions are given. What cannot be kept
        (metadata, tags, encryption, …) is refused with `Unsupported`, never
        dropped; only `owner`, and `checksums` once they were checked, need not
        be kept by a store that has no place for them. The source is read by
        this call only, and not closed.
        """

    def check_put(self, options: Put) -> None:
        """Raise `Unsupported` for what `put` would refuse of these whatever the key and the body
        are: for who asks long before there is one. Here, as far as is known, nothing.
        """

    @abstractmethod
    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        """Remove it. What is not there is no error: `existed` is False."""

    def check_delete(self, options: Delete) -> None:
        """Raise `Unsupported` unless `delete` does all that these say together with the removal,
        whatever the key is: for who removes what somebody may write at that moment."""

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        """Remove many; one result for each, in their order.

        One commit or one upstream call where the store can; here, one by one.
        """
        results: list[Deleted | StorageError] = []
        for key, options in items:
            try:
                results.append(self.delete(key, options))
            except StorageError as error:
                results.append(error)
        return results


class Listable(ABC):
    @abstractmethod
    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        """A page of current objects in UTF-8 byte order (see `paging`).

        Its cost grows with the page, not with what the store holds.
        """


class Copies(ABC):
    @abstractmethod
    def reaches(self, source: Any) -> bool:
        """Whether `copy` can take from `source`, a `Store`, without moving bytes through here."""

    @abstractmethod
    def copy(
        self,
        source: Any,
        source_key: str,
        key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> ObjectInfo:
        """Make `key` a copy of `source_key` in `source`, of which `reaches` is true.

        `want` names the version, conditions (`Conditions.check_copy`) and key
        of the source; `options` are all that the copy has: nothing is taken
        from the source but its bytes, and its checksums: those that
        `options.checksums` names with "", or all when it names none.
        """


class Multipart(ABC):
    @abstractmethod
    def begin(self, key: str, options: Put = Put()) -> Upload:
        """Begin an upload in parts. `options` are the finished object's; a name in
        `options.checksums` (with "") is the algorithm of all parts."""

    @abstractmethod
    def upload(self, key: str, upload: str) -> Upload:
        """The upload under way. Raises `NoSuchUpload`."""

    @abstractmethod
    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        """Store part `number`, 1 to 10,000, in place of one that is there.

        Of `options` only size, checksums, digests and encryption count.
        """

    def copy_part(
        self,
        key: str,
        upload: str,
        number: int,
        source: Any,
        source_key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> Part:
        """A part from an object that exists; `want.range` gives its bytes.

        Here it is read and written. A store that shares bytes does better.
        """
        conditions, want = want.conditions, replace(want, conditions=None)
        with source.get(source_key, want) as opened:
            if conditions is not None:
                conditions.check_copy(opened.info)
            return self.put_part(
                key, upload, number, opened.body, replace(options, size=opened.length)
            )

    @abstractmethod
    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        """The parts numbered above `after`, in order, at most `limit`."""

    @abstractmethod
    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        """The uploads under way, by key and then id."""

    @abstractmethod
    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        """Make the object of these parts, whose others are dropped.

        The same call again gives the same answer for a day at least. Raises
        `InvalidPart`, `InvalidPartOrder`, `PartTooSmall`, `BadDigest`; `WrongKey` when
        the store asks for the customer's key here and it is missing or does not fit.
        """

    @abstractmethod
    def abort(self, key: str, upload: str) -> None:
        """Drop it and its parts. Raises `NoSuchUpload`."""


class Versions(ABC):
    """Keeps versions: then `Get.version` and `Delete.version` are understood."""

    @property
    @abstractmethod
    def versioning(self) -> Versioning: ...

    @abstractmethod
    def set_versioning(self, state: Versioning) -> None:
        """Holds for the next write of every worker. Never back to "off" from another."""

    @abstractmethod
    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        """Versions and delete markers, by key and then newest first."""

    @abstractmethod
    def names_version(self, text: str) -> bool:
        """Whether a version could be called so. False of what no object ever has: that is a
        mistake of who asks, and not a version that is gone."""


class Labels(ABC):
    """What may change without new bytes."""

    @property
    def compares_seen(self) -> bool:
        """Whether `Conditions.if_seen` is compared in one with what is done then: by labels,
        annotations, deletes, and by what protects."""
        return False

    @abstractmethod
    def set_labels(
        self,
        key: str,
        version: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        """Replace all tags (when given), and each attribute that is named (None removes it), of
        an object that fits `conditions` (`check_write`), which say at most its ETag, its time and
        its tags: what is not compared in one with the change is refused with `Unsupported`."""


class Annotates(ABC):
    """Keeps annotations with its versions (see `annotations`). An object is read, listed and
    deleted as if it had none; whatever removes or replaces its version removes them. A `put` or
    a `copy` makes an object with those of `Put.annotations`, which nobody gives a store that is
    not this. They are encrypted as their object is; what is encrypted under a customer's key
    has none (`InvalidRequest`)."""

    @abstractmethod
    def put_annotation(
        self, key: str, name: str, data: bytes, options: Annotate = Annotate()
    ) -> Annotated:
        """Keep `data`, of `annotations.LARGEST` bytes at most, under that name with a version
        that is there, in place of what it has under it; atomic, also for readers. Raises
        `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed`, what conditions raise,
        `TooManyAnnotations`, and `Protected` where one that is there was to be replaced."""

    @abstractmethod
    def annotation(self, key: str, name: str, version: str | None = None) -> OpenedAnnotation:
        """Open one for reading. Raises `NoSuchAnnotation` as well."""

    @abstractmethod
    def annotations(self, key: str, query: AnnotationQuery = AnnotationQuery()) -> AnnotationPage:
        """What a version has."""

    @abstractmethod
    def delete_annotation(self, key: str, name: str, options: Delete = Delete()) -> ObjectInfo:
        """Remove one for good from a version that is there. What is not there is no error.
        Raises `Protected` as a delete of that version does."""

    def brought(self, key: str, version: str | None = None) -> tuple[Brought, ...]:
        """All that a version has, for an object that is to be made with them."""
        found: list[Brought] = []
        query = AnnotationQuery(version=version)
        while True:
            page = self.annotations(key, query)
            found += [Brought(one, self._payload(key, version, one)) for one in page.annotations]
            if page.next is None:
                return tuple(found)
            query = replace(query, after=page.next)

    def _payload(self, key: str, version: str | None, seen: Annotation) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                opened = self.annotation(key, seen.name, version)
            except NotFound:
                raise Conflict(_CHANGED, key=key) from None
            try:
                if opened.annotation != seen:
                    raise Conflict(_CHANGED, key=key)
                return b"".join(pieces(opened.body))
            finally:
                opened.body.close()

        return read


_CHANGED = "The annotations of the source were changed at the same time; try again."


class Protects(ABC):
    @property
    def always_protects(self) -> bool:
        """Whether it is made for that: a bucket upstream that has object lock. Where it is not,
        who has the store says first that what is in it may be protected (as S3 has it, by the
        object lock of a bucket)."""
        return False

    @abstractmethod
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
        """Keep a version until that time; without `mode`, no longer. A hold stays as it is.

        `event`: a retention awaits it from now on, and ends so long after it; "over" tells that
        it was just now. Either way nothing ends sooner than before, and `until` may be left out.
        None: what is awaited stays so.

        Raises `Protected` where a retention that counts would end sooner, or be of another
        mode: compliance always, governance without `bypass`; `InvalidRequest` where it would
        have no end, or one that does not count because an event is awaited. `conditions`: as
        of `Labels.set_labels`."""

    @abstractmethod
    def set_hold(
        self, key: str, version: str | None, hold: bool, *, conditions: Conditions | None = None
    ) -> ObjectInfo:
        """Keep a version until the hold is taken off. Its retention stays as it is."""


class Changes(ABC):
    @abstractmethod
    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        """What happened after sync id `after`, oldest first, without gaps: who has seen
        n has seen all before it. With `wait` it stays up to so many seconds for one. A
        page without changes says that there is none up to its `last`."""

    def watch(self, wake: Callable[[], object]) -> Callable[[], None] | None:
        """Have `wake` called soon after each change, by whomever, and when the store is
        removed or closed; now and then without reason. It is called in any thread, and must
        do no more than wake one. Ends when what is returned is called. None: there is no
        other way to know than to ask."""
        return None


class Replicates(ABC):
    """Can be the replica of another store: takes its versions with their ids, times and order,
    and has its feed of changes for its own. Where it stands is kept in one with what it took.

    It begins with `adopt`, has `begin_anew`, `place` and `settle` in this order where what it
    has is of no known state of the feed, and then goes on with `follow`. It is no replica any
    more once it is opened as a plain store."""

    followed: str = ""
    """The source that it follows, in words; "" where it is told of none."""

    @abstractmethod
    def adopt(self, *, replace: bool = False) -> None:
        """Become a replica, or stay one. Raises `Conflict` where there were writes of its own,
        unless they may be replaced by what the source has."""

    @abstractmethod
    def position(self) -> Position:
        """Where it stands."""

    @abstractmethod
    def holds(self, key: str, version: str, sequence: int) -> bool:
        """Whether it has the bytes of that version, which change `sequence` made."""

    @abstractmethod
    def receive(self, info: ObjectInfo, body: Readable) -> Received:
        """Store the bytes of a version, which are to be those that `info` describes: raises
        `IncompleteBody`, `TooLarge`, `BadDigest` otherwise, and then keeps nothing."""

    @abstractmethod
    def follow(self, feed: str, changes: Sequence[Arrival]) -> None:
        """Do what the source did, all of it or nothing, and stand behind the last of these:
        they are those that come next, in their order. Raises `Conflict` when they are not.
        What is protected goes where it went at the source."""

    @abstractmethod
    def begin_anew(self) -> None:
        """Be of no known state until it is settled: nobody is told of changes meanwhile. What
        it has stays, and can be read."""

    @abstractmethod
    def place(self, versions: Sequence[Arrival], gone: Sequence[Change]) -> None:
        """Have these versions and markers, and not those that are `gone`: a step of becoming
        what the source is."""

    @abstractmethod
    def settle(self, position: Position) -> None:
        """It is what the source was there, or has more of what came behind it."""


class Presigns(ABC):
    @abstractmethod
    def presign(self, method: str, key: str, expires: int) -> str:
        """A URL that allows `method` on `key` for `expires` seconds."""


class Varies(ABC):
    """Answers a read of one key in several ways, by what else the request says. Who reads a store
    that does not is answered the same, whatever `Get.query` and `Get.headers` are."""

    @property
    @abstractmethod
    def parameters(self) -> frozenset[str] | None:
        """Those of a query that may make a difference; None: all of it does, to the letter."""

    @abstractmethod
    def normal(self, key: str, want: Get) -> Get:
        """`want` with what of its query and its headers makes a difference for that key, in one
        form for all that are answered the same: a cache tells by it what it keeps apart. The
        normal form of a normal form is itself. Without a look at the object; raises nothing."""

    def makes(self, key: str, want: Get) -> bool:
        """Whether it has to make bytes before it can tell of them: `stat` costs what `get` does
        then, so who keeps what is made had better read it. Likewise without a look."""
        return False


class Forwards(ABC):
    """In front of an HTTP origin, which takes other requests than reads, too."""

    @abstractmethod
    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        """Pass a request on to the origin, once, and what that answers back: its status, errors
        and redirects too, its lines in `Opened.info.origin`, and its body. Nothing of it is
        kept. The caller has `body` closed, and closes what is opened.

        Raises `InvalidRequest` for a method that is none, or that no gateway passes on
        (CONNECT, TRACE); what reading `body` raises; `OriginFailed`, `TimedOut` where there is
        no answer: then nobody knows whether the origin has done it.
        """

    def refers_to(self, key: str, reference: str) -> str | None:
        """The key that a URI reference names which the origin has answered about `key`, as
        in Location; None for what is no key here: another host's, or none that is known."""
        return None


class Purges(ABC):
    """A cache."""

    @abstractmethod
    def purge(self, purge: Purge = Purge()) -> Mark:
        """What it names is not answered from the cache once this has returned, by any
        worker, and nothing that was being fetched before brings it back."""

    def purge_all(self, purges: Sequence[Purge]) -> Mark:
        """The same of several, of which there is one at least. A cache that can does it in one
        step: all of them count, or none. `entries` may be an estimate."""
        marks = [self.purge(one) for one in purges]
        return marks[-1]._replace(entries=sum(one.entries for one in marks))


class Measures(ABC):
    @abstractmethod
    def stats(self) -> Stats:
        """Exact counts, without walking."""

    def recount(self, *, repair: bool = False) -> Recount:
        """Count what is there by walking it, while others write, and compare; `repair`: where
        the counts are others, have them be those. A store that keeps none has nothing to be
        wrong."""
        stats = self.stats()
        return Recount(stats, stats)


class Scrubs(ABC):
    """Keeps digests of what it stores, and can compare all of it with them."""

    @abstractmethod
    def scrub(self) -> Iterator[Scrubbed]:
        """Read everything that is kept: objects, versions, parts of uploads under way.

        It goes on while others write, changes nothing, holds nothing between steps but
        its place, and reads little for each: whoever takes the steps sets the pace. What
        is replaced meanwhile may be read or not, and is no damage.
        """


class Buckets(ABC):
    """A store of stores: an account with many buckets."""

    @abstractmethod
    def buckets(self) -> Sequence[BucketInfo]:
        """All of them, by name."""

    @abstractmethod
    def create(self, name: str, *, protects: bool = False, volume: str = "") -> BucketInfo:
        """Raises `AlreadyExists`. `protects`: what is in it is to be protected; a store that says
        so once and for all does now, and where it does not, there is no `Protects` in it.
        `volume`: that it is in from now on (see `Volumes`); raises `NoSuchVolume` where there is
        none of that name, and `Unsupported` in a store that has none."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Raises `NotEmpty` while it has a version or a marker; `NoSuchStore`. Uploads
        under way go with it, as in S3."""

    @abstractmethod
    def bucket(self, name: str) -> Any:
        """The `Store` of that name. Raises `NoSuchStore`."""

    def measured(self, names: Collection[str] | None = None) -> Mapping[str, Stats]:
        """By name what `Measures.stats` says, of all of them, or of those that are named, at one
        moment: at the cost of a list of these, whatever is in them. What cannot say it, or is
        not there, is left out."""
        return NOTHING


class Volumes(ABC):
    """An account (`Buckets`) whose buckets may share a quota: those of a volume, which a bucket
    is in from its beginning to its end, or never. What they have is counted with each change of
    it, so that of many writers in several buckets as many succeed as there is room for."""

    @abstractmethod
    def set_volume(self, name: str, quota: int | None) -> None:
        """Make it, or give it another quota: bytes that all its buckets may have together, None
        for any number. There may be more in it already: then what adds to it is refused
        (`QuotaExceeded`), and nothing else is."""

    @abstractmethod
    def drop_volume(self, name: str) -> None:
        """Raises `NotEmpty` while it has a bucket. What is not there is no error."""

    @abstractmethod
    def volumes(self, names: Collection[str] | None = None) -> Mapping[str, VolumeStats]:
        """By name, all of them, or those of the named ones that are there, at one moment."""

    def recount_volumes(self, *, repair: bool = False) -> Mapping[str, VolumeRecount]:
        """Add up what the buckets of each count, while others write, and compare; `repair`: where
        a volume counts otherwise, have it count that. What a bucket counts is proved by its own
        `Measures.recount`. A store that keeps no number of a volume has none to be wrong."""
        return {name: VolumeRecount(one.used, one.used) for name, one in self.volumes().items()}


CAPABILITIES: tuple[type, ...] = (
    Writable,
    Listable,
    Copies,
    Multipart,
    Versions,
    Labels,
    Annotates,
    Protects,
    Changes,
    Replicates,
    Presigns,
    Varies,
    Forwards,
    Purges,
    Measures,
    Scrubs,
    Buckets,
    Volumes,
)

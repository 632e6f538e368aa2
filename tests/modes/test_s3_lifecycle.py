"""The lifecycle of objects: its document, what it decides, and the job that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.modes import Options
from gateway.modes.s3.configuration.lifecycle import DAY, SETTING, Filter, Lifecycle, Rule
from gateway.modes.s3.configuration.setting import RefusedDocument
from gateway.modes.s3.lifecycle.carrying_out import LifecycleJob
from gateway.modes.s3.lifecycle.deciding import abandoned, expiry, over, verdicts
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import (
    NOTHING,
    BytesBody,
    Delete,
    Encryption,
    Get,
    ListQuery,
    NotFound,
    Period,
    Protection,
    Put,
    Secret,
    Unavailable,
    Unsupported,
    VersionEntry,
    VersionQuery,
    WrongKey,
)
from tests.modes.s3_gateway import Served, configuration
from tests.modes.test_s3_objects import refused

# the document

ROUND = [
    {"ID": "old", "Prefix": "a/", "Status": "Enabled", "Expiration": {"Days": 3}},
    {
        "ID": "all",
        "Filter": {},
        "Status": "Disabled",
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 5},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
    {
        "ID": "and",
        "Filter": {
            "And": {
                "Prefix": "é &",
                "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}],
                "ObjectSizeGreaterThan": 0,
                "ObjectSizeLessThan": 9,
            }
        },
        "Status": "Enabled",
        "Expiration": {"Days": 1},
    },
    {
        "ID": "tag",
        "Filter": {"Tag": {"Key": "a", "Value": "b"}},
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
    {"ID": "p", "Filter": {"Prefix": ""}, "Status": "Enabled", "Expiration": {"Days": 9}},
]


def test_what_is_set_comes_back_and_goes(s3: Served, bucket: str) -> None:
    client, wanted = s3.client(), {"LifecycleConfiguration": {"Rules": ROUND}}
    get = client.get_bucket_lifecycle_configuration
    assert refused(get, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    done = client.put_bucket_lifecycle_configuration(Bucket=bucket, **wanted)
    found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert found["Rules"] == ROUND
    for answer in (done, found):
        assert answer["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    client.delete_bucket_lifecycle(Bucket=bucket)
    assert refused(get, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    client.delete_bucket_lifecycle(Bucket=bucket)
    name = "x-amz-transition-default-minimum-object-size"
    for text, code in (("varies_by_storage_class", "NotImplemented"), ("b", "InvalidArgument")):
        said = s3.raw("PUT", f"/{bucket}?lifecycle", body=rule(), headers={name: text})
        assert said.code() == code
    assert s3.raw("GET", f"/{bucket}?lifecycle", key="other-key").code() == "AccessDenied"


DAYS = "<Expiration><Days>1</Days></Expiration>"
ALL = "<Filter/>"


def rule(*inside: str, status: str = "Enabled") -> bytes:
    said = "".join(inside or (ALL, DAYS))
    status = f"<Status>{status}</Status>" if status else ""
    return f"<LifecycleConfiguration><Rule>{status}{said}</Rule></LifecycleConfiguration>".encode()


def expiration(inside: str, chosen: str = ALL) -> bytes:
    return rule(chosen, f"<Expiration>{inside}</Expiration>")


def filtered(inside: str, action: str = DAYS) -> bytes:
    return rule(f"<Filter>{inside}</Filter>", action)


TAG = "<Tag><Key>a</Key><Value>b</Value></Tag>"
ABORT = (
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
    "</AbortIncompleteMultipartUpload>"
)


NONCURRENT = (
    "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
)


def noncurrent(inside: str) -> bytes:
    return rule(ALL, f"<NoncurrentVersionExpiration>{inside}</NoncurrentVersionExpiration>")


REFUSED: Mapping[str, list[bytes]] = {
    "MalformedXML": [
        b"",
        b"<LifecycleConfiguration/>",
        b"<LifecycleConfiguration><Rules/></LifecycleConfiguration>",
        rule().replace(b"</Rule>", b"</Rule><Rule>x</Rule>"),
        rule(status="enabled"),
        rule(status=""),
        rule(DAYS),
        rule("<Prefix>a</Prefix>", ALL, DAYS),
        rule(ALL, DAYS, DAYS),
        rule(ALL, DAYS, "<Unknown/>"),
        filtered(f"<Prefix>a</Prefix>{TAG}"),
        filtered("<And/>"),
        filtered("<Tag><Key>a</Key></Tag>"),
        filtered("<ObjectSizeLessThan>0</ObjectSizeLessThan>"),
        filtered("<ObjectSizeGreaterThan>a</ObjectSizeGreaterThan>"),
        expiration(""),
        expiration("<Days>1</Days><Date>2030-01-01</Date>"),
        expiration("<Days>1.5</Days>"),
        expiration("<Days>1_0</Days>"),
        expiration("<Date>tomorrow</Date>"),
        expiration("<ExpiredObjectDeleteMarker>yes</ExpiredObjectDeleteMarker>"),
        noncurrent("<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"),
        b"<LifecycleConfiguration>" + b"<Rule/>" * 1001 + b"</LifecycleConfiguration>",
    ],
    "InvalidArgument": [
        rule(f"<ID>{'a' * 256}</ID>", ALL, DAYS),
        rule(
            "<ID>a</ID>", ALL, DAYS, f"</Rule><Rule><Status>Enabled</Status><ID>a</ID>{ALL}", DAYS
        ),
        expiration("<Days>0</Days>"),
        expiration("<Days>-1</Days>"),
        expiration("<Days>2147483648</Days>"),
        expiration("<Date>2030-01-01T01:00:00Z</Date>"),
        noncurrent("<NoncurrentDays>0</NoncurrentDays>"),
        noncurrent(
            "<NoncurrentDays>1</NoncurrentDays>"
            "<NewerNoncurrentVersions>101</NewerNoncurrentVersions>"
        ),
        rule(ALL, ABORT.replace("1", "0")),
        rule(ALL, "<Transition><Date>2030-01-01T01:00:00Z</Date></Transition>"),
    ],
    "InvalidRequest": [
        rule(ALL),
        filtered(TAG, ABORT),
        filtered("<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan>", ABORT),
        expiration(
            "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>", f"<Filter>{TAG}</Filter>"
        ),
        filtered(f"<And>{TAG}{TAG}</And>"),
        filtered(
            "<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
            "<ObjectSizeLessThan>5</ObjectSizeLessThan></And>"
        ),
    ],
    "NotImplemented": [
        rule(ALL, "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
        rule(ALL, DAYS, "<NoncurrentVersionTransition/>", "<NoncurrentVersionTransition/>"),
    ],
}


@pytest.mark.parametrize(
    ("code", "document"), [(code, one) for code, some in REFUSED.items() for one in some]
)
def test_a_lifecycle_that_is_none_is_refused(code: str, document: bytes) -> None:
    with pytest.raises(RefusedDocument) as caught:
        SETTING.kind.parse(document.decode())
    assert caught.value.problem.code == code
    advice = caught.value.problem.extra.get("Advice")
    assert code != "MalformedXML" or (advice and advice in str(caught.value))


def test_a_rule_without_a_name_has_always_the_same() -> None:
    two = rule(ALL, DAYS, f"</Rule><Rule><Status>Enabled</Status>{ALL}", DAYS).decode()
    first, second = (SETTING.kind.parse(two) for _ in range(2))
    assert first == second
    assert len({one.id for one in first.rules}) == 2


# what it decides


def test_days_end_at_the_midnight_that_follows() -> None:
    """AWS's example: of what was made on day 0 at 10:30 three days are over on day 4."""
    made = 10 * 3_600_000 + 30 * 60_000
    assert over(made, 3) == 4 * DAY
    assert over(DAY, 3) == 4 * DAY
    assert over(made, 3, 10_000) == made + 30_000, "no midnights on a debug clock"


def test_the_first_rule_to_come_true_decides() -> None:
    tagged = Filter(prefix="a", tags={"x": "y"})
    rules = [
        Rule(id="late", enabled=True, filter=Filter(), days=9),
        Rule(id="tags", enabled=True, filter=tagged, days=1),
        Rule(id="size", enabled=True, filter=Filter(larger=10, smaller=20), days=2),
        Rule(id="date", enabled=True, filter=Filter(prefix="d"), date=5 * DAY),
    ]

    def first(key: str, size: int = 0, **tags: str) -> tuple[int, str]:
        found = expiry(rules, key, size, DAY, lambda: tags)
        assert found is not None
        return found[0] // DAY, found[1].id

    assert first("a") == (10, "late")
    assert first("a", x="y", other="one") == (2, "tags")
    assert first("b", x="y") == (10, "late")
    assert first("b", 11) == first("b", 19) == (3, "size")
    assert first("b", 10) == first("b", 20) == (10, "late")
    assert first("d") == (5, "date")
    assert expiry(rules[1:], "z", 0, 0, dict) is None


def test_an_upload_is_given_up_when_its_days_are_over() -> None:
    rules = [Rule(id="a", enabled=True, filter=Filter(prefix="a"), abort_days=2)]
    assert not abandoned(rules, "a", 1, 3 * DAY - 1)
    assert abandoned(rules, "a", 1, 3 * DAY)
    assert not abandoned(rules, "b", 1, 9 * DAY)
    assert not abandoned(rules, "a", 0, 9 * DAY), "nobody knows when it began"


# by many histories: never early, and done when it is done

KEYS = ("a", "ab", "b")
TAGS: list[Mapping[str, str]] = [{}, {"x": "1"}, {"x": "1", "y": "2"}]
small = st.integers(1, 4)
filters = st.builds(
    Filter,
    prefix=st.sampled_from([None, "", "a", "b"]),
    tags=st.sampled_from(TAGS),
    larger=st.none() | st.integers(0, 3),
    smaller=st.none() | st.integers(1, 4),
)
rules_drawn = st.lists(
    st.builds(
        Rule,
        id=st.just("r"),
        enabled=st.just(True),
        filter=filters,
        days=st.none() | small,
        date=st.none() | st.integers(0, 12).map(lambda day: day * DAY),
        marker=st.none() | st.booleans(),
        noncurrent_days=st.none() | small,
        newer=st.none() | small,
    ).filter(lambda rule: rule.filter.plain or not rule.marker),
    max_size=4,
)


class Made(NamedTuple):
    entry: VersionEntry
    tags: Mapping[str, str]


@st.composite
def histories(draw: st.DrawFn) -> list[Made]:
    """Versions by key, newest first, as a store lists them."""
    found = []
    for key in KEYS:
        times = sorted(draw(st.lists(st.integers(0, 10 * DAY), max_size=5)), reverse=True)
        for place, time in enumerate(times):
            marker, size = draw(st.booleans()), draw(st.integers(0, 4))
            entry = VersionEntry(
                key, f"{key}{time}.{place}", place == 0, marker, 0 if marker else size, "e", time
            )
            found.append(Made(entry, {} if marker else draw(st.sampled_from(TAGS))))
    return found


def chosen(rule: Rule, one: Made) -> bool:
    wanted, entry = rule.filter, one.entry
    if entry.marker and (wanted.tags or wanted.larger is not None or wanted.smaller is not None):
        return False
    return (
        entry.key.startswith(wanted.prefix or "")
        and all(one.tags.get(key) == value for key, value in wanted.tags.items())
        and (wanted.larger is None or entry.size > wanted.larger)
        and (wanted.smaller is None or entry.size < wanted.smaller)
    )


def due(since: int, days: int, now: int) -> bool:
    return now // DAY * DAY - since >= days * DAY


def wanted(rules: list[Rule], key: list[Made], place: int, now: int) -> str:
    """What is to be done, said once more from all that is known of the key."""
    one = key[place]
    mine = [rule for rule in rules if chosen(rule, one)]
    old = any(
        due(one.entry.modified, rule.days, now)
        if rule.days is not None
        else rule.date is not None and rule.date <= now
        for rule in mine
    )
    if place == 0 and not one.entry.marker:
        return "expire" if old else ""
    if place == 0:
        return "remove" if len(key) == 1 and (old or any(rule.marker for rule in mine)) else ""
    newer = sum(not other.entry.marker for other in key[1:place])
    gone = any(
        rule.noncurrent_days is not None
        and due(key[place - 1].entry.modified, rule.noncurrent_days, now)
        and newer >= (rule.newer or 0)
        for rule in mine
    )
    return "remove" if gone else ""


def decided(rules: list[Rule], history: list[Made], now: int) -> list[str]:
    tags = {one.entry.version: one.tags for one in history}

    def of(entry: VersionEntry) -> Callable[[], Mapping[str, str]]:
        return lambda: tags[entry.version]

    entries = [one.entry for one in history]
    found = list(verdicts(rules, entries, of, now))
    assert [one.entry for one in found] == entries
    return [one.act for one in found]


def by_key(history: list[Made]) -> Iterator[list[Made]]:
    for key in KEYS:
        yield [one for one in history if one.entry.key == key]


@settings(max_examples=60, deadline=None)
@given(rules_drawn, histories(), st.integers(0, 20 * DAY))
def test_nothing_goes_that_no_rule_wants_and_all_that_one_wants_goes(
    rules: list[Rule], history: list[Made], now: int
) -> None:
    expected = [
        wanted(rules, key, place, now) for key in by_key(history) for place in range(len(key))
    ]
    assert decided(rules, history, now) == expected


@settings(max_examples=60, deadline=None)
@given(rules_drawn, histories(), st.integers(0, 20 * DAY))
def test_what_is_done_is_done(rules: list[Rule], history: list[Made], now: int) -> None:
    """A marker that becomes the last of its key goes the next time; then there is nothing."""
    now = max([now, *(one.entry.modified for one in history)])
    for _ in range(2):
        history = applied(history, decided(rules, history, now), now)
    assert not any(decided(rules, history, now))


def applied(history: list[Made], acts: list[str], now: int) -> list[Made]:
    after = []
    for one, act in zip(history, acts, strict=True):
        if act == "expire":
            entry = VersionEntry(one.entry.key, f"{one.entry.version}x", True, True, 0, "", now)
            after.append(Made(entry, {}))
        if act != "remove":
            after.append(one)
    return after


# the job

OWNER = Identity(key="main-key", account="main")


class Clock:
    now = 100 * DAY + DAY // 2

    def __call__(self) -> int:
        return self.now


class Bucket(NamedTuple):
    gateway: Runtime
    access: Access
    clock: Clock
    job: LifecycleJob

    def put(self, *keys: str, **more: Any) -> None:
        for key in keys:
            self.access.put(key, BytesBody(b"data"), Put(size=4, **more))

    def rules(self, *inside: str) -> None:
        document = "".join(
            f"<Rule><Status>Enabled</Status>{one if '<Filter' in one else ALL + one}</Rule>"
            for one in inside
        )
        self.gateway.set_setting(
            self.access,
            SETTING.kind,
            SETTING.kind.parsed(f"<LifecycleConfiguration>{document}</LifecycleConfiguration>"),
        )

    def run(self, days: float = 0) -> str:
        """What it did, so many days later."""
        self.clock.now += round(days * DAY)
        steps = self.job.run()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return ", ".join(f"{number} {what}" for what, number in sorted(end.value.items()))

    @property
    def keys(self) -> list[str]:
        store: Any = self.access.service.store
        return [one.key for one in store.list().entries]

    @property
    def versions(self) -> list[tuple[str, bool]]:
        """(key, whether it is a marker)."""
        store: Any = self.access.service.store
        return [(one.key, one.marker) for one in store.versions().entries]


@pytest.fixture
def aging() -> Iterator[Bucket]:
    clock = Clock()
    gateway = open_runtime(configuration(Options()), server="waitress", environ={}, clock=clock)
    access = gateway.create(OWNER, "aging")
    yield Bucket(gateway, access, clock, LifecycleJob(gateway))
    gateway.close()


def test_what_is_old_goes_and_what_is_young_stays(aging: Bucket) -> None:
    aging.put("old/a", "old/b", "new/a")
    aging.put("old/tagged", tags={"keep": "no"})
    aging.rules(
        f"<Filter><Prefix>old/</Prefix></Filter>{DAYS}".replace("1", "2"),
        f"<Filter>{TAG}</Filter>{DAYS}".replace(">a<", ">keep<").replace(">b<", ">no<"),
    )
    assert aging.run(1) == "", "it is midnight that counts"
    assert aging.run(0.5) == "1 expired"
    assert aging.keys == ["new/a", "old/a", "old/b"]
    aging.put("old/b")
    assert aging.run(1) == "1 expired"
    assert aging.keys == ["new/a", "old/b"]


def test_tags_of_what_a_customer_has_encrypted_count(aging: Bucket) -> None:
    key = Encryption(kind="customer", key=Secret(bytes(32)))
    aging.put("a", tags={"a": "b"}, encryption=key)
    aging.put("b", encryption=key)
    aging.rules(f"<Filter>{TAG}</Filter>{DAYS}")
    assert aging.run(2) == "1 expired"
    assert aging.keys == ["b"]


def test_an_object_that_tells_nothing_keeps_none_behind_it(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging.put("a", "b", tags={"a": "b"})
    aging.rules(f"<Filter>{TAG}</Filter>{DAYS}")
    kind: Any = type(aging.access.service.store)
    stat = kind.stat

    def upstream(store: Any, key: str, want: Get = Get()) -> Any:
        if key == "a":
            raise WrongKey(key=key)
        return stat(store, key, want)

    monkeypatch.setattr(kind, "stat", upstream)
    assert aging.run(2) == "1 expired"
    assert aging.keys == ["a"]


def before_removing(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]
) -> None:
    """Have it done when all was looked at, and nothing is removed yet."""
    kind: Any = type(aging.access.service.store)
    delete_many = kind.delete_many

    def late(store: Any, items: list[tuple[str, Delete]]) -> Any:
        do()
        return delete_many(store, items)

    monkeypatch.setattr(kind, "delete_many", late)


def test_what_is_written_meanwhile_stays(aging: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    aging.put("a", "b")
    aging.rules(DAYS)
    aging.clock.now += 3 * DAY
    before_removing(aging, monkeypatch, lambda: aging.put("a"))  # the same bytes
    assert aging.run() == "1 changed meanwhile, 1 expired"
    assert aging.keys == ["a"]


@pytest.mark.parametrize("newest", ["a marker", "a version"])
def test_a_version_that_is_the_object_again_stays(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch, newest: str
) -> None:
    aging.access.set_versioning("on")
    aging.put("a", "a")
    if newest == "a marker":
        aging.access.delete("a")
    kind: Any = type(aging.access.service.store)
    page = aging.access.versions().entries
    aging.rules(NONCURRENT)
    look = kind.versions

    def then_taken_back(store: Any, query: VersionQuery) -> Any:
        found = look(store, query)
        aging.access.delete("a", Delete(version=page[0].version))
        return found

    monkeypatch.setattr(kind, "versions", then_taken_back)
    removed = ", 1 removed" if newest == "a marker" else ""
    assert aging.run(3) == f"1 changed meanwhile{removed}"
    assert aging.keys == ["a"]


def test_newer_versions_are_counted_while_others_write(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging.access.set_versioning("on")
    aging.put(*["a"] * 600, *["b"] * 600)
    aging.rules(
        "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
        "<NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
    )
    kind: Any = type(aging.access.service.store)
    look, pages = kind.versions, list[int]()

    def then_written(store: Any, query: VersionQuery) -> Any:
        found = look(store, query)
        aging.put("a", "b")
        pages.append(len(found.entries))
        return found

    monkeypatch.setattr(kind, "versions", then_written)
    aging.run(2)
    monkeypatch.undo()
    left = [key for key, _ in aging.versions]
    assert len(pages) > 1
    assert all(left.count(key) >= 4 for key in "ab")
    assert len(left) <= 2 * (4 + len(pages))


def test_what_a_killed_job_has_left_is_the_next_ones(aging: Bucket) -> None:
    aging.access.set_versioning("on")
    aging.put(*(f"{number:04}" for number in range(700)))
    aging.rules(DAYS)
    aging.clock.now += 2 * DAY
    killed = aging.job.run()
    assert next(killed) == 500
    killed.close()
    taken_over = aging._replace(job=LifecycleJob(aging.gateway))
    assert taken_over.run() == "200 expired"
    assert aging.keys == []
    assert taken_over.run() == ""


def test_versions_markers_and_uploads_go_in_their_time(aging: Bucket) -> None:
    aging.access.set_versioning("on")
    for _ in range(4):
        aging.put("a")
    aging.put("b")
    upload = aging.access.begin("b").id
    aging.rules(
        "<Filter><Prefix>a</Prefix></Filter>"
        "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
        "<NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        f"<Filter><Prefix>b</Prefix></Filter>{DAYS}",
        ABORT + NONCURRENT.replace("1", "5"),
    )
    assert aging.run(2) == "1 expired, 1 uploads aborted"
    assert aging.versions == [("a", False)] * 4 + [("b", True), ("b", False)]
    with pytest.raises(NotFound):
        aging.access.upload("b", upload)
    assert aging.run(1) == "2 removed", "one version of a is kept beside the current"
    assert aging.run(5) == "2 removed"
    assert aging.versions == [("a", False), ("b", True)]
    assert aging.run(1) == "1 removed", "the marker was all there was of it"
    assert aging.versions == [("a", False)]


def test_a_lock_holds_until_it_is_over(aging: Bucket) -> None:
    aging.access.set_versioning("on")
    until = aging.clock.now + 10 * DAY
    aging.put("a", protection=Protection(mode="compliance", until=until))
    aging.put("a", "b")
    aging.rules(NONCURRENT)
    assert aging.run(5) == "1 protected"
    assert aging.run(6) == "1 removed"


def test_an_event_hold_holds_until_it_is_over_and_its_time_has_passed(aging: Bucket) -> None:
    aging.access.set_versioning("on")
    aging.put("a", protection=Protection(mode="compliance", event=Period(3, "days")))
    held = aging.access.stat("a").version
    aging.put("a", "b")
    aging.rules(NONCURRENT)
    assert aging.run(1000) == "1 protected"
    aging.access.set_retention("a", held, "compliance", None, event="over")
    assert aging.run(2) == "1 protected"
    assert aging.run(2) == "1 removed"


def test_the_null_version_is_removed_only_as_it_was_seen(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a", "b"):
        aging.put(key)
    aging.access.set_versioning("on")
    for key in ("a", "b"):
        aging.put(key)
    aging.rules(NONCURRENT)

    def late() -> None:
        aging.access.set_versioning("suspended")
        aging.put("b")

    before_removing(aging, monkeypatch, late)
    assert aging.run(3) == "1 changed meanwhile, 1 removed"
    assert aging.versions == [("a", False), ("b", False), ("b", False)]


def test_a_bucket_is_gone_through_once_a_day_and_when_its_rules_change(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging.put("a")
    aging.rules(DAYS)
    assert aging.run() == ""
    listed: list[str] = []
    kind: Any = type(aging.access.service.store)
    before = kind.list

    def told(store: Any, query: ListQuery) -> Any:
        listed.append(query.prefix)
        return before(store, query)

    monkeypatch.setattr(kind, "list", told)
    aging.run()
    assert listed == []
    aging.run(1)
    assert listed == [""]
    aging.rules(*(f"<Filter><Prefix>aa/{one}</Prefix></Filter>{DAYS}" for one in "xb"))
    aging.run()
    assert listed == ["", "aa/"], "no more than what rules may be about"


def test_pages_are_gone_through_and_told(aging: Bucket) -> None:
    aging.access.set_versioning("on")
    for number in range(600):
        aging.put(f"{number // 2:04}")
    aging.rules(DAYS)
    aging.clock.now += 2 * DAY
    assert [*aging.job.run()] == [500, 600]
    assert len(aging.versions) == 900


def test_a_bucket_that_cannot_be_reached_keeps_no_other_from_its_turn(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = aging.gateway.create(OWNER, "before")
    kind: Any = type(aging.access.service.store)
    before, aside = kind.list, other.service.store

    def fails(store: Any, query: ListQuery) -> Any:
        if store.service == aside.service:  # type: ignore[attr-defined]  # it is the engine's
            raise Unavailable("not now")
        return before(store, query)

    aging.put("a")
    aging.rules(DAYS)
    other.put("a", BytesBody(b""), Put(size=0))
    aging.gateway.set_setting(other, SETTING.kind, SETTING.read(rule()))
    aging.gateway.catalog.set_setting(
        "gone", "lifecycle", rule().decode(), decides=False, service=None
    )
    monkeypatch.setattr(kind, "list", fails)
    assert aging.run(2) == "1 buckets not reached, 1 expired"
    assert "before" in caplog.text
    monkeypatch.undo()
    assert aging.run() == "1 expired", "it is tried again"


def test_rules_that_are_gone_remove_nothing_more(aging: Bucket) -> None:
    aging.access.set_versioning("on")
    aging.put(*(f"{number:04}" for number in range(700)))
    aging.rules(DAYS)
    aging.clock.now += 2 * DAY
    run = aging.job.run()
    assert next(run) == 500
    aging.gateway.remove_setting(aging.access, SETTING.kind)
    assert [*run] == []
    assert sum(marker for _, marker in aging.versions) == 500


def test_what_cannot_be_removed_is_told_once(
    aging: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that has no conditional deletes removes nothing without one."""
    aging.put("a", "b")
    aging.rules(DAYS)
    kind: Any = type(aging.access.service.store)
    refuses = Unsupported("no conditions")
    monkeypatch.setattr(kind, "delete_many", lambda _, items: [refuses for _ in items])
    assert aging.run(2) == "2 failed"
    assert len([one for one in caplog.records if "no conditions" in one.message]) == 1
    assert aging.keys == ["a", "b"]


def test_a_store_that_cannot_compare_and_remove_at_once_has_no_lifecycle(
    s3: Served, bucket: str, aging: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But uploads are given up there."""
    kind: Any = type(aging.access.service.store)

    def refuse(store: Any, options: Delete) -> None:
        assert options.conditions is not None
        raise Unsupported("It has no conditions.")

    aging.put("a")
    aging.rules(DAYS)
    monkeypatch.setattr(kind, "check_delete", refuse)
    for inside in (DAYS, NONCURRENT):
        answer = s3.raw("PUT", f"/{bucket}?lifecycle", body=rule(ALL, inside))
        assert (answer.status, answer.code()) == (501, "NotImplemented")
        assert f"'{bucket}' (driver 'memory'). It has no conditions." in answer.body.decode()
    assert s3.raw("PUT", f"/{bucket}?lifecycle", body=rule(ALL, ABORT)).status == 200
    assert aging.run(2) == "1 buckets not reached"
    assert aging.keys == ["a"]


def test_a_debug_clock_has_short_days(aging: Bucket) -> None:
    aging.put("a")
    aging.rules(DAYS)
    aging.job._day = 10_000
    assert aging.run(9_999 / DAY) == ""
    assert aging.run(1 / DAY) == "1 expired"


def test_no_rules_are_no_rules() -> None:
    one = Rule(id="a", enabled=False, filter=Filter(), days=1)
    assert Lifecycle((one,)).enabled == ()
    assert list(verdicts((), [], lambda _: lambda: NOTHING, 0)) == []


# what clients are told


def test_an_object_says_when_it_expires(s3: Served, bucket: str) -> None:
    client = s3.client()
    rules = [
        {
            "ID": "a rule/é",
            "Filter": {"Prefix": "a"},
            "Status": "Enabled",
            "Expiration": {"Days": 3},
        },
        {"ID": "off", "Filter": {}, "Status": "Disabled", "Expiration": {"Days": 1}},
    ]
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    done = client.put_object(Bucket=bucket, Key="a", Body=b"data")
    upload = client.create_multipart_upload(Bucket=bucket, Key="a2")["UploadId"]
    given = {"Bucket": bucket, "Key": "a2", "UploadId": upload}
    etag = client.upload_part(**given, PartNumber=1, Body=b"data")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    answers = [
        done,
        client.head_object(Bucket=bucket, Key="a"),
        client.get_object(Bucket=bucket, Key="a"),
        client.copy_object(Bucket=bucket, Key="a1", CopySource=f"{bucket}/a"),
        client.complete_multipart_upload(**given, MultipartUpload=parts),
    ]
    for answer in answers:
        date, _, rest = answer["Expiration"].partition('", ')
        assert date.startswith('expiry-date="') and date.endswith("00:00:00 GMT")
        assert rest == 'rule-id="a%20rule%2F%C3%A9"'
    assert "AbortDate" not in client.create_multipart_upload(Bucket=bucket, Key="a")
    named = client.head_object(Bucket=bucket, Key="a", VersionId=done["VersionId"])
    assert "Expiration" not in named
    assert "Expiration" not in client.put_object(Bucket=bucket, Key="b", Body=b"data")


def test_an_upload_says_when_it_is_given_up(s3: Served, bucket: str) -> None:
    client = s3.client()
    s3.raw("PUT", f"/{bucket}?lifecycle", body=rule("<ID>a b</ID>", ALL, ABORT))
    upload = client.create_multipart_upload(Bucket=bucket, Key="k")
    listed = client.list_parts(Bucket=bucket, Key="k", UploadId=upload["UploadId"])
    assert upload["AbortRuleId"] == listed["AbortRuleId"] == "a%20b"
    assert upload["AbortDate"] == listed["AbortDate"]
    assert upload["AbortDate"].timestamp() * 1000 % DAY == 0


def test_a_lifecycle_that_nobody_can_read_keeps_no_object_from_being_read(
    s3: Served, bucket: str
) -> None:
    s3.client().put_object(Bucket=bucket, Key="k", Body=b"data")
    s3.gateway.catalog.set_setting(bucket, "lifecycle", "?", decides=False, service=None)
    assert s3.client().get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_no_date_is_told_that_clients_cannot_read(s3: Served, bucket: str) -> None:
    client, rules = s3.client(), []
    for name, days in (
        ("Expiration", "Days"),
        ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    ):
        rules.append({"Status": "Enabled", "Filter": {"Prefix": ""}, name: {days: (1 << 31) - 1}})
    wanted = {"Rules": rules}
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=wanted)
    assert "AbortDate" not in client.create_multipart_upload(Bucket=bucket, Key="k")
    assert "Expiration" not in client.put_object(Bucket=bucket, Key="k", Body=b"")

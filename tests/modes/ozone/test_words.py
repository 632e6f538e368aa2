"""How dates, quotas and access control lists are written, read and shown; and what a list gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.actions import LISTING, READING, WRITING, Actions
from gateway.access.identity import Identity, KeyAccess, acting_for
from gateway.access.rules import Limits
from gateway.access.ruleset import RuleSet
from gateway.common.moments import http_date, utc
from gateway.modes.ozone import acls, bucket_headers, dates, quotas, storage_types
from gateway.modes.ozone.acls import ACLS, Acl, Change
from gateway.modes.ozone.options import OzoneOptions
from gateway.modes.ozone.problems import OzoneProblem
from gateway.web.suspects import Suspects

many = settings(deadline=None, database=None, max_examples=60)

# dates

SECONDS = st.integers(0, 253402300799)


@many
@given(SECONDS)
def test_a_date_that_is_written_is_read(seconds: int) -> None:
    when = utc(seconds * 1000)
    assert dates.parse(http_date(seconds * 1000)) == when
    assert dates.parse(f"{when:%a, %b} {when.day}, {when.year:04} {when:%H:%M:%S} GMT") == when
    assert dates.parse(f"{when:%a %b} {when.day:2} {when:%H:%M:%S} {when.year:04}") == when


@many
@given(st.text(max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert dates.parse(text) is None


def test_dates() -> None:
    good = {
        "Sun, 06 Nov 1994 08:49:37 GMT": datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC),
        "Sunday, 06-Nov-94 08:49:37 GMT": datetime(2094, 11, 6, 8, 49, 37, tzinfo=UTC),
        "Mon, Apr 4, 2016 06:22:00 GMT": datetime(2016, 4, 4, 6, 22, tzinfo=UTC),
        "Mon, 4 Apr 2016 06:22:00 GMT": datetime(2016, 4, 4, 6, 22, tzinfo=UTC),
        "Sat, 31 Dec 2016 23:59:60 GMT": datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),
        "Tuesday, 29-Feb-00 00:00:00 GMT": datetime(2000, 2, 29, tzinfo=UTC),
    }
    assert {text: dates.parse(text) for text in good} == good
    bad = [
        "", "GMT", "Mon, 26 Jun 2017 04:23:30", "Mon, 26 Jun 2017 04:23:30 UTC",
        "Mon, 26 Jun 2017 04:23:30 +0000", "Mon, 26 Jun 2017 04:23:30 GMT ",
        "Mon, 26 Jun 2017 04:23:61 GMT", "Mon, 29 Feb 2017 04:23:30 GMT",
        "26 Jun 2017 04:23:30 GMT",
        "Mon, 00 Jun 2017 04:23:30 GMT", "Mon, 26 Jun 0000 04:23:30 GMT",
        "Mon, 2٦ Jun 2017 04:23:30 GMT", "Sun Nov  6 08:49:37 1994 GMT",
    ]  # fmt: skip
    assert [text for text in bad if dates.parse(text) is not None] == []


# quotas


@many
@given(st.integers(0, quotas.UNLIMITED - 1) | st.none())
def test_a_quota_is_shown_in_the_largest_unit(size: int | None) -> None:
    shown = quotas.shown(size)
    assert quotas.parse(f"{shown['size']} {shown['unit']}") == size
    bytes_ = quotas.UNLIMITED if size is None else size
    larger = {"BYTES": 1 << 20, "MB": 1 << 30, "GB": 1 << 40}.get(str(shown["unit"]))
    assert larger is None or bytes_ % larger


@many
@given(st.text("0123456789 MGTBbytesYTES+-._\t\n", max_size=24))
def test_what_is_a_quota(text: str) -> None:
    """By another way of reading it."""
    word = "".join(text.split()).upper()
    units = {"BYTES": 0, "MB": 20, "GB": 30, "TB": 40}
    unit = next((one for one in units if word.endswith(one)), None)
    digits = word.removesuffix(unit or "")
    fits = unit is not None and digits.isdecimal() and int(digits) << units[unit] <= 1 << 60
    if not fits or unit is None:
        with pytest.raises(ValueError, match="A quota is"):
            quotas.parse(text)
        return
    bytes_ = int(digits) << units[unit]
    assert quotas.parse(text) == (None if bytes_ == 1 << 60 else bytes_)


def test_no_bound_is_written_as_it_is_shown() -> None:
    assert quotas.shown(None) == {"unit": "TB", "size": 1048576}
    assert quotas.parse("1048576TB") is None
    assert quotas.shown(0) == {"unit": "TB", "size": 0}
    assert [quotas.removes(text) for text in ("remove", " REMOVE ", "removed", "")] == [
        True, True, False, False,
    ]  # fmt: skip


# access control lists

NAMES = ("frodo", "sam", "hobbits", "Bilbo.B-1_2@shire+x")
ENTRIES = st.builds(
    Acl,
    st.sampled_from(("user", "group")),
    st.sampled_from(NAMES),
    st.sampled_from([frozenset("r"), frozenset("w"), frozenset("rw")]),
) | st.builds(
    Acl, st.just("world"), st.just(""), st.sampled_from([frozenset("r"), frozenset("rw")])
)
LISTS = st.lists(ENTRIES, max_size=8).map(
    lambda found: acls.changed((), [Change(False, one) for one in found])
)


@many
@given(ENTRIES, st.sampled_from(["", " ", "\t"]))
def test_an_entry_that_is_written_is_read(one: Acl, blank: str) -> None:
    assert acls.entry(f"{blank}{one}{blank}") == one
    assert acls.entry(str(one).replace(":rw", ":WR")) == one
    assert (
        one.shown["rights"]
        == {"r": "READ", "w": "WRITE", "rw": "READ_WRITE"}[str(one).rpartition(":")[2]]
    )


@many
@given(LISTS)
def test_a_document_says_what_it_was_made_of(found: acls.Acls) -> None:
    made = acls.document(found)
    assert acls.parse(made.document) == made.value == found
    assert acls.parse(f"\n  {made.document}\n") == found


@many
@given(LISTS, ENTRIES)
def test_what_is_added_and_removed(found: acls.Acls, one: Acl) -> None:
    added = acls.changed(found, [Change(False, one)])
    assert acls.changed(added, [Change(False, one)]) == added
    (now,) = [other for other in added if other[:2] == one[:2]]
    before = [other for other in found if other[:2] == one[:2]]
    assert now.rights == one.rights.union(*(other.rights for other in before))
    assert [other for other in added if other[:2] != one[:2]] == [
        other for other in found if other[:2] != one[:2]
    ]
    taken = acls.changed(added, [Change(True, one)])
    assert all(not other.rights & one.rights for other in taken if other[:2] == one[:2])
    assert all(other.rights for other in taken)


def test_a_verb_is_for_all_up_to_the_next() -> None:
    text = "user:a:r, ADD user:b:w,user:c:rw,remove group:d:r,world::r,ADD user:e:r"
    assert [(one.removes, str(one.acl)) for one in acls.changes(text)] == [
        (False, "user:a:r"), (False, "user:b:w"), (False, "user:c:rw"), (True, "group:d:r"),
        (True, "world::r"), (False, "user:e:r"),
    ]  # fmt: skip
    for wrong in (
        "",
        ",",
        "user:a:r,",
        "ADD",
        "ADD ",
        "ADD,user:a:r",
        "ADDuser:a:r",
        "SET user:a:r",
    ):
        with pytest.raises(ValueError):
            acls.changes(wrong)


def test_what_is_wrong_in_a_document_is_said_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"^line 3: .*world::w"):
        acls.parse("user:a:r\n\nuser:b:x\n")
    with pytest.raises(ValueError, match=r"^line 1: .*1 to 128"):
        acls.parse("user:*:r\n")
    with pytest.raises(ValueError, match="at most 1000"):
        acls.parse("".join(f"user:u{number}:r\n" for number in range(1001)))


KEYS: Sequence[KeyAccess] = ("own", "read-all", {"other": "read"})
IDENTITIES = st.builds(
    lambda key, account, access: Identity(key=key, account=account, access=access),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(KEYS),
)


def expected(found: acls.Acls, identity: Identity) -> Actions:
    """What a list gives, by its words."""
    reads = writes = False
    for kind, name, rights in found:
        named = {
            "user": identity.key == name,
            "group": acting_for(identity) == name,
            "world": acting_for(identity) != "",
        }[kind]
        reads, writes = reads or (named and "r" in rights), writes or (named and "w" in rights)
    ours: Actions = WRITING - {"list-parts", "abort", "flush", "write-retention", "write-hold"}
    return (LISTING | READING if reads else frozenset()) | (ours if writes else frozenset())


@many
@given(LISTS, IDENTITIES)
def test_rules_give_what_the_list_says(found: acls.Acls, identity: Identity) -> None:
    assert ACLS.rules is not None
    rules = RuleSet("bucket", "owner", (), list(ACLS.rules(found, "bucket")))
    if identity.access == "read-all":  # which gives something by itself
        plain = RuleSet("bucket", "owner", ()).compiled(identity).always
        assert rules.compiled(identity).always >= plain | expected(found, identity)
    else:
        assert rules.compiled(identity).always == expected(found, identity)


@many
@given(LISTS)
def test_who_comes_without_a_key_has_nothing_of_it(found: acls.Acls) -> None:
    assert ACLS.rules is not None
    rules = RuleSet("bucket", "owner", (), list(ACLS.rules(found, "bucket")))
    assert rules.compiled(Identity()).always == frozenset()


def test_the_world_is_public() -> None:
    assert ACLS.rules is not None
    said = list(ACLS.rules(acls.parse("world::rw\n"), "bucket"))
    sam = Identity(key="sam", account="sam")
    assert RuleSet("bucket", "owner", (), said).compiled(sam).always
    closed = RuleSet("bucket", "owner", (), [*said, Limits(public=False)])
    assert not closed.compiled(sam).always


def test_examples_are_such_documents() -> None:
    for kind in (ACLS, storage_types.STORAGE_TYPE):
        assert kind.parsed(kind.example).document == kind.example


# the rest


def test_storage_types() -> None:
    assert storage_types.parse(" default ") == "DISK"
    assert [storage_types.parse(one.lower()) for one in storage_types.TYPES] == [
        "DISK", "SSD", "ARCHIVE", "RAM_DISK",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="RAM_DISK"):
        storage_types.parse("TAPE")


def test_headers_that_say_different_things() -> None:
    both = {"HTTP_X_OZONE_STORAGE_CLASS": "DISK", "HTTP_X_OZONE_STORAGE_TYPE": "SSD"}
    with pytest.raises(OzoneProblem, match="malformedStorageType"):
        bucket_headers.read(both, lower=False)
    same = dict.fromkeys(both, "SSD")
    assert bucket_headers.read(same, lower=False).storage_type == "SSD"
    twice = {"HTTP_X_OZONE_ACL": "user:A:r", "HTTP_X_OZONE_ACLS": "REMOVE user:B:r"}
    for lower, names in ((False, ["A", "B"]), (True, ["a", "b"])):
        said = bucket_headers.read(twice, lower=lower).acls
        assert [(one.removes, one.acl.name) for one in said] == [
            (False, names[0]),
            (True, names[1]),
        ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"admins": ("root",)}, "admins: with auth"),
        ({"auth": "simple", "admins": ("a b",)}, "admins: .* is no name"),
        ({"auth": "simple", "admins": ("Root",)}, "no capitals"),
    ],
)
def test_what_the_table_cannot_say(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OzoneOptions(**options)  # type: ignore[arg-type]  # as of a file


def test_who_is_suspected() -> None:
    now = [0.0]
    suspects = Suspects(lambda: now[0])
    assert not suspects.known("192.0.2.1", "bilbo")
    suspects.add("192.0.2.1", "bilbo")
    assert suspects.known("192.0.2.1", "sam") and suspects.known("192.0.2.9", "bilbo")
    assert not suspects.known("192.0.2.9", "sam")
    now[0] = 300.0  # as long as attempts count
    assert suspects.known("192.0.2.1", "sam")
    now[0] = 601.0
    assert not suspects.known("192.0.2.1", "bilbo")
    for number in range(6000):
        suspects.add(f"192.0.2.{number}", f"key-{number}")
    assert suspects.known("198.51.100.1", "anybody"), "who was forgotten is not trusted"

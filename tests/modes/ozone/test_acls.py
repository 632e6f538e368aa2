"""Access control lists: their words, who may by them, and that every other door obeys them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.modes.ozone.trusting import Ozone, differing, done, outcome, refused, said

GOOD = {
    "user:frodo:r": ("USER", "frodo", "READ"),
    "user:frodo:w": ("USER", "frodo", "WRITE"),
    "user:frodo:rw": ("USER", "frodo", "READ_WRITE"),
    "user:frodo:wr": ("USER", "frodo", "READ_WRITE"),
    "    user:frodo:wr   ": ("USER", "frodo", "READ_WRITE"),
    "USER:frodo:RW": ("USER", "frodo", "READ_WRITE"),
    "group:hobbit:r": ("GROUP", "hobbit", "READ"),
    "group:hobbit:w": ("GROUP", "hobbit", "WRITE"),
    " group:hobbit:rw": ("GROUP", "hobbit", "READ_WRITE"),
    "group:hobbit:wr": ("GROUP", "hobbit", "READ_WRITE"),
    "world::r": ("WORLD", "", "READ"),
    "world::w": ("WORLD", "", "WRITE"),
    " world::rw": ("WORLD", "", "READ_WRITE"),
    "WORLD::wr": ("WORLD", "", "READ_WRITE"),
}
MALFORMED = [
    "", "  ", "ADD", "REMOVE", "ADD ", "user:frodo:", "user:frodo:rx", "user:frodo:mk", "user::rw",
    "user11:frodo:rw", "user:::rw", "user:frodo", "user", "group:hobbit:", "group:hobbit:rx",
    "group:hobbit:mk", "group::", "group::rw", "group22:hobbit:", "group:::rw",
    "JUNK group:hobbit:r", "JUNK user:frodo:rw", "world:frodo:w", "world:frodo:rw", "world:r",
    "user:frodo:rw:x", "user:frodo:rr", "user:frodo:ww", "ADD ADD user:frodo:r",
    "everyone::r", "anonymous::r",
]  # fmt: skip
"""Both are what the original's tests ask, and more; but that it takes `*` and `~!` for names."""


def acls(ozone: Ozone, bucket: str) -> list[tuple[str, str, str]]:
    found = said(ozone.ask("GET", bucket, "bilbo", info="bucket"))["acls"]
    assert all(list(one) == ["type", "name", "rights"] for one in found)
    return [(one["type"], one["name"], one["rights"]) for one in found]


def change(ozone: Ozone, bucket: str, *headers: str, as_: str = "bilbo") -> Any:
    return ozone.ask("PUT", bucket, as_, headers={"x-ozone-acl": ",".join(headers)})


def test_words(ozone: Ozone) -> None:
    volume = f"/{ozone.volume()}"
    for number, (text, wanted) in enumerate(GOOD.items()):
        for name, header in ((f"a{number:02}", "x-ozone-acl"), (f"b{number:02}", "x-ozone-acls")):
            path = f"{volume}/{name}"
            done(ozone.ask("POST", path, "bilbo", headers={header: text}), 201)
            assert acls(ozone, path) == [wanted], text
            done(change(ozone, path, f"REMOVE {text.strip()}"))
            assert acls(ozone, path) == [], text
            done(change(ozone, path, f"ADD {text.strip()}"))
            assert acls(ozone, path) == [wanted], text


def test_what_is_malformed(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    texts = [*MALFORMED, *(f"ADD {text}" for text in MALFORMED), f"user:{'n' * 129}:r"]
    assert not differing(
        ((method, text), outcome(answer), "400 malformedACL")
        for text in texts
        for method, path in (("PUT", bucket), ("POST", f"{bucket}-more"))
        for answer in [ozone.ask(method, path, "bilbo", headers={"x-ozone-acl": text})]
    )
    good_and_bad = change(ozone, bucket, "ADD user:frodo:rw", "ADD user:frodo")
    refused(good_and_bad, 400, "malformedACL")
    assert acls(ozone, bucket) == []


def test_nobody_but_who_is_named_may_by_an_odd_name(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    for text in ("user:*:rw", "user:~!:rw", "group:*:rw", "user:?:r", "user:fro*:r"):
        change(ozone, bucket, f"ADD {text}")
        assert outcome(ozone.ask("GET", f"{bucket}/key", "frodo")) == "404 volumeNotFound", text


def test_adding_and_removing(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    frodo, sam = ("USER", "frodo", "READ_WRITE"), ("USER", "sam", "READ")
    hobbits, world = ("GROUP", "hobbit", "WRITE"), ("WORLD", "", "READ")
    steps: list[tuple[tuple[str, ...], list[tuple[str, str, str]]]] = [
        (("ADD user:frodo:rw",), [frodo]),
        (("ADD user:frodo:wr",), [frodo]),  # once
        (("ADD user:sam:r", "ADD group:hobbit:w"), [frodo, sam, hobbits]),
        (("REMOVE user:sam:w",), [frodo, sam, hobbits]),  # there is none of these
        (("REMOVE user:sam:r", "ADD world::r"), [frodo, hobbits, world]),
        (("REMOVE group:hobbit:w", "REMOVE world::r", "REMOVE user:frodo:rw"), []),
    ]
    for headers, wanted in steps:
        done(change(ozone, bucket, *headers))
        assert sorted(acls(ozone, bucket)) == sorted(wanted), headers


def test_what_each_right_gives(ozone: Ozone) -> None:
    """And nothing but it; the owner and administrators always may."""
    volume = f"/{ozone.volume()}"
    rights = {"r": "reader", "w": "writer", "rw": "both"}
    given = ",".join(f"ADD user:{name}:{right}" for right, name in rights.items())
    bucket = f"{volume}/granted"
    done(ozone.ask("POST", bucket, "bilbo", headers={"x-ozone-acl": given}), 201)
    asks: list[tuple[str, str, dict[str, str]]] = [
        ("PUT", "/new", {}), ("GET", "/new", {}), ("GET", "/new", {"info": "key"}),
        ("GET", "", {}), ("GET", "", {"info": "bucket"}), ("DELETE", "/new", {}), ("PUT", "", {}),
        ("DELETE", "", {}),
    ]  # fmt: skip
    denied = "403 accessDenied"
    table = {
        "reader": [denied, "200", "200", "200", "200", denied, denied, denied],
        "writer": ["201", denied, denied, denied, denied, "200", denied, denied],
        "both": ["201", "200", "200", "200", "200", "200", denied, denied],
    }
    rows = []
    for who, wanted in table.items():
        for (method, path, query), outcome_ in zip(asks, wanted, strict=True):
            ozone.put(bucket, "new")
            headers = (
                {"x-ozone-bucket-versioning": "disabled"} if (method, path) == ("PUT", "") else {}
            )
            body = b"1" if path and method == "PUT" else None
            answer = ozone.ask(method, bucket + path, who, body=body, headers=headers, query=query)
            rows.append(((who, method, path, query), outcome(answer), outcome_))
    assert not differing(rows)
    assert outcome(ozone.ask("GET", f"{bucket}/new", "stranger")) == "404 volumeNotFound"


def test_who_may_only_write_is_not_told_whom_a_list_names(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    for acl in ("user:frodo:w", "user:sam:r"):
        done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": f"ADD {acl}"}))
    refused(ozone.ask("GET", bucket, "frodo", info="bucket"), 403, "accessDenied")
    volume, found = bucket.rpartition("/")[0], dict[str, Any]()
    for user in ("frodo", "sam", "bilbo"):
        (found[user],) = said(ozone.ask("GET", volume, user))["buckets"]
    assert [len(found[user]["acls"]) for user in found] == [0, 2, 2]


def test_groups_are_accounts(ozone: Ozone) -> None:
    """Whom this way of signing in names is an account of that name."""
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    done(change(ozone, bucket, "ADD group:frodo:r"))
    assert ozone.ask("GET", f"{bucket}/key", "frodo").status == 200
    assert ozone.ask("GET", f"{bucket}/key", "sam").status == 404


def test_the_world_is_who_has_signed_in(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    done(change(ozone, bucket, "ADD world::r"))
    assert ozone.ask("GET", f"{bucket}/key", "anybody").body == b"data"
    refused(ozone.ask("PUT", f"{bucket}/key", "anybody", body=b""), 403, "accessDenied")
    sid = ozone.sid(bucket)
    assert ozone.site.ask(f"/{sid}/key").status == 403  # by S3, unsigned
    done(change(ozone, bucket, "REMOVE world::r"))
    assert ozone.ask("GET", f"{bucket}/key", "anybody").status == 404


def test_a_denial_here_and_an_absence_are_told_apart_by_who_may_know(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    beside = f"{bucket.rpartition('/')[0]}/beside"
    done(ozone.ask("POST", beside, "bilbo", headers={"x-ozone-acl": "ADD user:guest:r"}), 201)
    rows = [
        ("guest", f"{bucket}/key", "400 invalidBucketName"),
        ("guest", f"{bucket}-not/key", "400 invalidBucketName"),
        ("guest", f"{beside}/key", "400 invalidKey"),
        ("stranger", f"{bucket}/key", "404 volumeNotFound"),
        ("stranger", f"{bucket}-not/key", "404 volumeNotFound"),
    ]
    assert not differing(
        ((who, path), outcome(ozone.ask("GET", path, who)), wanted) for who, path, wanted in rows
    )


def test_what_two_add_at_once_is_there(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    names = [f"user-{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: change(ozone, bucket, f"ADD user:{name}:r"), names))
    assert {answer.status for answer in answers} == {200}
    assert sorted(name for _, name, _ in acls(ozone, bucket)) == sorted(names)


def test_the_last_entry_goes_without_what_others_add_meanwhile(
    ozone: Ozone, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = ozone.bucket()
    done(change(ozone, bucket, "ADD user:frodo:r"))
    remove, added = ozone.runtime.remove_setting, iter(["ADD user:sam:r"])

    def late(*given: Any, **options: Any) -> bool:
        for entry in added:
            done(change(ozone, bucket, entry))
        return remove(*given, **options)

    monkeypatch.setattr(ozone.runtime, "remove_setting", late)
    done(change(ozone, bucket, "REMOVE user:frodo:r"))
    assert acls(ozone, bucket) == [("USER", "sam", "READ")]


def test_names_are_as_users_are(ozone: Ozone) -> None:
    """Who signs in by a name in capitals is who has it in small letters, and so is a grant's."""
    bucket = ozone.bucket("Bilbo")
    ozone.put(bucket, "key", as_="bilbo")
    done(change(ozone, bucket, "ADD user:Frodo:r", as_="BILBO"))
    assert ozone.ask("GET", f"{bucket}/key", "frodo").status == 200
    assert ozone.ask("GET", f"{bucket}/key", "FRODO").status == 200

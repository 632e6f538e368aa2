"""Volumes: made, changed, shown, listed and dropped, by who may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.modes.ozone.trusting import (
    ALWAYS,
    Ozone,
    differing,
    done,
    outcome,
    refused,
    said,
    trusting,
)

UNLIMITED = {"unit": "TB", "size": 1 << 20}


def info(ozone: Ozone, volume: str, as_: str = "root") -> dict[str, object]:
    found: dict[str, object] = said(ozone.ask("GET", f"/{volume}", as_, info="volume"))
    return found


def test_only_an_administrator_makes_one_and_for_whom_is_said(ozone: Ozone) -> None:
    refused(ozone.ask("POST", "/made", "bilbo", owner="bilbo"), 403, "accessDenied")
    refused(ozone.ask("POST", "/made"), 404, "userNotFound")
    done(ozone.ask("POST", "/made", owner="bilbo"), 201)
    refused(ozone.ask("POST", "/made", owner="frodo"), 409, "volumeAlreadyExists")
    refused(ozone.ask("POST", "/made", "bilbo", owner="bilbo"), 403, "accessDenied")
    found = info(ozone, "made")
    assert (found["owner"], found["createdBy"]) == ({"name": "bilbo"}, "root")
    assert found["quota"] == UNLIMITED


def test_who_is_asked_for_is_named_by_the_header_of_the_user_too(ozone: Ozone) -> None:
    """`OZONE` alone leaves that to `x-ozone-user`, who then is no owner of a new volume."""
    for who, wanted in (("root", 404), ("bilbo", 403)):
        headers = {**ALWAYS, "authorization": "OZONE", "x-ozone-user": who}
        answer = ozone.raw("POST", "/named", headers)
        assert answer.status in (wanted, 201 if who == "root" else wanted), (who, answer.body)
    headers = {**ALWAYS, "authorization": "OZONE"}
    assert ozone.raw("GET", "/", headers).status in (400, 401)


# quotas: what the original's tests ask of them is in these tables

QUOTAS = {
    "10TB": (10, "TB"),
    "1 TB": (1, "TB"),
    "    1000MB   ": (1000, "MB"),
    "1024MB": (1, "GB"),
    "1024GB": (1, "TB"),
    "1536 mb": (1536, "MB"),
    "1024 bytes": (1024, "BYTES"),
    "1bytes": (1, "BYTES"),
    "10000 BYTES": (10000, "BYTES"),
    "1048576BYTES": (1, "MB"),
    "1 0 G B": (10, "GB"),
    "0MB": (0, "TB"),
    "0bytes": (0, "TB"),
    "0 TB": (0, "TB"),
    "007MB": (7, "MB"),
}
MALFORMED = [
    "    1000MBMB   ", "    1000MB00   ", "1000ZMB", "MB1000", "9999", "1", "1UNDEFINED", "",
    "-1000MB", "BYTESbytes", "bytes", "NaN", "1.5TB", "1e3MB", "+1MB", "1KB", "1TiB", "0x1MB",
    "9223372036854775808BYTES", "8388608TB", "9" * 5000 + "TB", "not remove", "1,0MB",
    "1_0MB", "١MB", "1byteſ",
]  # fmt: skip


def test_quotas_are_read_and_shown_in_the_largest_unit_that_divides_them(ozone: Ozone) -> None:
    volume = ozone.volume()
    for text, (size, unit) in QUOTAS.items():
        done(ozone.ask("PUT", f"/{volume}", quota=text))
        assert info(ozone, volume)["quota"] == {"unit": unit, "size": size}, text
        assert info(ozone, ozone.volume(quota=text))["quota"] == {"unit": unit, "size": size}, text


def test_what_is_no_quota_is_malformed_and_nothing_is_done(ozone: Ozone) -> None:
    volume = ozone.volume(quota="2TB")
    asks = [("POST", "/malformed"), ("PUT", f"/{volume}")]
    assert not differing(
        ((method, text[:40]), outcome(answer), "400 malformedQuota")
        for text in MALFORMED
        for method, path in asks
        for answer in [ozone.ask(method, path, owner="frodo", quota=text)]
    )
    refused(ozone.ask("POST", "/malformed", owner="bilbo", quota="remove"), 400, "malformedQuota")
    refused(ozone.ask("GET", "/malformed", info="volume"), 404, "volumeNotFound")
    found = info(ozone, volume)
    assert (found["quota"], found["owner"]) == ({"unit": "TB", "size": 2}, {"name": "bilbo"})


def test_what_is_said_of_buckets_is_refused_of_volumes(ozone: Ozone) -> None:
    """And nothing is done."""
    volume = ozone.volume()
    rows = [
        {"x-ozone-acl": "user:frodo:r"}, {"x-ozone-acls": "ADD user:frodo:r"},
        {"x-ozone-bucket-versioning": "enabled"}, {"x-ozone-storage-class": "SSD"},
        {"x-ozone-storage-type": "SSD"},
    ]  # fmt: skip
    assert not differing(
        ((method, headers), outcome(answer), "400 unknownProperty")
        for headers in rows
        for method, path in (("POST", "/unknown"), ("PUT", f"/{volume}"))
        for answer in [ozone.ask(method, path, owner="frodo", headers=headers)]
    )
    refused(ozone.ask("GET", "/unknown", info="volume"), 404, "volumeNotFound")
    assert info(ozone, volume)["owner"] == {"name": "bilbo"}


def test_a_quota_is_changed_and_removed(ozone: Ozone) -> None:
    volume = ozone.volume(quota="1GB")
    done(ozone.ask("PUT", f"/{volume}", quota="2GB"))
    done(ozone.ask("PUT", f"/{volume}"))  # nothing is asked for
    assert info(ozone, volume)["quota"] == {"unit": "GB", "size": 2}
    for word in ("remove", "REMOVE"):
        done(ozone.ask("PUT", f"/{volume}", quota="1GB"))
        done(ozone.ask("PUT", f"/{volume}", quota=word))
        assert info(ozone, volume)["quota"] == UNLIMITED


# changing and dropping


def test_a_volume_gets_another_owner_with_its_buckets(ozone: Ozone) -> None:
    bucket = ozone.bucket("bilbo", "1GB")
    volume = bucket.split("/")[1]
    ozone.put(bucket, "key")
    before = info(ozone, volume)
    done(ozone.ask("PUT", f"/{volume}", owner="frodo", quota="3GB"))
    after = info(ozone, volume, "frodo")
    assert (after["owner"], after["quota"]) == ({"name": "frodo"}, {"unit": "GB", "size": 3})
    assert (after["createdOn"], after["createdBy"]) == (before["createdOn"], before["createdBy"])
    assert ozone.keys(bucket, "frodo") == ["key"]
    ozone.put(bucket, "another", as_="frodo")
    rows = [
        ("GET", f"{bucket}/key"),
        ("PUT", f"{bucket}/key"),
        ("GET", bucket),
        ("GET", f"/{volume}"),
    ]
    found = {outcome(ozone.ask(method, path, "bilbo", body=b"")) for method, path in rows}
    assert found == {"404 volumeNotFound"}
    names = [one["volumeName"] for one in said(ozone.ask("GET", "/", "bilbo"))["volumes"]]
    assert volume not in names
    assert volume in [one["volumeName"] for one in said(ozone.ask("GET", "/", "frodo"))["volumes"]]


def test_only_administrators_change_one(ozone: Ozone) -> None:
    volume = ozone.volume()
    refused(ozone.ask("PUT", f"/{volume}", "bilbo", owner="frodo"), 403, "accessDenied")
    refused(ozone.ask("PUT", f"/{volume}", "bilbo", quota="1TB"), 403, "accessDenied")
    refused(ozone.ask("PUT", f"/{volume}", "bilbo", quota="much"), 403, "accessDenied")
    refused(ozone.ask("PUT", "/absent", quota="1TB"), 404, "volumeNotFound")
    assert info(ozone, volume)["quota"] == UNLIMITED


def test_one_is_dropped_by_its_owner_or_an_administrator_when_it_is_empty(ozone: Ozone) -> None:
    for who in ("root", "bilbo"):
        bucket = ozone.bucket()
        volume = f"/{bucket.split('/')[1]}"
        refused(ozone.ask("DELETE", volume, who), 409, "volumeNotEmpty")
        assert outcome(ozone.ask("DELETE", volume, "frodo")).startswith("40")
        done(ozone.ask("DELETE", bucket, who))
        assert outcome(ozone.ask("DELETE", volume, "frodo")) == "404 volumeNotFound"
        done(ozone.ask("DELETE", volume, who))
        refused(ozone.ask("DELETE", volume, who), 404, "volumeNotFound")
        done(ozone.ask("POST", volume, owner="frodo"), 201)
        assert info(ozone, volume[1:], "frodo")["owner"] == {"name": "frodo"}
        done(ozone.ask("DELETE", volume, "frodo"))


def test_a_stranger_does_not_learn_that_there_is_one(ozone: Ozone) -> None:
    """But who sees one of its buckets does, and is denied what only the owner may."""
    bucket = ozone.bucket()
    volume = f"/{bucket.split('/')[1]}"
    asks: list[tuple[str, str, dict[str, str]]] = [
        ("GET", volume, {"info": "volume"}), ("GET", volume, {}), ("DELETE", volume, {}),
        ("POST", f"{volume}/other", {}),
    ]  # fmt: skip
    for method, path, query in asks:
        there = outcome(ozone.ask(method, path, "stranger", query=query))
        absent = outcome(
            ozone.ask(method, path.replace("volume-", "vol-"), "stranger", query=query)
        )
        assert there == absent, (method, path)
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": "ADD user:guest:r"}))
    found = [outcome(ozone.ask(method, path, "guest", query=query)) for method, path, query in asks]
    assert found == ["403 accessDenied", "200", "403 accessDenied", "403 accessDenied"]


# listing


@pytest.fixture(scope="module")
def twenty() -> Iterator[Ozone]:
    """By turns of two users, as the original's test has them; and one with an odd name."""
    with trusting() as ozone:
        for number in range(20):
            ozone.volume(f"test-user-{'ab'[number % 2]}", name=f"test-vol{number}")
        ozone.volume("root", name="of-root")
        yield ozone


def names(ozone: Ozone, as_: str, query: Mapping[str, object] = {}) -> list[str]:
    return [one["volumeName"] for one in said(ozone.ask("GET", "/", as_, query=query))["volumes"]]


def test_lists_of_volumes(twenty: Ozone) -> None:
    def of(numbers: range | list[int]) -> list[str]:
        return sorted(f"test-vol{number}" for number in numbers)

    a, b = of(range(0, 20, 2)), of(range(1, 20, 2))
    rows: list[tuple[str, dict[str, object], list[str]]] = [
        ("test-user-a", {}, a),
        ("test-user-b", {}, b),
        ("test-user-a", {"max-keys": 2}, a[:2]),
        ("test-user-a", {"prefix": "test-vol10", "max-keys": 10}, ["test-vol10"]),
        ("test-user-a", {"prefix": "test-vol1", "max-keys": 10}, of([10, 12, 14, 16, 18])),
        ("test-user-b", {"prev-key": "test-vol15", "max-keys": 10}, b[b.index("test-vol15") + 1 :]),
        ("test-user-b", {"prev-key": "test-vol16"}, b[b.index("test-vol17") :]),
        ("test-user-a", {"prefix": "zzz"}, []),
        ("test-user-a", {"prefix": ""}, a),
        ("test-user-a", {"root-scan": "false"}, a),
        ("nobody", {}, []),
        ("root", {}, ["of-root"]),
        ("root", {"root-scan": "true"}, ["of-root", *sorted(a + b)]),
        ("root", {"root-scan": "true", "prev-key": "p", "max-keys": 3}, sorted(a + b)[:3]),
        ("test-user-a", {"info": "service"}, a),
    ]
    for who, query, wanted in rows:
        assert names(twenty, who, query) == wanted, (who, query)


def test_pages_of_volumes_have_each_once(twenty: Ozone) -> None:
    query: dict[str, object] = {"root-scan": "true", "max-keys": 3}
    found = page = names(twenty, "root", query)
    while page:
        page = names(twenty, "root", {**query, "prev-key": found[-1]})
        found += page
    assert found == names(twenty, "root", {"root-scan": "true"})
    assert len(found) == 21


def test_all_of_them_are_for_administrators(twenty: Ozone) -> None:
    refused(twenty.ask("GET", "/", "test-user-a", root_scan="true"), 401, "Unauthorized")


def test_what_is_no_parameter_of_a_list_is_refused(twenty: Ozone) -> None:
    rows = [
        {"max-keys": "0"}, {"max-keys": "1025"}, {"max-keys": "-1"}, {"max-keys": "ten"},
        {"max-keys": "1.0"}, {"max-keys": "1" * 5000}, {"root-scan": "maybe"}, {"info": "nothing"},
    ]  # fmt: skip
    assert not differing(
        (row, outcome(twenty.ask("GET", "/", "test-user-a", query=row)), "400 invalidQueryParam")
        for row in rows
    )

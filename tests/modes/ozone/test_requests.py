"""What every request needs, in the order in which it is looked at; and what every answer has."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.modes.ozone.trusting import (
    ALWAYS,
    BOUND,
    DATE,
    ROOT,
    Ozone,
    differing,
    outcome,
    refused,
    trusting,
)

AS_ROOT = {**ALWAYS, "authorization": "OZONE root"}
MISSING = "/volume/bucket/key"


def test_what_is_wrong_is_told_in_one_order(ozone: Ozone) -> None:
    """Each request has something that the one before it lacks."""
    versioned = {"x-ozone-version": "v1"}
    rows = [
        ("PUT", "/V/B/k", {}, "400 missingVersion"),
        ("PUT", "/V/B/k", versioned, "400 missingDate"),
        ("PUT", "/V/B/k", {**versioned, "date": "now"}, "400 badDate"),
        ("PUT", "/V/B/k", ALWAYS, "400 invalidVolumeName"),
        ("PUT", "/volume/B/k", ALWAYS, "400 invalidBucketName"),
        ("PUT", "/volume/bucket/k", ALWAYS, "400 badAuthorization"),
        ("POST", "/volume?quota=x", ALWAYS, "400 badAuthorization"),
        ("POST", "/volume?quota=x", {**ALWAYS, "authorization": "OZONE bilbo"}, "403 accessDenied"),
        ("POST", "/volume?quota=x", AS_ROOT, "404 userNotFound"),
        ("POST", "/volume?quota=x", {**AS_ROOT, "x-ozone-user": "bilbo"}, "400 malformedQuota"),
    ]
    assert not differing(
        (row, outcome(ozone.raw(row[0], row[1], row[2], host=BOUND)), row[3]) for row in rows
    )


def test_authorization_is_there_once_and_is_ozones(ozone: Ozone) -> None:
    rows = [
        (None, "400 badAuthorization"),
        ("", "400 badAuthorization"),
        ("Basic cm9vdDpyb290", "400 badAuthorization"),
        ("root", "400 badAuthorization"),
        ("OZONE root,OZONE root", "400 badAuthorization"),
        ("OZONE root, OZONE root", "400 badAuthorization"),
        ("OZONE root", "200"),
        ("  OZONE   root  ", "200"),
    ]
    assert not differing(
        (value, outcome(ozone.ask("GET", "/", None, headers={"authorization": value})), wanted)
        for value, wanted in rows
    )


def test_dates(ozone: Ozone) -> None:
    rows = [
        (DATE, "200"),
        ("Mon, Apr 4, 2016 06:22:00 GMT", "200"),  # as the description has it
        ("Sun, 06 Nov 1994 08:49:37 GMT", "200"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "200"),  # its clients send a clock that begins at 0
        (None, "400 missingDate"),
        ("", "400 missingDate"),
        ("yesterday", "400 badDate"),
        ("2017-06-26T04:23:30Z", "400 badDate"),
        ("Mon, 26 Jun 2017 04:23:30", "400 badDate"),
        ("Mon, 26 Jun 2017 04:23:30 PST", "400 badDate"),
        ("Mon, 26 Jun 2017 04:23:30 +0200", "400 badDate"),
        ("Mon, Apr 4, 2016 06:22:00 CET", "400 badDate"),
        ("Mon, 32 Jun 2017 04:23:30 GMT", "400 badDate"),
        ("Wed, 29 Feb 2017 04:23:30 GMT", "400 badDate"),
        ("Mon, 26 Jun 2017 24:23:30 GMT", "400 badDate"),
        ("Mon, 26 Jun 99999999999 04:23:30 GMT", "400 badDate"),
    ]
    assert not differing(
        (date, outcome(ozone.ask("GET", "/", headers={"date": date})), wanted)
        for date, wanted in rows
    )


def test_names(ozone: Ozone) -> None:
    """Of volumes and buckets alike; what the original's own tests ask of them is in it."""
    good = [
        "bucket", "bucket.ozone.self", "bucket-name.ozone.self", "bucket.1.ozone.self", "abc",
        "a" * 63, "a--b", "1ab", "xn--a", "a-s3alias", "1.2.3.4.5", "256.1.1",
    ]  # fmt: skip
    bad = [
        "ab", "a" * 64, "bucket-.ozone.self", "bucket.-ozone.self", ".bucket.ozone.self",
        "bucket.ozone.self.", "bucket..ozone.self", "192.1.1.1", "bucket@$", "BUCKET", "Bucket",
        "bucket%20.ozone.self", "%20%20bucket.ozone.self", "bucket.ozone.self-",
        "-bucket.ozone.self", "%23abc", "b%C3%BCcket", "bucket_1", "bucket%0A", "bucket%00",
        "bucket.ozone.self.this.is.a.really.long.name.that.is.more.than.sixty.three.characters",
    ]  # fmt: skip
    path = f"/{ozone.volume()}"
    of_volumes = [*((one, "201") for one in good), *((one, "400 invalidVolumeName") for one in bad)]
    of_buckets = [*((one, "201") for one in good), *((one, "400 invalidBucketName") for one in bad)]
    assert not differing(
        (name, outcome(ozone.ask("POST", f"/{name}", owner="bilbo")), wanted)
        for name, wanted in of_volumes
    )
    assert not differing(
        (name, outcome(ozone.ask("POST", f"{path}/{name}")), wanted) for name, wanted in of_buckets
    )


def test_what_is_too_long_is_not_remembered(ozone: Ozone) -> None:
    """Whoever it is may send it, before anybody asks who."""
    tracemalloc.start()
    try:
        for number in range(40):
            long = f"{number}{'a' * 60_000}"
            for path, date in (("/", long), (f"/{long}", DATE), (f"/volume/{long}", DATE)):
                assert outcome(ozone.raw("GET", path, {**AS_ROOT, "date": date}))[:3] == "400"
        ozone.site.records.clear()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_nothing_else_is_at_these_paths(ozone: Ozone) -> None:
    """Of a call that there is not, nobody learns whether what it names is there."""
    rows = [
        ("DELETE", "/"), ("POST", "/"), ("PUT", "/"), ("PATCH", "/volume"), ("OPTIONS", "/volume"),
        ("PATCH", "/volume/bucket"), ("PATCH", "/volume/bucket/key"), ("TRACE", "/"),
    ]  # fmt: skip
    found = [(row, ozone.raw(*row, AS_ROOT)) for row in rows]
    assert not [(row, answer.status) for row, answer in found if not 400 <= answer.status < 500]


def test_an_error_says_what_is_wrong_and_where(ozone: Ozone) -> None:
    answer = ozone.ask("GET", MISSING, "bilbo")
    error = refused(answer, 404, "volumeNotFound")
    assert error["resource"] == MISSING
    assert error["requestID"] != ozone.ask("GET", MISSING).headers["x-ozone-request-id"]


def test_the_request_is_found_in_the_log_by_its_id(ozone: Ozone) -> None:
    answer = ozone.ask("GET", MISSING, "bilbo")
    record = ozone.site.records[-1]
    digits = answer.headers["x-ozone-request-id"].replace("-", "")
    assert record.request_id.lower() == digits[:12] + digits[-4:]
    assert (record.mode, record.key_id, record.account) == ("ozone", "bilbo", "bilbo")
    assert (record.status, record.code) == (404, "volumeNotFound")


def test_head_is_get_without_what_it_says(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "key")
    volume = bucket.rpartition("/")[0]
    targets = [
        "/", f"{volume}?info=volume", volume, f"{bucket}?info=bucket", bucket, f"{bucket}/key",
        f"{bucket}/key?info=key", f"{bucket}/none", "/absent?info=volume", "/V", f"{volume}?info=x",
    ]  # fmt: skip
    for target in targets:
        headers = {**ALWAYS, "authorization": "OZONE bilbo"}
        head, get = (ozone.raw(method, target, headers) for method in ("HEAD", "GET"))
        assert (head.status, head.body) == (get.status, b""), target
        for name in ("content-type", "content-length", "etag"):
            if "info=" in target or get.status >= 400:
                continue  # times and ids in documents
            assert head.headers.get(name) == get.headers.get(name), (target, name)


def test_other_doors_stay_where_they_are(ozone: Ozone) -> None:
    """Nothing but the header, or a binding, leads here."""
    by_s3 = ozone.site.ask("/volume/bucket/key", headers={"date": DATE})
    assert by_s3.headers["content-type"] == "application/xml"
    by_standard = ozone.site.ask("/servicelist", headers={"x-owncdn-key": ROOT[1]})
    assert by_standard.status == 200


def test_a_binding_says_whose_a_request_is_whatever_it_says_itself() -> None:
    services = {"shown": {"driver": "memory"}}
    bindings = [
        {"mode": "public", "host": "www.example", "service": "shown"},
        {"mode": "ozone", "host": "www.example", "prefix": "/ozone"},
    ]
    server = {"memory": True, "only_bound": ["ozone"]}
    with trusting(server=server, services=services, bindings=bindings) as bound:
        bound.site.put("shown", "key", b"for everybody")
        shown = bound.site.ask("/key", headers=AS_ROOT, host="www.example")
        assert (shown.status, shown.body) == (200, b"for everybody")
        assert bound.raw("GET", "/ozone/", AS_ROOT, host="www.example").status == 200
        error = refused(
            bound.raw("GET", "/ozone/absent/bucket/k", AS_ROOT, host="www.example"),
            404,
            "volumeNotFound",
        )
        assert error["resource"] == "/absent/bucket/k"
        elsewhere = bound.site.ask("/volume", headers=AS_ROOT)
        assert "x-ozone-request-id" not in elsewhere.headers


NAMES = st.sampled_from(["volume", "V", "a", "", "..", "v%2fb", "%00", "%ff", "-/docs", "vol.b"])
TEXTS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\x00"), max_size=12)
HEADERS = st.dictionaries(
    st.sampled_from([
        "x-ozone-acl", "x-ozone-acls", "x-ozone-storage-class", "x-ozone-storage-type",
        "x-ozone-bucket-versioning", "x-ozone-user", "content-md5", "range", "if-match",
        "content-type", "x-ozone-version",
    ]),
    TEXTS | st.sampled_from(["ADD", "ADD user:a:r", "0", "-1", "999999999999999999999", "enabled"]),
    max_size=4,
)  # fmt: skip
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["info", "prefix", "max-keys", "prev-key", "root-scan", "quota", "toKey"]),
        st.sampled_from(["", "1", "0", "-1", "x", "volume", "bucket", "key", "true", "%ff", "%00"]),
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None, database=None)
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    parts=st.lists(NAMES, max_size=4),
    query=QUERIES,
    headers=HEADERS,
    who=st.sampled_from(["OZONE root", "OZONE bilbo", "OZONE", "OZONE a b", "x", "OZONE ü"]),
)
def test_what_a_client_sends_is_never_an_error_of_the_server(
    ozone: Ozone,
    method: str,
    parts: list[str],
    query: list[tuple[str, str]],
    headers: Mapping[str, str],
    who: str,
) -> None:
    target = "/" + "/".join(parts) + "?" + "&".join(f"{name}={text}" for name, text in query)
    sent = {**ALWAYS, "authorization": who, **headers}
    if not headers.get("x-ozone-version", "v1").strip():
        sent["x-ozone-version"] = "v1"  # else it is another mode's
    answer = ozone.raw(method, target, sent, b"12345" if method in ("PUT", "POST") else None)
    if method != "HEAD":
        outcome(answer)

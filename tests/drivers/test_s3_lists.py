"""Lists of an upstream that do not move on, or end too soon: found out, and never silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drivers.s3 import S3
from gateway.storage import (
    Buckets,
    Context,
    Get,
    ListQuery,
    OriginFailed,
    Secret,
    UploadQuery,
    VersionQuery,
)
from gateway.testing.upstreams import Exchange, Upstream, answer

TIME = "2025-01-01T00:00:00Z"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def make(upstream: Upstream) -> Iterator[Callable[..., S3]]:
    opened: list[S3] = []

    def make(bucket: str = "bkt", **options: Any) -> S3:
        given = {"access_key": Secret("key"), "secret_key": Secret("secret"), **options}
        store = S3(bucket=bucket, endpoint_url=upstream.url, **given)
        store.open(Context())
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def row(key: str) -> str:
    return f"<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag></Contents>"


def page(rows: str, *, more: bool = True, token: str = "", root: str = "ListBucketResult") -> bytes:
    said = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    if token:
        said += f"<NextContinuationToken>{token}</NextContinuationToken>"
    return f"<{root}>{said}{rows}</{root}>".encode()


def said(exchange: Exchange) -> dict[str, str]:
    query = parse_qs(urlsplit(exchange.seen.target).query)
    return {name: values[0] for name, values in query.items()}


# objects


def test_an_upstream_that_ignores_where_to_go_on(upstream: Upstream, make: Any) -> None:
    upstream.always(answer(200, page("".join(map(row, "abc")))))
    with pytest.raises(OriginFailed, match="does not move on"):
        make().list(ListQuery(after="x"))
    assert len(upstream.requests) == 1


def test_but_knows_its_tokens(upstream: Upstream, make: Any) -> None:
    def act(exchange: Exchange) -> None:
        token = said(exchange).get("continuation-token", "")
        rows, following = {"": ("ab", "1"), "1": ("cd", "2"), "2": ("xy", "3")}[token]
        answer(200, page("".join(map(row, rows)), token=following))(exchange)

    upstream.always(act)
    found = make().list(ListQuery(after="x"))
    assert ([one.key for one in found.entries], found.next) == (["y"], "y")


def test_an_empty_page_that_has_more_is_no_end(upstream: Upstream, make: Any) -> None:
    def act(exchange: Exchange) -> None:
        token = int(said(exchange).get("continuation-token", "0"))
        more = token < 20
        answer(200, page("" if more else row("z"), more=more, token=str(token + 1)))(exchange)

    upstream.always(act)
    assert [one.key for one in make().list().entries] == ["z"]


@pytest.mark.parametrize("token", ["", "always the same"])
def test_an_empty_page_that_has_more_and_no_way_there(
    upstream: Upstream, make: Any, token: str
) -> None:
    upstream.always(answer(200, page("", token=token)))
    with pytest.raises(OriginFailed, match="does not move on"):
        make().list()
    assert len(upstream.requests) <= 2


def test_empty_pages_without_end(upstream: Upstream, make: Any) -> None:
    def act(exchange: Exchange) -> None:
        token = said(exchange).get("continuation-token", "")
        answer(200, page("", token=f"{token}."))(exchange)

    upstream.always(act)
    with pytest.raises(OriginFailed, match="does not move on"):
        make().list()
    assert len(upstream.requests) == 100


def test_a_folder_that_is_the_prefix_itself_is_passed_over(upstream: Upstream, make: Any) -> None:
    """As consoles make it. With a limit of 1 it is all that the first page has."""

    def act(exchange: Exchange) -> None:
        found = [row("2026/"), row("2026/a")]["continuation-token" in said(exchange)]
        answer(200, page(found, token="t"))(exchange)

    upstream.always(act)
    found = make(prefix="2026/").list(ListQuery(limit=1))
    assert ([one.key for one in found.entries], found.next) == (["a"], "a")


def test_keys_that_nobody_asked_for(upstream: Upstream, make: Any) -> None:
    upstream.always(answer(200, page(row("other/a"), more=False)))
    with pytest.raises(OriginFailed, match="does not begin with"):
        make(prefix="2026/").list()


def test_keys_out_of_order(upstream: Upstream, make: Any) -> None:
    """A whole list is put in order; of one that goes on, keys would be missed."""
    upstream.will(answer(200, page(row("b") + row("a"), more=False)))
    assert [one.key for one in make().list().entries] == ["a", "b"]
    upstream.will(answer(200, page(row("b") + row("a"), token="t")))
    with pytest.raises(OriginFailed, match="order"):
        make().list()


def test_a_row_without_a_key_is_no_server_error(upstream: Upstream, make: Any) -> None:
    upstream.always(answer(200, page("<Contents><Size>1</Size></Contents>", more=False)))
    assert make().list().entries == ()


# versions, uploads


def version(key: str, name: str) -> str:
    return f"<Version><Key>{key}</Key><VersionId>{name}</VersionId><Size>1</Size></Version>"


def upload(key: str, name: str) -> str:
    return f"<Upload><Key>{key}</Key><UploadId>{name}</UploadId></Upload>"


def marked(root: str, kind: str, rows: str, key: str, name: str) -> bytes:
    said = f"<NextKeyMarker>{key}</NextKeyMarker><Next{kind}>{name}</Next{kind}>" if key else ""
    return page(rows + said, root=root)


LISTS: dict[str, tuple[str, str, Callable[[str, str], str], Callable[[S3, str, str], Any]]] = {
    "versions": (
        "ListVersionsResult",
        "VersionIdMarker",
        version,
        lambda store, after, at: store.versions(VersionQuery(after=after, after_version=at)),
    ),
    "uploads": (
        "ListMultipartUploadsResult",
        "UploadIdMarker",
        upload,
        lambda store, after, at: store.uploads(UploadQuery(after=after, after_upload=at)),
    ),
}


@pytest.mark.parametrize("which", LISTS)
def test_markers_that_do_not_move(upstream: Upstream, make: Any, which: str) -> None:
    root, kind, item, ask = LISTS[which]
    rows = item("b", "1") + item("b", "2")
    store = make()
    for found, key, after, at in (
        ("", "b", "", ""),  # nothing, and always the same marker
        (rows, "b", "b", "2"),  # the page before once more
        (rows, "b", "x", ""),  # the beginning again
        (rows, "b", "x", "7"),
        ("", "", "", ""),  # more, and not where
        (rows, "", "", ""),
    ):
        upstream.requests.clear()
        upstream.always(answer(200, marked(root, kind, found, key, "2")))
        with pytest.raises(OriginFailed, match="does not move on"):
            ask(store, after, at)
        assert len(upstream.requests) <= 2


@pytest.mark.parametrize("which", LISTS)
def test_empty_pages_with_markers_that_move_are_followed(
    upstream: Upstream, make: Any, which: str
) -> None:
    root, kind, item, ask = LISTS[which]
    upstream.will(
        answer(200, marked(root, kind, "", "a", "1")),
        answer(200, marked(root, kind, "", "a", "2")),
        answer(200, marked(root, kind, item("b", "1"), "b", "1")),
    )
    found = ask(make(), "", "")
    assert found.next == "b"
    assert "key-marker=a" in upstream.requests[1].target


# parts, buckets


def parts(numbers: list[int], *, more: bool) -> bytes:
    rows = "".join(f"<Part><PartNumber>{n}</PartNumber><Size>1</Size></Part>" for n in numbers)
    return page(rows, more=more, root="ListPartsResult")


def test_parts_come_whole_also_where_pages_are_small(upstream: Upstream, make: Any) -> None:
    upstream.will(
        answer(200, parts([1, 2], more=True)),
        answer(200, parts([3], more=True)),
        answer(200, parts([7], more=False)),
    )
    assert [one.number for one in make().parts("k", "u")] == [1, 2, 3, 7]
    for numbers in ([], [1, 2], [2, 1]):
        upstream.requests.clear()
        upstream.always(answer(200, parts(numbers, more=True)))
        with pytest.raises(OriginFailed, match="does not move on"):
            make().parts("k", "u", after=0)
        assert len(upstream.requests) <= 2


def test_parts_of_an_object_that_come_again_and_again(upstream: Upstream, make: Any) -> None:
    upstream.will(answer(200, b"", {"ETag": f'"{"a" * 32}-9"', "Content-Length": 9}))
    info = make().stat("k", Get())
    part = "<Part><PartNumber>1</PartNumber><Size>1</Size></Part>"
    rows = f"<ObjectParts><IsTruncated>true</IsTruncated>{part}</ObjectParts>"
    upstream.always(
        answer(200, f"<GetObjectAttributesResponse>{rows}</GetObjectAttributesResponse>".encode())
    )
    with pytest.raises(OriginFailed, match="does not move on"):
        list(info.parts)
    assert len(upstream.requests) == 3


def test_an_account_whose_list_goes_round(upstream: Upstream, make: Any) -> None:
    rows = "<Buckets><Bucket><Name>one</Name></Bucket></Buckets>"
    rows += "<ContinuationToken>t</ContinuationToken>"
    upstream.always(
        answer(200, f"<ListAllMyBucketsResult>{rows}</ListAllMyBucketsResult>".encode())
    )
    account = make("").find(Buckets)
    with pytest.raises(OriginFailed, match="does not move on"):
        account.buckets()
    assert len(upstream.requests) == 2

"""Headers as they arrive: names with `_`, and those that come several times. The servers
make different variables of them; what a client signed and meant must be the same on all."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from gateway.testing import Server
from tests.e2e.conftest import KEY, SECRET, SERVERS, serving
from tests.e2e.raw import GUARD, UNSIGNED_CHUNKS, fields, head

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Place:
    """A gateway on one of the servers."""

    server: str
    url: str
    key: str
    secret: str
    client: Any

    @property
    def tells(self) -> bool:
        """Whether the server tells `_` from `-` in names."""
        return self.server != "granian"

    def ask(
        self,
        method: str,
        target: str,
        given: Fields = (),
        body: bytes = b"",
        *,
        payload: str = "",
        unsigned: Fields = (),
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of a signed request, sent line by line."""
        payload = payload or sha256(body).hexdigest()
        sized = [("content-length", str(len(body))), *given]
        sent = fields(self.url, method, target, sized, payload, self.key, self.secret)
        return self.send(method, target, [*sent, *unsigned], body)

    def send(
        self, method: str, target: str, sent: Fields, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        place = urlsplit(self.url)
        address = str(place.hostname), place.port or 80
        with socket.create_connection(address, timeout=GUARD) as connection:
            connection.sendall(head(method, target, sent) + body)
            answer = HTTPResponse(connection, method=method)
            answer.begin()
            said = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, said, answer.read()


@pytest.fixture(scope="module", params=[*SERVERS, "test server"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    name = request.param
    if name == "test server":
        with Server(buckets={"bucket": {}}) as server:
            known = server.env()
            key, secret = known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"]
            yield Place(name, server.endpoint_url, key, secret, server.client())
        return
    with serving(tmp_path_factory.mktemp(name), "--memory", "--server", name) as running:
        client = running.client(config=Config(signature_version="s3v4"))
        client.create_bucket(Bucket="bucket")
        yield Place(name, running.url, KEY, SECRET, client)


# names with _


def test_names_of_metadata_are_kept_as_they_were_signed(place: Place) -> None:
    given = {"uploaded_at": "now", "ic_file_type": "x", "a-b": "1", "_": "only"}
    place.client.put_object(Bucket="bucket", Key="k", Body=b"x", Metadata=given)
    assert place.client.head_object(Bucket="bucket", Key="k")["Metadata"] == given
    place.client.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/k")
    assert place.client.get_object(Bucket="bucket", Key="copy")["Metadata"] == given
    begun = place.client.create_multipart_upload(Bucket="bucket", Key="p", Metadata=given)
    part = {"Bucket": "bucket", "Key": "p", "UploadId": begun["UploadId"]}
    etag = place.client.upload_part(**part, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    place.client.complete_multipart_upload(**part, MultipartUpload=parts)
    assert place.client.head_object(Bucket="bucket", Key="p")["Metadata"] == given


def test_a_url_may_name_metadata_with_an_underscore(place: Place) -> None:
    given = {"Bucket": "bucket", "Key": "by-url", "Metadata": {"uploaded_at": "now"}}
    url = place.client.generate_presigned_url("put_object", Params=given)
    target = url.removeprefix(place.url)
    named = [("Host", urlsplit(url).netloc), ("x-amz-meta-uploaded_at", "now")]
    assert place.send("PUT", target, [*named, ("Content-Length", "1")], b"x")[0] == 200
    found = place.client.head_object(Bucket="bucket", Key="by-url")["Metadata"]
    assert found == {"uploaded_at": "now"}


def test_two_names_that_a_server_makes_one_of_are_never_confused(place: Place) -> None:
    both = [("x-amz-meta-a-b", "dash"), ("x-amz-meta-a_b", "underscore")]
    status, _, body = place.ask("PUT", "/bucket/both", both, b"x")
    if place.tells:
        assert status == 200
        found = place.client.head_object(Bucket="bucket", Key="both")["Metadata"]
        assert found == {"a-b": "dash", "a_b": "underscore"}
    else:
        assert (status, b"<Code>InvalidRequest</Code>" in body) == (400, True)
        assert b"x-amz-meta-a_b cannot be told from" in body


@pytest.mark.parametrize("sign", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("name", ["x_amz_acl", "x-amz_acl", "x_amz-acl"])
def test_a_name_with_underscores_is_no_header_of_s3(place: Place, name: str, sign: bool) -> None:
    target, more = f"/bucket/{name}-{sign}", [(name, "public-read")]
    given, unsigned = (more, []) if sign else ([], more)
    status, _, _ = place.ask("PUT", target, given, b"x", unsigned=unsigned)
    # Folded and not signed it cannot be told from x-amz-acl, which must be signed.
    assert status == (200 if sign or place.tells else 403)
    anonymous, _, _ = place.send("GET", target, [("Host", urlsplit(place.url).netloc)])
    assert anonymous == 403 or status == 403


def test_unsigned_metadata_has_no_effect_under_any_name(place: Place) -> None:
    for name in ("x-amz-meta-a_b", "x-amz-meta-a-b"):
        status, _, body = place.ask("PUT", "/bucket/k", [], b"x", unsigned=[(name, "1")])
        assert status == 403
        assert b"not signed" in body


# several of one name


def test_an_objects_own_coding_may_come_beside_the_frames(place: Place) -> None:
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    given = [
        ("content-encoding", "gzip"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ]
    status, _, said = place.ask("PUT", "/bucket/gz", given, body, payload=UNSIGNED_CHUNKS)
    assert status == 200, said
    found = place.client.get_object(Bucket="bucket", Key="gz")
    assert (found["Body"].read(), found["ContentEncoding"]) == (b"hello", "gzip")


def test_attributes_may_be_asked_for_one_by_one(place: Place) -> None:
    place.client.put_object(Bucket="bucket", Key="k", Body=b"12345")
    given = [("x-amz-object-attributes", one) for one in ("ETag", " ObjectSize", "StorageClass ")]
    status, _, body = place.ask("GET", "/bucket/k?attributes", given)
    assert status == 200, body
    assert b"<ObjectSize>5</ObjectSize>" in body
    assert b"<ETag>" in body
    assert b"<StorageClass>" in body


def test_metadata_that_comes_twice_is_a_list(place: Place) -> None:
    given = [
        ("x-amz-meta-plain", "1"),
        ("x-amz-meta-a_b", "1"),
        ("x-amz-meta-plain", "2, 3"),
        ("x-amz-meta-a_b", "2"),
        ("Cache-Control", "no-cache"),
        ("Cache-Control", "private"),
    ]
    assert place.ask("PUT", "/bucket/twice", given, b"x")[0] == 200
    found = place.client.head_object(Bucket="bucket", Key="twice")
    assert found["Metadata"] == {"plain": "1,2, 3", "a_b": "1,2"}
    assert found["CacheControl"] == "no-cache,private"


def test_a_list_that_comes_on_one_line_is_as_it_was(place: Place) -> None:
    assert place.ask("PUT", "/bucket/one", [("x-amz-meta-a", "1, 2")], b"x")[0] == 200
    assert place.client.head_object(Bucket="bucket", Key="one")["Metadata"] == {"a": "1, 2"}


# the standard mode


def test_the_standard_mode_keeps_names_where_the_server_tells_them(place: Place) -> None:
    given = [
        ("Host", urlsplit(place.url).netloc),
        ("x-owncdn-key", place.secret),
        ("x-meta-uploaded_at", "now"),
        ("Content-Length", "1"),
    ]
    target = "/uploadfile?sid=bucket&path=standard"
    assert place.send("POST", target, given, b"x")[0] == 201
    kept = "uploaded_at" if place.tells else "uploaded-at"
    found = place.client.head_object(Bucket="bucket", Key="standard")["Metadata"]
    assert found == {kept: "now"}
    _, said, _ = place.send("GET", target.replace("uploadfile", "getfile"), given[:2])
    assert said[f"x-meta-{kept}"] == "now"


def test_a_key_under_another_name_is_none_where_the_server_tells(place: Place) -> None:
    given = [("Host", urlsplit(place.url).netloc), ("X_Owncdn_Key", place.secret)]
    status, _, _ = place.send("GET", "/servicelist", given)
    assert (status == 200) == (not place.tells)


def test_a_signed_value_that_the_server_drops_is_named(place: Place) -> None:
    if place.server != "granian":
        pytest.skip("it drops none")
    given = [("x-amz-meta-name", "gr\u00fcn".encode().decode("latin-1"))]
    status, _, body = place.ask("PUT", "/bucket/dropped", given, b"x")
    assert status == 403 and b"SignatureDoesNotMatch" in body
    assert b"The signed header x-amz-meta-name arrived empty: this server drops values" in body
    status, _, body = place.ask("PUT", "/bucket/dropped", [("x-amz-meta-name", "a")], b"x")
    assert status == 200

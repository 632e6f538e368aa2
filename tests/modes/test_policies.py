"""A language of policies, brought by a mode: what it denies is denied through every mode, for
the owner too, who can always look at it and remove it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from gateway.access.actions import ALL, OF_VERSION, POLICY
from gateway.access.evaluation import Compiled
from gateway.access.identity import ANONYMOUS
from gateway.access.rules import UNKNOWN
from gateway.config import ConfigurationError, load
from gateway.modes.s3 import operations
from gateway.modes.standard import functions
from gateway.plugins.finding import PluginError, Plugins
from gateway.telemetry.record import Record
from gateway.testing import Server
from tests.modes import policy_language
from tests.modes.policy_language import PARSED, PolicyPlugin

pytestmark = pytest.mark.usefixtures("sockets")

DECLARED = '''
[server]
trusted_proxies = ["127.0.0.1"]
[services.declared]
driver = "memory"
[services.declared.settings]
lines = """
deny * read,read-version secret/*
"""
'''
DIRECT = {"X-Forwarded-For": "10.0.0.1"}


class Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def error(self) -> str:
        found: str = json.loads(self.body)["error"] if self.status >= 400 else ""
        return found


class Gateway:
    """A test server with the mode of policies, where alice owns `bucket`. `seen` is what the
    proxy in front says of each request."""

    def __init__(self, server: Server) -> None:
        self.server, self.seen = server, dict(DIRECT)
        self._clients: dict[str, Any] = {}

    def s3(self, account: str = "alice") -> Any:
        if account not in self._clients:
            client = self.server.client(account=account, config=_once())
            client.meta.events.register("before-send.s3", self._pass_on)
            self._clients[account] = client
        return self._clients[account]

    def _pass_on(self, request: Any, **_: object) -> None:
        for name, value in self.seen.items():
            request.headers[name] = value

    def secret(self, account: str) -> str:
        return self.server.account(account).secret_key

    def standard(
        self,
        function: str,
        account: str = "alice",
        method: str = "GET",
        body: bytes = b"",
        **query: Any,
    ) -> Answer:
        headers = {"x-owncdn-key": self.secret(account)}
        return self.send(method, f"/{function}?{urlencode(query)}", headers, body)

    def policy(
        self,
        document: str | None = None,
        account: str = "alice",
        method: str = "",
        sid: str = "bucket",
    ) -> Answer:
        """Put it, or look at it; or what `method` says."""
        method = method or ("GET" if document is None else "PUT")
        headers = {"x-policy-key": self.secret(account)}
        return self.send(method, f"/{sid}", headers, (document or "").encode())

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, target, body, {**self.seen, **headers})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()


def _once() -> Any:
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1})


def plugins() -> Plugins:
    found = Plugins.load()
    found.register(PolicyPlugin(), "policies")
    return found


@pytest.fixture(scope="module")
def running(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    file = tmp_path_factory.mktemp("policies") / "gateway.toml"
    file.write_text(DECLARED, encoding="utf-8")
    with Server(config=file, plugins=plugins()) as server:
        yield Gateway(server)


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    """Emptied for each test; its clients stay."""
    running.server.reset()
    running.seen = dict(DIRECT)
    running.s3().create_bucket(Bucket="bucket")
    for key in ("open/a", "secret/a", "shared/a"):
        running.s3().put_object(Bucket="bucket", Key=key, Body=key.encode())
    return running


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """Whether it is AccessDenied. Any other error is one of the test."""
    try:
        call(**arguments)
    except ClientError as error:
        denied: bool = error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        if not denied:
            raise
        return True
    return False


def test_what_is_denied_through_s3_is_denied_through_standard_and_for_the_owner(
    gateway: Gateway,
) -> None:
    assert gateway.policy("deny * read,read-version secret/*").status == 200
    s3 = gateway.s3()
    for account in ("alice", "root"):
        for key in ("secret/a", "secret/none"):  # nor does anybody learn which one is there
            assert refused(gateway.s3(account).get_object, Bucket="bucket", Key=key)
            assert refused(gateway.s3(account).head_object, Bucket="bucket", Key=key)
            found = gateway.standard("getfile", account, sid="bucket", path=key)
            assert (found.status, found.error) == (403, "forbidden")
        assert not refused(gateway.s3(account).get_object, Bucket="bucket", Key="open/a")
        assert gateway.standard("getfile", account, sid="bucket", path="open/a").body == b"open/a"
    source = {"Bucket": "bucket", "Key": "secret/a"}
    assert refused(s3.copy_object, Bucket="bucket", Key="open/b", CopySource=source)
    assert not refused(s3.put_object, Bucket="bucket", Key="secret/b", Body=b"")
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 4
    assert gateway.policy(method="DELETE").body == b"True"
    assert not refused(s3.get_object, Bucket="bucket", Key="secret/a")
    assert gateway.policy().body == b""


def test_tags_are_copied_by_who_may_read_them(gateway: Gateway) -> None:
    s3 = gateway.s3()
    s3.put_object(Bucket="bucket", Key="shared/a", Body=b"", Tagging="color=red")
    gateway.policy("deny * read-tags,read-version-tags shared/a")
    copy = {"Bucket": "bucket", "Key": "copy"}
    tagged = {"Bucket": "bucket", "Key": "shared/a"}
    assert refused(s3.copy_object, **copy, CopySource=tagged)
    assert refused(s3.copy_object, **copy, CopySource=tagged, TaggingDirective="COPY")
    own = {"TaggingDirective": "REPLACE", "Tagging": "color=blue"}
    assert not refused(s3.copy_object, **copy, CopySource=tagged, **own)
    assert not refused(s3.copy_object, **copy, CopySource={**tagged, "Key": "open/a"})
    s3.put_object(Bucket="bucket", Key="shared/a", Body=b"")  # without tags nothing is read
    assert not refused(s3.copy_object, **copy, CopySource=tagged)
    gateway.policy("allow bob list,read,write,write-tags *")
    s3.put_object(Bucket="bucket", Key="shared/a", Body=b"", Tagging="color=red")
    assert refused(gateway.s3("bob").copy_object, **copy, CopySource=tagged)
    gateway.policy("allow bob list,read,write,write-tags,read-tags *")
    assert not refused(gateway.s3("bob").copy_object, **copy, CopySource=tagged)
    assert s3.get_object_tagging(**copy)["TagSet"] == [{"Key": "color", "Value": "red"}]


def test_who_is_given_something_gets_that_and_no_more(gateway: Gateway) -> None:
    bob = gateway.s3("bob")
    assert refused(bob.get_object, Bucket="bucket", Key="shared/a")
    assert gateway.standard("getfile", "bob", sid="bucket", path="shared/a").status == 404
    gateway.policy("allow bob list,read shared/*")
    assert not refused(bob.get_object, Bucket="bucket", Key="shared/a")
    assert refused(bob.get_object, Bucket="bucket", Key="open/a")
    assert refused(bob.put_object, Bucket="bucket", Key="shared/a")
    assert not refused(bob.list_objects_v2, Bucket="bucket", Prefix="shared/")
    assert refused(bob.list_objects_v2, Bucket="bucket")
    assert gateway.standard("getfile", "bob", sid="bucket", path="shared/a").status == 200
    assert gateway.standard("getfile", "bob", sid="bucket", path="open/a").error == "forbidden"
    assert gateway.standard("filelist", "bob", sid="bucket", prefix="shared/").status == 200
    assert gateway.standard("filelist", "bob", sid="bucket").error == "forbidden"
    # who may list a prefix is told what is missing there, and nothing of the rest
    for key, error in (("shared/none", "file_not_found"), ("open/none", "forbidden")):
        assert gateway.standard("getfile", "bob", sid="bucket", path=key).error == error
    gateway.policy("allow bob read,write *")  # without a list nothing is told to be missing
    for key in ("shared/none", "secret/none"):
        assert refused(bob.get_object, Bucket="bucket", Key=key)
        assert refused(bob.head_object, Bucket="bucket", Key=key)
        source = {"Bucket": "bucket", "Key": key}
        assert refused(bob.copy_object, Bucket="bucket", Key="copy", CopySource=source)
        assert gateway.standard("getfile", "bob", sid="bucket", path=key).error == "forbidden"
    # it is in his list, and in nobody else's
    for account, sids in (("bob", ["bucket"]), ("carol", [])):
        listed = json.loads(gateway.standard("servicelist", account).body)["services"]
        assert [one["sid"] for one in listed] == sids
    assert gateway.policy("deny * * *", "bob").status == 409
    assert gateway.policy(account="bob").status == 409


@pytest.mark.parametrize(
    ("policy", "good", "bad"),
    [
        (
            "deny * read,read-version,write * from 192.0.2.0/24",
            {"X-Forwarded-For": "10.0.0.1"},
            {"X-Forwarded-For": "192.0.2.7"},
        ),
        (
            "deny * read,read-version,write * outside 10.0.0.0/8",
            {"X-Forwarded-For": "10.0.0.1"},
            {"X-Forwarded-For": "192.0.2.7"},
        ),
        (
            "deny * read,read-version,write * plain",
            {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https"},
            {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "http"},
        ),
    ],
)
def test_conditions_on_address_and_tls_hold_through_both(
    gateway: Gateway, policy: str, good: dict[str, str], bad: dict[str, str]
) -> None:
    gateway.policy(policy)
    s3 = gateway.s3()
    for seen, denied in ((good, False), (bad, True), (good, False)):
        gateway.seen = seen
        assert refused(s3.get_object, Bucket="bucket", Key="open/a") is denied
        assert refused(s3.put_object, Bucket="bucket", Key="open/new", Body=b"1") is denied
        found = gateway.standard("getfile", sid="bucket", path="open/a")
        assert (found.status == 403) is denied
        put = gateway.standard("uploadfile", method="PUT", body=b"2", sid="bucket", path="open/2")
        assert (put.status == 403) is denied
        assert not refused(s3.list_objects_v2, Bucket="bucket")


def test_an_allowance_with_a_condition_shows_the_service_where_that_holds_only(
    gateway: Gateway,
) -> None:
    gateway.policy("allow bob read * from 192.0.2.0/24")
    for address, status in (("192.0.2.1", 200), ("10.0.0.1", 404)):
        gateway.seen = {"X-Forwarded-For": address}
        assert gateway.standard("getfile", "bob", sid="bucket", path="open/a").status == status
        listed = json.loads(gateway.standard("servicelist", "bob").body)["services"]
        assert bool(listed) is (status == 200)


def test_who_denies_everything_can_still_look_replace_it_and_take_it_back(gateway: Gateway) -> None:
    assert gateway.policy("deny * * *").status == 200
    s3 = gateway.s3()
    assert refused(s3.list_objects_v2, Bucket="bucket")
    assert refused(s3.delete_bucket, Bucket="bucket")
    assert refused(s3.put_bucket_acl, Bucket="bucket", ACL="public-read")
    for account in ("root", "bob"):  # whatever their keys may do elsewhere
        assert gateway.policy(account=account).status == 409
        assert gateway.policy(account=account, method="DELETE").status == 409
    assert gateway.policy("deny * * *").status == 200  # it may be replaced, too
    assert gateway.policy().body == b"deny * * *"
    assert gateway.policy(method="DELETE").body == b"True"
    assert not refused(s3.list_objects_v2, Bucket="bucket")


def test_a_policy_is_parsed_once_and_counts_at_once(gateway: Gateway) -> None:
    s3, before = gateway.s3(), len(PARSED)
    for number in range(3):
        gateway.policy(f"deny * read none-{number}/*")
        for _ in range(5):
            s3.get_object(Bucket="bucket", Key="open/a")
            gateway.standard("getfile", sid="bucket", path="open/a")
        gateway.server.account(f"somebody-{number}")  # the catalog changes, and not the policy
        s3.get_object(Bucket="bucket", Key="open/a")
    assert len(PARSED) - before == 6, "on its way in, and when it is first asked for"


def test_the_list_of_all_requests_leaves_out_what_is_denied(gateway: Gateway) -> None:
    """Also for keys that see everybody's. The test server keeps no list: it is given one."""
    gateway.s3().create_bucket(Bucket="other")
    stage = gateway.server._stage
    for number, sid in enumerate(("bucket", "other", "", "gone")):
        record = Record(f"{number:016}", "GET", "/", "")
        record.sid, record.operation = sid, "GetObject"
        stage.requests.add([record])

    def shown() -> set[str]:
        listed = json.loads(gateway.standard("reqlist", "root").body)["requests"]
        return {one["sid"] or "" for one in listed}

    assert shown() == {"bucket", "other", "", "gone"}
    gateway.policy("deny * read-requests *")
    assert shown() == {"other", "", "gone"}


def test_what_is_no_policy_changes_nothing(gateway: Gateway) -> None:
    gateway.policy("deny * read secret/*")
    for document in ("deny", "deny * everything *", "allow * read * by magic"):
        assert gateway.policy(document).status == 400
    assert gateway.policy().body == b"deny * read secret/*"
    assert refused(gateway.s3().get_object, Bucket="bucket", Key="secret/a")


def test_a_bucket_that_is_made_again_has_nothing_of_the_one_before(gateway: Gateway) -> None:
    gateway.policy("allow * list,read *")
    s3, bob = gateway.s3(), gateway.s3("bob")
    assert not refused(bob.list_objects_v2, Bucket="bucket")
    for key in ("open/a", "secret/a", "shared/a"):
        s3.delete_object(Bucket="bucket", Key=key)
    s3.delete_bucket(Bucket="bucket")
    s3.create_bucket(Bucket="bucket")
    assert refused(bob.list_objects_v2, Bucket="bucket")
    assert gateway.policy().body == b""


def test_what_the_configuration_says_wins_and_stays(gateway: Gateway) -> None:
    root = gateway.s3("root")
    for key in ("secret/a", "open/a"):
        root.put_object(Bucket="declared", Key=key, Body=b"")
    assert refused(root.get_object, Bucket="declared", Key="secret/a")
    assert not refused(root.get_object, Bucket="declared", Key="open/a")
    for method in ("PUT", "DELETE"):
        answer = gateway.policy("deny * read *", "root", method, "declared")
        assert answer.status == 409
        assert b"services.declared.settings.lines" in answer.body
    found = gateway.policy(account="root", sid="declared").body
    assert found == b"deny * read,read-version secret/*\n"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('linez = ""', "services.declared.settings.linez: unknown setting. Did you mean"),
        ("lines = 1", "services.declared.settings.lines: found 1; allowed: the document as text"),
        ('lines = "deny"', "services.declared.settings.lines: 'deny': no rule"),
    ],
)
def test_a_setting_that_cannot_be_is_said_at_the_start(
    tmp_path: Path, settings: str, message: str
) -> None:
    file = tmp_path / "gateway.toml"
    table = f'[services.declared]\ndriver = "memory"\n[services.declared.settings]\n{settings}\n'
    file.write_text(f"[server]\nmemory = true\n{table}", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(file, environ={}, plugins=plugins())
    assert message in str(caught.value)


def test_a_kind_belongs_to_one_mode() -> None:
    found = plugins()
    with pytest.raises(PluginError, match='mode "policies" exists already'):
        found.register(PolicyPlugin(), "others")


# objects that are made with more than bytes, and many at once


def test_what_an_object_is_given_needs_to_be_allowed_too(gateway: Gateway) -> None:
    s3 = gateway.s3()
    gateway.policy("deny * write-tags,write-new-acl *")
    put = {"Bucket": "bucket", "Key": "new", "Body": b"1"}
    assert not refused(s3.put_object, **put)
    assert not refused(s3.put_object, **put, ACL="private")
    assert refused(s3.put_object, **put, ACL="public-read")
    assert refused(s3.put_object, **put, Tagging="a=b")
    assert refused(s3.create_multipart_upload, Bucket="bucket", Key="new", Tagging="a=b")
    source = {"Bucket": "bucket", "Key": "open/a"}
    copy = {"Bucket": "bucket", "Key": "new", "CopySource": source}
    assert not refused(s3.copy_object, **copy)
    assert refused(s3.copy_object, **copy, ACL="public-read")


def test_of_many_keys_each_is_decided(gateway: Gateway) -> None:
    gateway.policy("deny * delete secret/*")
    keys = [{"Key": key} for key in ("open/a", "secret/a", "shared/a", "secret/none")]
    done = gateway.s3().delete_objects(Bucket="bucket", Delete={"Objects": keys})
    assert [one["Key"] for one in done["Deleted"]] == ["open/a", "shared/a"]
    assert {(one["Key"], one["Code"]) for one in done["Errors"]} == {
        ("secret/a", "AccessDenied"),
        ("secret/none", "AccessDenied"),
    }


# the modes' tables are true: each operation needs its action, and that is enough

HERE = {"Bucket": "bucket", "Key": "open/a"}
PART = {**HERE, "PartNumber": 1}
PARTS = {"Parts": [{"PartNumber": 1, "ETag": '"c4ca4238a0b923820dcc509a6f75849b"'}]}
SOURCE = {"CopySource": {"Bucket": "bucket", "Key": "shared/a"}}
ALSO: dict[str, set[str]] = {
    "CopyObject": {"read", "read-version"},
    "UploadPartCopy": {"read", "read-version"},
    "GetObjectAttributes": {"read"},
}
"""What else a call needs, that the table says `Access` asks for by itself."""

CALLS: dict[str, Callable[[Any, str], Any]] = {
    "DeleteBucket": lambda s3, _: s3.delete_bucket(Bucket="bucket"),
    "HeadBucket": lambda s3, _: s3.head_bucket(Bucket="bucket"),
    "GetBucketLocation": lambda s3, _: s3.get_bucket_location(Bucket="bucket"),
    "GetBucketVersioning": lambda s3, _: s3.get_bucket_versioning(Bucket="bucket"),
    "PutBucketVersioning": lambda s3, _: s3.put_bucket_versioning(
        Bucket="bucket", VersioningConfiguration={"Status": "Enabled"}
    ),
    "GetBucketAcl": lambda s3, _: s3.get_bucket_acl(Bucket="bucket"),
    "PutBucketAcl": lambda s3, _: s3.put_bucket_acl(Bucket="bucket", ACL="private"),
    "GetBucketTagging": lambda s3, _: _or_none(s3.get_bucket_tagging),
    "PutBucketTagging": lambda s3, _: s3.put_bucket_tagging(
        Bucket="bucket", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "DeleteBucketTagging": lambda s3, _: s3.delete_bucket_tagging(Bucket="bucket"),
    "ListObjects": lambda s3, _: s3.list_objects(Bucket="bucket"),
    "ListObjectsV2": lambda s3, _: s3.list_objects_v2(Bucket="bucket"),
    "ListObjectVersions": lambda s3, _: s3.list_object_versions(Bucket="bucket"),
    "ListMultipartUploads": lambda s3, _: s3.list_multipart_uploads(Bucket="bucket"),
    "DeleteObjects": lambda s3, _: _deleted(s3),
    "PutObject": lambda s3, _: s3.put_object(**HERE, Body=b""),
    "CopyObject": lambda s3, _: s3.copy_object(**HERE, **SOURCE),
    "GetObject": lambda s3, _: s3.get_object(**HERE),
    "HeadObject": lambda s3, _: s3.head_object(**HERE),
    "DeleteObject": lambda s3, _: s3.delete_object(**HERE),
    "GetObjectAttributes": lambda s3, _: s3.get_object_attributes(
        **HERE, ObjectAttributes=["ETag"]
    ),
    "GetObjectAcl": lambda s3, _: s3.get_object_acl(**HERE),
    "PutObjectAcl": lambda s3, _: s3.put_object_acl(**HERE, ACL="private"),
    "GetObjectTagging": lambda s3, _: s3.get_object_tagging(**HERE),
    "PutObjectTagging": lambda s3, _: s3.put_object_tagging(
        **HERE, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "DeleteObjectTagging": lambda s3, _: s3.delete_object_tagging(**HERE),
    "GetObjectAnnotation": lambda s3, _: s3.get_object_annotation(**HERE, AnnotationName="there"),
    "ListObjectAnnotations": lambda s3, _: s3.list_object_annotations(**HERE),
    "PutObjectAnnotation": lambda s3, _: s3.put_object_annotation(
        **HERE, AnnotationName="new", AnnotationPayload=b"1"
    ),
    "DeleteObjectAnnotation": lambda s3, _: s3.delete_object_annotation(
        **HERE, AnnotationName="there"
    ),
    "CreateMultipartUpload": lambda s3, _: s3.create_multipart_upload(**HERE),
    "UploadPart": lambda s3, upload: s3.upload_part(**PART, UploadId=upload, Body=b"1"),
    "UploadPartCopy": lambda s3, upload: s3.upload_part_copy(**PART, **SOURCE, UploadId=upload),
    "ListParts": lambda s3, upload: s3.list_parts(**HERE, UploadId=upload),
    "CompleteMultipartUpload": lambda s3, upload: s3.complete_multipart_upload(
        **HERE, UploadId=upload, MultipartUpload=PARTS
    ),
    "AbortMultipartUpload": lambda s3, upload: s3.abort_multipart_upload(**HERE, UploadId=upload),
}


def _or_none(get: Callable[..., Any]) -> None:
    """A setting, or the answer that there is none."""
    try:
        get(Bucket="bucket")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise


def _deleted(s3: Any) -> None:
    objects = {"Objects": [{"Key": "open/a"}]}
    for error in s3.delete_objects(Bucket="bucket", Delete=objects).get("Errors", ()):
        response = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(response, "DeleteObjects")


TABLE = {one.name: one.action for one in operations.TABLE if one.action is not None}


@pytest.fixture
def upload(gateway: Gateway) -> str:
    s3 = gateway.s3()
    s3.put_object_annotation(**HERE, AnnotationName="there", AnnotationPayload=b"1")
    found: str = s3.create_multipart_upload(**HERE)["UploadId"]
    s3.upload_part(**PART, UploadId=found, Body=b"1")
    return found


def test_each_call_is_one_of_the_table() -> None:
    assert CALLS.keys() <= TABLE.keys()


@pytest.mark.parametrize("name", CALLS)
def test_an_operation_needs_the_action_of_the_table_and_no_other(
    gateway: Gateway, upload: str, name: str
) -> None:
    s3, action = gateway.s3(), TABLE[name]
    if name == "DeleteBucket":
        for key in ("open/a", "secret/a", "shared/a"):
            s3.delete_object(Bucket="bucket", Key=key)
    gateway.policy(f"deny * {action} *")
    assert refused(_call(name, s3, upload))
    gateway.policy(method="DELETE")
    others = ALL - {action} - ALSO.get(name, set())
    gateway.policy(f"deny * {','.join(sorted(others))} *")
    assert not refused(_call(name, s3, upload))


def test_all_other_operations_are_denied_by_their_action_alone(gateway: Gateway) -> None:
    """Whatever else is wrong with the request: who may is told of that."""
    for one in operations.TABLE:
        if one.name in CALLS or one.action is None:
            continue
        gateway.policy(f"deny * {one.action} *")
        denied = one.action not in POLICY  # which its owner may always look at and change
        assert (_asked(gateway, one).status == 403) is denied, one.name
        gateway.policy(f"deny * {','.join(sorted(ALL - {one.action}))} *")
        assert _asked(gateway, one).status != 403, one.name


def _asked(gateway: Gateway, operation: operations.Operation) -> Answer:
    """The operation of a bucket or an object, with what it takes to be found."""
    path = "/bucket/open/a" if operation.scope == "object" else "/bucket"
    query = "&".join(one if "=" in one else f"{one}=" for one in operation.query)
    account = gateway.server.account("alice")
    url, body = f"http://127.0.0.1:{gateway.server.port}{path}?{query}", b"<None/>"
    request = AWSRequest(operation.method, url, data=body if operation.body else b"")
    keys = Credentials(account.access_key, account.secret_key)
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    target = f"{path}?{query}"
    return gateway.send(operation.method, target, dict(request.headers.items()), request.data)


def _call(name: str, s3: Any, upload: str) -> Callable[[], Any]:
    return lambda: CALLS[name](s3, upload)


def test_a_version_that_is_named_has_actions_of_its_own(gateway: Gateway) -> None:
    s3 = gateway.s3()
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(**HERE, Body=b"2")["VersionId"]
    named = {**HERE, "VersionId": version}
    calls = {
        "read": s3.get_object,
        "read-tags": s3.get_object_tagging,
        "read-acl": s3.get_object_acl,
        "delete-tags": s3.delete_object_tagging,
        "delete": s3.delete_object,
    }
    for action, call in calls.items():
        gateway.policy(f"deny * {OF_VERSION[action]} *")  # type: ignore[index]  # one of them
        assert refused(call, **named)
        if action != "delete":
            assert not refused(call, **HERE)
        gateway.policy(f"deny * {action} *")
        assert refused(call, **HERE)
        assert not refused(call, **named)
        gateway.policy(method="DELETE")


FUNCTIONS: dict[str, dict[str, Any]] = {
    "filelist": {},
    "getfile": {"path": "open/a"},
    "uploadfile": {"path": "open/a", "method": "PUT", "body": b"1"},
    "deletefile": {"path": "open/a", "method": "POST"},
    "flush": {"method": "POST"},
    "versionlist": {"path": "open/a"},
    "syncnext": {},
    "reqlist": {},
}


def test_each_function_is_called_here() -> None:
    assert FUNCTIONS.keys() == {one.name for one in functions.TABLE if one.action is not None}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_needs_the_action_of_the_table_and_no_other(gateway: Gateway, name: str) -> None:
    action = functions.BY_NAME[name].action
    gateway.policy(f"deny * {action} *")
    answer = gateway.standard(name, sid="bucket", **FUNCTIONS[name])
    assert (answer.status, answer.error) == (403, "forbidden")
    gateway.policy(method="DELETE")
    shown = {"list"}  # of a service that it may not see nobody learns that it is there
    gateway.policy(f"deny * {','.join(sorted(ALL - {str(action)} - shown))} *")
    answer = gateway.standard(name, sid="bucket", **FUNCTIONS[name])
    assert answer.status in (200, 201, 501), answer


@pytest.mark.parametrize("condition", ["from 192.0.2.0/24", "outside 192.0.2.0/24", "plain"])
def test_what_is_unknown_never_allows(condition: str) -> None:
    allow, deny = f"allow * read * {condition}", f"deny * read * {condition}"
    for policy, verdict in ((allow, "none"), (f"allow * read *\n{deny}", "deny")):
        compiled = Compiled(policy_language.parse(policy), ANONYMOUS)
        assert compiled.decide("read", "k", UNKNOWN).verdict == verdict


def test_the_language_is_as_small_as_it_says() -> None:
    assert len(policy_language.parse("deny * read *\n\nallow bob list,read a/* plain\n")) == 2

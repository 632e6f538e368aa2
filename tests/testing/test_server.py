"""The in-memory test server, as somebody else's suite uses it: by its fixtures and real clients."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from drivers.memory import Memory
from gateway.plugins.finding import Plugins
from gateway.storage import Full, NoSuchStore, Put
from gateway.testing import Fault, Server
from tests.tiny_mode import TinyMode

pytestmark = pytest.mark.usefixtures("sockets", "processes")

ONCE = Config(retries={"total_max_attempts": 1})


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def body(client: Any, bucket: str, key: str) -> bytes:
    data: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


@pytest.fixture
def server(gateway_empty: Server) -> Server:
    gateway_empty.seed({"photos": {"cat.jpg": b"meow"}})
    return gateway_empty


@pytest.fixture
def once(server: Server) -> Any:
    """A client that does not try again."""
    return server.client(config=ONCE)


# what a test gets


def test_objects_are_seeded_in_one_line_and_read_back() -> None:
    options = Put(content_type="text/plain", metadata={"colour": "red"})
    with Server(buckets={"one": {"a/b": b"1", "text": "ü", "full": (b"2", options)}}) as server:
        s3 = server.client()
        assert body(s3, "one", "text") == "ü".encode()
        head = s3.head_object(Bucket="one", Key="full")
        assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"colour": "red"})
        assert server.objects("one") == {"a/b": b"1", "full": b"2", "text": "ü".encode()}


def test_a_client_and_the_server_see_the_same(gateway_s3: Any, gateway_server: Server) -> None:
    gateway_s3.create_bucket(Bucket="mine")
    gateway_s3.put_object(Bucket="mine", Key="k", Body=b"v")
    assert gateway_server.objects("mine") == {"k": b"v"}


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_begins_with_nothing(gateway_s3: Any, gateway_server: Server, turn: int) -> None:
    assert gateway_s3.list_buckets()["Buckets"] == []
    assert [one.operation for one in gateway_server.requests()] == ["ListBuckets"]
    gateway_s3.create_bucket(Bucket="left-behind")
    gateway_server.fail()


def test_a_reset_brings_back_what_was_given() -> None:
    with Server(buckets={"one": {"k": b"v"}}) as server:
        server.client().delete_object(Bucket="one", Key="k")
        server.seed({"two": {}})
        server.reset()
        assert server.objects("one") == {"k": b"v"}
        with pytest.raises(NoSuchStore):
            server.objects("two")


def test_signatures_are_real(server: Server) -> None:
    wrong = server.client(aws_secret_access_key="wrong", config=ONCE)
    with pytest.raises(ClientError) as caught:
        wrong.list_buckets()
    assert code(caught) == "SignatureDoesNotMatch"


def test_accounts_are_strangers_to_each_other(server: Server) -> None:
    alice = server.client(account="alice")
    with pytest.raises(ClientError) as caught:
        body(alice, "photos", "cat.jpg")
    assert code(caught) == "AccessDenied"
    alice.create_bucket(Bucket="hers")
    assert [one["Name"] for one in alice.list_buckets()["Buckets"]] == ["hers"]
    server.reset()
    assert alice.list_buckets()["Buckets"] == []  # her key is good after a reset too


def test_a_key_may_do_what_it_was_made_for(server: Server) -> None:
    server.account("reader", access={"photos": "read"})
    reader = server.client(account="reader")
    assert body(reader, "photos", "cat.jpg") == b"meow"
    with pytest.raises(ClientError) as caught:
        reader.put_object(Bucket="photos", Key="cat.jpg", Body=b"")
    assert code(caught) == "AccessDenied"


def test_several_servers_run_at_once_and_know_nothing_of_each_other() -> None:
    with Server(buckets={"one": {}}) as first, Server() as second:
        assert first.port != second.port
        assert second.client().list_buckets()["Buckets"] == []
        stranger = second.client(
            aws_access_key_id=first.access_key, aws_secret_access_key=first.secret_key
        )
        with pytest.raises(ClientError) as caught:
            stranger.list_buckets()
        assert code(caught) == "InvalidAccessKeyId"


def test_the_environment_leads_boto3_and_the_command_here(gateway_env: Server) -> None:
    import boto3

    gateway_env.seed({"photos": {"cat.jpg": b"meow"}})
    assert body(boto3.client("s3"), "photos", "cat.jpg") == b"meow"
    assert os.environ["AWS_ENDPOINT_URL"] == gateway_env.endpoint_url


def test_a_server_that_does_not_run_says_so() -> None:
    server = Server()
    with pytest.raises(RuntimeError, match="does not run"):
        _ = server.endpoint_url
    with server, pytest.raises(RuntimeError, match="runs already"):
        server.start()
    server.stop()


def test_no_secret_is_in_a_repr(server: Server) -> None:
    alice = server.account("alice")
    assert alice.secret_key not in repr(alice)
    server.client().list_buckets()
    assert server.secret_key not in repr(server.requests()[0])


def test_services_are_declared_as_in_a_configuration() -> None:
    services = {"kept": {"driver": "memory", "keep_versions": "forever"}}
    with Server(services=services) as server:
        s3 = server.client()
        assert s3.get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"


def test_a_configuration_file_declares_too(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[services.kept]\ndriver = "local"\n')
    with Server(config=file) as server:
        server.client().put_object(Bucket="kept", Key="k", Body=b"v")
        assert server.objects("kept") == {"k": b"v"}


def test_no_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gateway.toml").write_text("not = [TOML")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_CONFIG", "nowhere.toml")
    Server()


def test_plugins_may_be_ones_own() -> None:
    plugins = Plugins.load()
    assert plugins.drivers["memory"].kind is Memory
    with Server(plugins=plugins) as server:
        server.client().list_buckets()


# what was asked


def test_requests_are_recorded(server: Server) -> None:
    body(server.client(), "photos", "cat.jpg")
    with pytest.raises(ClientError):
        body(server.client(), "photos", "dög/1.jpg")
    first, second = server.requests("GetObject")
    assert (first.method, first.path, first.bucket) == ("GET", "/photos/cat.jpg", "photos")
    assert (first.key, first.status, first.code) == ("cat.jpg", 200, "")
    assert (second.key, second.status, second.code) == ("dög/1.jpg", 404, "NoSuchKey")
    assert first.access_key == server.access_key
    assert server.requests(key="d*") == [second]
    assert server.requests("PutObject") == []


def test_what_is_recorded_has_no_secret(server: Server) -> None:
    s3 = server.client()
    s3.list_objects_v2(Bucket="photos", Prefix="c")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "cat.jpg"})
    key = "k" * 32
    s3.put_object(
        Bucket="photos", Key="c", Body=b"", SSECustomerAlgorithm="AES256", SSECustomerKey=key
    )
    import urllib.request

    assert urllib.request.urlopen(url).read() == b"meow"
    listing, put, presigned = server.requests()
    assert listing.headers["authorization"] == "(hidden)"
    assert "prefix=c" in listing.query and "list-type=2" in listing.query
    assert put.headers["x-amz-server-side-encryption-customer-key"] == "(hidden)"
    assert "X-Amz-Signature=(hidden)" in presigned.query and "X-Amz-Date=2" in presigned.query


# what goes wrong


def test_a_client_that_tries_again_survives_a_503(server: Server) -> None:
    fault = server.fail(operation="GetObject", times=1)
    assert body(server.client(), "photos", "cat.jpg") == b"meow"
    assert [one.status for one in server.requests("GetObject")] == [503, 200]
    assert fault.hits == 1


@pytest.mark.parametrize(
    ("operation", "meant"),
    [
        ("GetObjekt", ' Did you mean "GetObject"?'),
        ("getobject", ' Did you mean "GetObject" or "getObject"?'),
        ("uploadfiel", ' Did you mean "uploadfile"?'),
        ("Git*", ""),
        ("GetObject??", ' Did you mean "GetObject"?'),
        ("", ""),
    ],
)
def test_an_operation_that_nobody_has_is_refused(
    server: Server, operation: str, meant: str
) -> None:
    said = re.escape(f'No operation is called "{operation}".{meant}') + "$"
    faults: list[Callable[..., Fault]] = [
        server.fail,
        server.cut,
        partial(server.slow, 1),
        partial(server.skew, 1),
    ]
    for fault in faults:
        with pytest.raises(ValueError, match=said):
            fault(operation=operation)
    if operation:
        with pytest.raises(ValueError, match=said):
            server.requests(operation)


@pytest.mark.parametrize(
    "operation", ["GetObject", "Get*", "*Object?", "uploadfile", "get????", "*"]
)
def test_operations_of_every_mode_can_be_named(server: Server, operation: str) -> None:
    server.fail(operation=operation).remove()
    assert server.requests(operation) == []


def test_a_mode_that_does_not_say_its_operations_may_have_any() -> None:
    plugins = Plugins.load()
    plugins.modes["tiny"] = TinyMode()
    with Server(plugins=plugins) as server:
        server.fail(operation="sleep").remove()


def test_any_error_can_be_asked_for_and_nothing_is_done(server: Server, once: Any) -> None:
    with server.fail(Full(), operation="Put*", key="*.jpg") as fault:
        with pytest.raises(ClientError) as caught:
            once.put_object(Bucket="photos", Key="dog.jpg", Body=b"woof")
        once.put_object(Bucket="photos", Key="dog.txt", Body=b"woof")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    once.put_object(Bucket="photos", Key="dog2.jpg", Body=b"")
    assert fault.hits == 1
    assert "dog.jpg" not in server.objects("photos")


def test_a_fault_strikes_after_the_signature_was_checked(server: Server) -> None:
    server.fail()
    wrong = server.client(aws_secret_access_key="wrong", config=ONCE)
    with pytest.raises(ClientError) as caught:
        wrong.list_buckets()
    assert code(caught) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("operation", ["CreateBucket", "ListBuckets", "DeleteBucket", "CopyObject"])
def test_every_kind_of_operation_can_fail(server: Server, once: Any, operation: str) -> None:
    server.seed({"other": {}})
    fault = server.fail(operation=operation)
    calls = {
        "CreateBucket": lambda: once.create_bucket(Bucket="new"),
        "ListBuckets": once.list_buckets,
        "DeleteBucket": lambda: once.delete_bucket(Bucket="other"),
        "CopyObject": lambda: once.copy_object(
            Bucket="other", Key="k", CopySource="photos/cat.jpg"
        ),
    }
    with pytest.raises(ClientError) as caught:
        calls[operation]()
    assert (code(caught), fault.hits) == ("SlowDown", 1)
    assert server.objects("other") == {}


def test_a_slow_answer_holds_up_nobody_else(server: Server) -> None:
    fault = server.slow(30, key="cat.jpg", times=1)
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(body(server.client(), "photos", "cat.jpg"))
    )
    waiting.start()
    while not fault.hits:
        pass
    server.seed({"photos": {"dog.jpg": b"woof"}})
    assert body(server.client(config=ONCE), "photos", "dog.jpg") == b"woof"
    assert not answers
    server._faults.clear()  # who is being delayed goes on
    waiting.join(30)
    assert answers == [b"meow"]


def test_an_answer_is_cut_before_it_begins_though_all_was_done(server: Server, once: Any) -> None:
    server.cut(operation="PutObject", times=1)
    with pytest.raises(ConnectionClosedError):
        once.put_object(Bucket="photos", Key="dog.jpg", Body=b"woof")
    assert server.objects("photos")["dog.jpg"] == b"woof"


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_an_answer_is_cut_in_its_body(server: Server, once: Any, size: int) -> None:
    server.seed({"photos": {"large": b"x" * size}})
    server.cut(500, key="large", times=1)
    answer = once.get_object(Bucket="photos", Key="large")
    with pytest.raises(ResponseStreamingError):
        answer["Body"].read()
    assert len(body(once, "photos", "large")) == size


def test_clocks_may_differ(server: Server, once: Any) -> None:
    with server.skew(3600), pytest.raises(ClientError) as caught:
        once.list_buckets()
    assert code(caught) == "RequestTimeTooSkewed"
    with server.skew(-600):  # within the 15 minutes that are allowed
        once.list_buckets()


# as a plugin of pytest

SUITE = """
import os, pytest

@pytest.mark.parametrize("number", range(6))
def test_alone(gateway_s3, number):
    assert gateway_s3.list_buckets()["Buckets"] == []
    gateway_s3.create_bucket(Bucket=f"bucket-{number}")
    gateway_s3.put_object(Bucket=f"bucket-{number}", Key="k", Body=b"v")

def test_environment(gateway_env):
    import boto3
    boto3.client("s3").create_bucket(Bucket="mine")
    assert gateway_env.objects("mine") == {}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[list[str]]:
    (tmp_path / "test_theirs.py").write_text(SUITE)
    yield [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_fixtures_come_with_the_package(suite: list[str], workers: str) -> None:
    done = subprocess.run(
        [*suite, "-n", workers], capture_output=True, text=True, cwd=suite[-1], timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def test_without_boto3_it_is_said_what_to_install(suite: list[str]) -> None:
    """The interpreter refuses to import it, as if it were not there."""
    hidden = "import sys; sys.modules['boto3'] = None; import pytest; sys.exit(pytest.main())"
    command = [sys.executable, "-c", hidden, *suite[3:]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=suite[-1], timeout=120)
    assert done.returncode == 1
    assert "ImportError: gateway_s3 needs boto3: pip install boto3" in done.stdout


def test_a_suite_that_does_not_use_them_does_not_import_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    assert 'gateway.pytest_plugin' in sys.modules\n"
        "    assert not {'gateway.testing', 'gateway.storage', 'sqlalchemy'} & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr

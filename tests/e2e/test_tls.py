"""TLS by the gateway itself, with a certificate that the test makes.

Over TLS boto3 sends uploads as unsigned chunks with a checksum behind them
(STREAMING-UNSIGNED-PAYLOAD-TRAILER), which over plain HTTP it never does.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.testing.certificates import certificate
from tests.e2e.conftest import Running, serving
from tests.e2e.raw import GUARD, UNSIGNED_CHUNKS, chunk, exchange, log_of, signed
from tests.e2e.test_clients import aws

not_for_windows = pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")
MIB = 1 << 20
PAYLOAD = "x-amz-content-sha256"


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1 that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway under test")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


def _usage() -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in {"digital_signature", "key_cert_sign"} for name in names})


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("granian", marks=not_for_windows),
        pytest.param("granian by name", marks=not_for_windows),
        "waitress by name",
    ],
)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """With a certificate for 127.0.0.1; by name, with another for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    files = [write_certificate(folder)]
    server, _, by_name = request.param.partition(" ")
    if by_name:
        files.append(certificate(folder))
    tls = ", ".join(f"{{ certificate = '{one}', key = '{key}' }}" for one, key in files)
    options = ("--server", server, "--workers", "1")
    with serving(folder, *options, config=f"[server]\ntls = [{tls}]\n", scheme="https") as running:
        running.environment["AWS_CA_BUNDLE"] = str(files[0][0])
        yield running
        assert "Traceback" not in log_of(running)


def certificate_of(gateway: Running) -> str:
    return gateway.environment["AWS_CA_BUNDLE"]


@pytest.fixture
def client(gateway: Running) -> Any:
    return gateway.client(verify=certificate_of(gateway))


@pytest.fixture
def bucket(client: Any, request: pytest.FixtureRequest) -> str:
    name = f"b{abs(hash(request.node.nodeid)) % 10**12}"
    client.create_bucket(Bucket=name)
    return name


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("size", [0, 1, 100_000, 3 * MIB])
def test_boto3_puts_with_a_checksum_behind_the_body(client: Any, bucket: str, size: int) -> None:
    data, sent = os.urandom(size), []
    client.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(request.headers[PAYLOAD])
    )
    put = client.put_object(Bucket=bucket, Key="k", Body=data)
    assert sent in ([UNSIGNED_CHUNKS], [UNSIGNED_CHUNKS.encode()])
    assert put["ChecksumCRC32"] == crc32(data)
    found = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["ChecksumCRC32"] == crc32(data)
    assert found["Body"].read() == data


def test_boto3_uploads_in_parts(client: Any, bucket: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(12 * MIB))
    client.upload_file(str(source), bucket, "large")
    client.download_file(bucket, "large", str(target))
    assert source.read_bytes() == target.read_bytes()
    assert client.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-2"')


@pytest.mark.skipif(find_spec("awscli") is None, reason="the AWS CLI is not there")
def test_the_aws_command_line_copies(gateway: Running, client: Any, bucket: str) -> None:
    source = gateway.folder / "to copy"
    source.write_bytes(b"by the command line")
    aws(gateway, "s3", "cp", str(source), f"s3://{bucket}/copied")
    found = client.get_object(Bucket=bucket, Key="copied")["Body"].read()
    assert found == b"by the command line"


def test_a_client_that_does_not_know_the_certificate_refuses(gateway: Running) -> None:
    with pytest.raises(SSLError):
        gateway.client(verify=True).list_buckets()


def connect(gateway: Running) -> HTTPSConnection:
    context = ssl.create_default_context(cafile=certificate_of(gateway))
    return HTTPSConnection(urlsplit(gateway.url).netloc, timeout=GUARD, context=context)


def trailing(gateway: Running, target: str, data: bytes, checksum: str) -> tuple[int, bytes]:
    """Put these bytes with this checksum behind them: the answer's status and body."""
    body = (chunk(data) if data else b"") + (
        b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % checksum.encode()
    )
    headers = {
        "Content-Length": str(len(body)),
        "X-Amz-Decoded-Content-Length": str(len(data)),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    connection = connect(gateway)
    headers = signed(gateway.url, "PUT", target, headers, payload=UNSIGNED_CHUNKS)
    answer = exchange(connection, "PUT", target, body, headers)
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("size", [0, 10, 2 * MIB])
def test_a_wrong_checksum_behind_the_body_stores_nothing(
    gateway: Running, client: Any, bucket: str, size: int
) -> None:
    data = os.urandom(size)
    client.put_object(Bucket=bucket, Key="old", Body=b"older object")
    for key in ("new", "old"):
        status, answer = trailing(gateway, f"/{bucket}/{key}", data, crc32(data + b"!"))
        assert status == 400
        assert b"<Code>BadDigest</Code>" in answer
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=bucket, Key="new")
    assert client.get_object(Bucket=bucket, Key="old")["Body"].read() == b"older object"
    assert trailing(gateway, f"/{bucket}/new", data, crc32(data))[0] == 200


@pytest.mark.parametrize(("name", "status"), [("", 200), ("-not-there", 404)])
def test_a_client_that_waits_is_told_to_go_on_only_when_it_may(
    gateway: Running, bucket: str, name: str, status: int
) -> None:
    if "on waitress" in log_of(gateway):
        pytest.skip("waitress tells everybody to go on")
    target = f"/{bucket}{name}/k"
    headers = {"Content-Length": "5", "Expect": "100-continue"}
    headers = signed(gateway.url, "PUT", target, headers)
    connection = connect(gateway)
    connection.putrequest("PUT", target, skip_host=True, skip_accept_encoding=True)
    for header, value in headers.items():
        connection.putheader(header, value)
    connection.endheaders()
    first = connection.sock.recv(4096)
    if status == 200:
        assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sock.sendall(b"hello")
        first = connection.sock.recv(4096)
    assert first.startswith(b"HTTP/1.1 %d " % status)
    connection.close()


def test_clients_get_the_certificate_of_the_name_that_they_ask_for(
    gateway: Running, client: Any, bucket: str
) -> None:
    trusted = gateway.folder / "localhost.pem"
    if not trusted.exists():
        pytest.skip("it has one certificate")
    client.put_object(Bucket=bucket, Key="k", Body=b"by name")
    named = replace(gateway, url=gateway.url.replace("127.0.0.1", "localhost"))
    found = named.client(verify=str(trusted)).get_object(Bucket=bucket, Key="k")["Body"].read()
    assert found == b"by name"
    with pytest.raises(SSLError):
        named.client(verify=certificate_of(gateway)).list_buckets()
    signing = named.client(verify=str(trusted), config=Config(signature_version="s3v4"))
    url = signing.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    if not shutil.which("curl"):
        pytest.skip("curl is not there")
    done = subprocess.run(
        ["curl", "--fail", "--silent", "--cacert", str(trusted), url], capture_output=True
    )
    assert done.stdout == b"by name", done


def test_http_2_is_not_spoken_unless_it_is_asked_for(gateway: Running) -> None:
    context = ssl.create_default_context(cafile=certificate_of(gateway))
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = urlsplit(gateway.url)
    with (
        socket.create_connection((address.hostname, address.port), timeout=GUARD) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        assert connection.selected_alpn_protocol() == "http/1.1"

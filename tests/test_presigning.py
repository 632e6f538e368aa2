"""URLs with a signature are those that botocore makes."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.common.presigning import presigned_url
from gateway.storage import Secret

NOW = 1_796_005_715_654
KEYS = ("cat.jpg", "a b/ü+猫&=?.txt", "~-_.!*'()", "//x/../y", "\n\t\x01<>\"'", "x" * 1024)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "https://s3.example.com/below/it/"])
def test_it_is_the_one_that_botocore_makes(base: str, method: str) -> None:
    for key in KEYS:
        made = presigned_url(
            base,
            "photos",
            key,
            access_key="AKIA",
            secret=Secret("the secret"),
            region="eu-west-1",
            now=NOW,
            seconds=604_800,
            method=method,
        )
        plain = made.partition("?")[0]
        assert _signed(plain, method) == dict(parse_qsl(urlsplit(made).query))


def _signed(url: str, method: str) -> dict[str, str]:
    request = AWSRequest(method=method, url=url)
    auth = S3SigV4QueryAuth(Credentials("AKIA", "the secret"), "s3", "eu-west-1", expires=604_800)
    moment = datetime.fromtimestamp(NOW // 1000, UTC)
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        auth.add_auth(request)
    return dict(parse_qsl(urlsplit(request.url).query))

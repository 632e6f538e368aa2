"""Rules that a mode brings, on real servers: what they say holds through every door, for each
request by what is known of it, and in every worker from the next request on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.e2e.conftest import SECRET, SERVERS, Running, serving
from tests.e2e.plugin_site import plugin_site

PLUGIN = """
from tests.modes.policy_language import PolicyPlugin

gateway_modes = PolicyPlugin().gateway_modes
"""
CONFIG = """
[server]
trusted_proxies = ["127.0.0.1"]
[[accounts]]
id = "bob"
[[keys]]
id = "key-of-bob"
secret = "secret of bob"
account = "bob"
[services.files]
driver = "local"
"""
MANY = 12
"""New connections by which every worker is met: of two, each gets none once in 2,000 times."""

INSIDE, OUTSIDE = {"X-Forwarded-For": "10.1.2.3"}, {"X-Forwarded-For": "192.0.2.7"}
SECRETS = {"root": SECRET, "bob": "secret of bob"}


class Doors:
    """Of a gateway, as accounts come through them. `seen` is what its proxy says of each
    request."""

    def __init__(self, running: Running) -> None:
        self.url = running.url
        self.seen: Mapping[str, str] = INSIDE
        bob = {"key": "key-of-bob", "secret": SECRETS["bob"]}
        self._s3 = {"root": running.client(), "bob": running.client(**bob)}
        for client in self._s3.values():
            client.meta.events.register("before-send.s3", self._pass_on)

    def _pass_on(self, request: Any, **_: object) -> None:
        for name, value in self.seen.items():
            request.headers[name] = value

    def policy(self, text: str) -> None:
        """Exchange it; "" removes it."""
        method = "PUT" if text else "DELETE"
        answer = self._ask(method, "/files", {"X-Policy-Key": SECRET}, data=text.encode())
        assert answer.status_code == 200, answer.text

    def s3(self, operation: str, account: str = "root", **arguments: Any) -> Any:
        """The answer, or the code of an error."""
        try:
            return getattr(self._s3[account], operation)(Bucket="files", **arguments)
        except ClientError as error:
            return error.response["Error"]["Code"]

    def standard(self, function: str, account: str = "root", **parameters: str) -> int:
        """The status."""
        headers = {"x-owncdn-key": SECRETS[account]}
        parameters["sid"] = "files"
        answer = self._ask("GET", f"/{function}", headers, params=parameters)
        return answer.status_code

    def _ask(
        self, method: str, path: str, headers: dict[str, str], **more: Any
    ) -> requests.Response:
        """On a connection of its own."""
        said = {**self.seen, **headers}
        return requests.request(method, self.url + path, headers=said, timeout=60, **more)

    def reads(self, key: str, account: str = "root") -> tuple[bool, int]:
        """Whether it can be read through S3, and the status of the standard mode."""
        answer = self.s3("get_object", account, Key=key)
        if answer != "AccessDenied":
            assert answer["Body"].read() == key.encode()
        return answer != "AccessDenied", self.standard("getfile", account, path=key)


@pytest.fixture(scope="module", params=SERVERS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    options = ["--server", request.param]
    options += ["--workers", "2"] if request.param == "granian" else []
    site = plugin_site(tmp_path_factory.mktemp("site"), "policies", PLUGIN)
    with serving(tmp_path_factory.mktemp("gateway"), *options, config=CONFIG, site=site) as gateway:
        for key in ("open/a", "secret/a", "shared/a"):
            gateway.client().put_object(Bucket="files", Key=key, Body=key.encode())
        yield gateway


@pytest.fixture
def doors(running: Running) -> Iterator[Doors]:
    doors = Doors(running)
    yield doors
    doors.policy("")


def test_what_is_denied_is_denied_through_both_and_the_rest_is_not(doors: Doors) -> None:
    doors.policy("deny * read,read-version secret/*")
    assert doors.reads("secret/a") == (False, 403)
    assert doors.s3("head_object", Key="secret/none") == "403"
    assert doors.reads("open/a") == (True, 200)
    assert doors.s3("list_objects_v2")["KeyCount"] == 3


def test_who_is_allowed_a_prefix_reads_and_lists_that(doors: Doors) -> None:
    assert doors.reads("shared/a", "bob") == (False, 404)
    doors.policy("allow bob list,read shared/*")
    assert doors.reads("shared/a", "bob") == (True, 200)
    assert doors.reads("open/a", "bob") == (False, 403)
    (only,) = doors.s3("list_objects_v2", "bob", Prefix="shared/")["Contents"]
    assert only["Key"] == "shared/a"
    assert doors.standard("filelist", "bob", prefix="shared/") == 200
    for prefix in ("", "open/"):
        assert doors.s3("list_objects_v2", "bob", Prefix=prefix) == "AccessDenied"
        assert doors.standard("filelist", "bob", prefix=prefix) == 403
    assert doors.s3("put_object", "bob", Key="shared/b", Body=b"") == "AccessDenied"


@pytest.mark.parametrize(
    ("policy", "good", "bad"),
    [
        ("deny * read *  from 192.0.2.0/24", INSIDE, OUTSIDE),
        ("deny * read * outside 10.0.0.0/8", INSIDE, OUTSIDE),
        ("deny * read * outside 2001:db8::/32", {"X-Forwarded-For": "2001:db8::7"}, INSIDE),
        ("deny * read * plain", {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "http"}),
    ],
)
def test_conditions_hold_for_each_request_by_itself(
    doors: Doors, policy: str, good: dict[str, str], bad: dict[str, str]
) -> None:
    doors.policy(policy)
    for seen, answer in ((good, (True, 200)), (bad, (False, 403)), (good, (True, 200))):
        doors.seen = seen
        assert doors.reads("open/a") == answer
        assert doors.s3("list_objects_v2")["KeyCount"] == 3


def test_an_allowance_counts_only_where_its_condition_does(doors: Doors) -> None:
    doors.policy("allow bob read * from 10.0.0.0/8")
    assert doors.reads("open/a", "bob") == (True, 200)
    doors.seen = OUTSIDE
    assert doors.reads("open/a", "bob") == (False, 404)


def test_a_change_counts_in_all_workers_from_the_next_request_on(doors: Doors) -> None:
    for prefix, other in (("open", "secret"), ("secret", "open"), ("open", "secret")):
        doors.policy(f"deny * read {prefix}/*")
        found = {doors.standard("getfile", path=f"{prefix}/a") for _ in range(MANY)}
        assert found == {403}
        found = {doors.standard("getfile", path=f"{other}/a") for _ in range(MANY)}
        assert found == {200}
    doors.policy("")
    assert {doors.standard("getfile", path="open/a") for _ in range(MANY)} == {200}

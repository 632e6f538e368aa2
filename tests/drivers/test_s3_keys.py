"""Where the `s3` driver's keys come from, and that requests go on when these change.

Every request is judged by an upstream that checks its signature and session token.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from drivers.s3 import S3
from drivers.s3.credentials import FoundKeys
from gateway.storage import (
    Busy,
    BytesBody,
    Context,
    Delete,
    OriginDenied,
    OriginFailed,
    Put,
    Shared,
    pieces,
)
from gateway.testing import Server
from gateway.testing.faults import PATIENCE, noise
from gateway.testing.upstreams import answer
from tests.conformance.s3_upstream import moto_upstream
from tests.drivers.aws import ROLE, Aws, aws

Make = Callable[..., S3]
Options = dict[str, Any]
LARGE = noise(700_000)
ACTING = f"[profile acting]\nrole_arn = {ROLE}\nregion = eu-central-1\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Aws]:
    with aws(tmp_path) as site:
        yield site


@pytest.fixture
def make(site: Aws) -> Iterator[Make]:
    opened: list[S3] = []

    def make(**options: Any) -> S3:
        given = {"endpoint_url": site.s3.url, "region": "eu-central-1", "bucket": "bkt"}
        store = S3(**given | options)
        store.open(Context(shared=Shared()))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def read(store: S3, key: str = "k") -> bytes:
    with store.get(key) as opened:
        return b"".join(pieces(opened.body))


def put(store: S3, data: bytes, key: str = "k") -> None:
    store.put(key, BytesBody(data), Put(size=len(data)))


def found(store: S3) -> FoundKeys:
    keys = store.client.keys
    assert isinstance(keys, FoundKeys)
    return keys


def pass_by(store: S3, seconds: float) -> None:
    """For whoever looks for keys; sessions get no older by it."""
    before = found(store)._clock
    found(store)._clock = lambda: before() + seconds


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.01)


def works(store: S3) -> bool:
    """Whether the last refusal counts no longer."""
    try:
        put(store, b"data")
    except OriginFailed:
        return False
    return True


# where keys come from


def from_environment(site: Aws) -> Options:
    key = site.authority.key("AKIA-ENV", "secret/of+env", "token of env")
    site.environment(
        AWS_ACCESS_KEY_ID=key.id, AWS_SECRET_ACCESS_KEY=key.secret, AWS_SESSION_TOKEN=key.token
    )
    return {}


def from_file(site: Aws) -> Options:
    site.credentials("default", site.authority.key("AKIA-FILE", "secret/of+file"))
    return {}


def from_profile(site: Aws) -> Options:
    site.credentials("other", site.authority.key("AKIA-OTHER", "secret", "token"))
    return {"profile": "other"}


def from_program(site: Aws) -> Options:
    key = site.authority.key("AKIA-PROGRAM", "secret", "token")
    said = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    answer = site.file("answer", json.dumps({"Version": 1, **said})).as_posix()
    program = site.file("program.py", f"print(open({answer!r}).read())").as_posix()
    python = Path(sys.executable).as_posix()
    site.file("config", f'[profile run]\ncredential_process = "{python}" "{program}"\n')
    site.environment(AWS_PROFILE="run")
    return {}


def role_of_a_profile(site: Aws) -> Options:
    site.sts()
    site.credentials("base", site.authority.key("AKIA-BASE", "secret"))
    site.file("config", f"{ACTING}source_profile = base\n")
    return {"profile": "acting"}


def role_of_the_options(site: Aws) -> Options:
    """AWS's configuration names no region: then roles are asked for in the bucket's."""
    site.sts()
    site.credentials("default", site.authority.key("AKIA-BASE", "secret"))
    return {"role_arn": ROLE, "external_id": "external"}


def role_by_a_role(site: Aws) -> Options:
    return role_of_a_profile(site) | {"role_arn": f"{ROLE}-of-another"}


def role_at_the_services_own_endpoint(site: Aws) -> Options:
    url = site.sts().url
    site.environment(AWS_ENDPOINT_URL_STS="http://127.0.0.1:9")  # nobody is there
    site.credentials("base", site.authority.key("AKIA-BASE", "secret"))
    services = f"services = local\n[services local]\nsts =\n  endpoint_url = {url}\n"
    site.file("config", f"{ACTING}source_profile = base\n{services}")
    site._environ.delenv("AWS_ENDPOINT_URL_STS")
    return {"profile": "acting"}


def web_identity(site: Aws) -> Options:
    site.sts()
    token = site.file("web-token", "signed by somebody")
    site.environment(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=str(token))
    return {}


def instance(site: Aws) -> Options:
    site.instance()
    return {}


def role_by_the_instance(site: Aws) -> Options:
    site.sts()
    site.instance()
    site.file("config", f"{ACTING}credential_source = Ec2InstanceMetadata\n")
    return {"profile": "acting"}


def container(site: Aws) -> Options:
    site.container()
    return {}


SOURCES: dict[Callable[[Aws], Options], str] = {
    from_environment: "AKIA-ENV",
    from_file: "AKIA-FILE",
    from_profile: "AKIA-OTHER",
    from_program: "AKIA-PROGRAM",
    role_of_a_profile: "ASIA0001",
    role_of_the_options: "ASIA0001",
    role_by_a_role: "ASIA0002",
    role_at_the_services_own_endpoint: "ASIA0001",
    web_identity: "ASIA0001",
    instance: "ASIA0001",
    role_by_the_instance: "ASIA0002",
    container: "ASIA0001",
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_keys_are_found_where_AWS_has_them(
    site: Aws, make: Make, source: Callable[[Aws], Options]
) -> None:
    store = make(**source(site))
    put(store, b"data", "a key/é+")
    put(store, LARGE, "large")
    assert (read(store, "a key/é+"), read(store, "large")) == (b"data", LARGE)
    assert store.stat("large").size == len(LARGE)
    store.delete("large", Delete())
    assert len(site.s3.requests) == 6, "nothing was refused and asked again"
    assert found(store).current().id == SOURCES[source]
    asked = [what for who, what in site.authority.asked if who == "sts"]
    if source is role_of_the_options:
        assert (asked[0]["RoleArn"], asked[0]["ExternalId"]) == (ROLE, "external")
        assert "/eu-central-1/sts/" in asked[0]["by"]
    if source is role_by_a_role:
        assert [one["by"].partition("/")[0] for one in asked] == ["AKIA-BASE", "ASIA0001"]
    if source is container:
        assert site.authority.asked[0][1]["authorization"] == "Bearer of-the-container"


def test_a_role_is_judged_by_another_implementation(
    site: Aws, make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    """moto's server, told to check signatures, tokens and rights."""
    pytest.importorskip("moto", reason="moto is not installed")
    pytest.importorskip("flask", reason="moto's server is not installed")
    boto3 = pytest.importorskip("boto3")

    def policy(**said: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **said}]})

    with moto_upstream() as url:
        session = boto3.session.Session("any", "key", region_name="eu-central-1")
        iam, s3 = (session.client(name, endpoint_url=url) for name in ("iam", "s3"))
        iam.create_user(UserName="gateway")
        key = iam.create_access_key(UserName="gateway")["AccessKey"]
        assume = policy(Action="sts:AssumeRole", Resource="*")
        iam.put_user_policy(UserName="gateway", PolicyName="p", PolicyDocument=assume)
        trust = policy(Action="sts:AssumeRole", Principal={"AWS": "*"})
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        every = policy(Action="s3:*", Resource="*")
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=every)
        s3.create_bucket(
            Bucket="bkt", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        strict = Request(f"{url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        urlopen(strict).close()
        base = site.authority.key(key["AccessKeyId"], key["SecretAccessKey"])
        site.credentials("base", base)
        site.environment(AWS_ENDPOINT_URL_STS=url)
        store = make(endpoint_url=url, profile="base", role_arn=role)
        put(store, b"data", "a/é +")
        put(store, LARGE, "large")
        assert (read(store, "a/é +"), read(store, "large")) == (b"data", LARGE)
        assert [one.key for one in store.list().entries] == ["a/é +", "large"]
        with pytest.raises(OriginDenied):
            read(make(endpoint_url=url, profile="base"))
    capfd.readouterr()  # its log


# keys that change


def test_keys_that_end_soon_are_renewed_beside_the_requests(site: Aws, make: Make) -> None:
    site.authority.lifetime = 300
    store = make(**role_of_a_profile(site))
    put(store, b"data")
    read(store)
    assert len(site.authority.asked) == 1, "as long as they are valid they are not asked for often"
    pass_by(store, 31)
    read(store)
    until(lambda: found(store).current().id == "ASIA0002")
    read(store)
    assert len(site.authority.issued) == 2
    used = [one.headers["x-amz-security-token"] for one in site.s3.requests]
    assert used[0] == "token/1+=" and used[-1] == "token/2+="
    assert len(used) == 4, "none was refused"


def test_keys_that_have_ended_are_renewed_before_the_next_request(site: Aws, make: Make) -> None:
    site.authority.lifetime = 300
    store = make(**role_of_the_options(site))
    put(store, b"data")
    site.authority.ahead, site.authority.lifetime = 400, 3600
    source: Any = found(store)._found[0]  # type: ignore[index]  # they were found
    source._credentials._time_fetcher = site.authority.now
    assert read(store) == b"data"
    assert [one.headers["x-amz-security-token"] for one in site.s3.requests] == [
        "token/1+=",
        "token/2+=",
    ]


@pytest.mark.parametrize("fault", ["hangs", "refuses"])
def test_while_keys_are_valid_nobody_waits_for_new_ones(site: Aws, make: Make, fault: str) -> None:
    site.authority.lifetime = 300
    store = make(**role_of_a_profile(site))
    put(store, b"data")
    if fault == "hangs":
        site.authority.hangs = True
    else:
        site.authority.refuses = "AccessDenied"
    pass_by(store, 31)
    for _ in range(20):
        assert read(store) == b"data"
    until(lambda: len(site.authority.asked) == 2)
    assert len(site.s3.requests) == 21


@pytest.mark.parametrize("source", [instance, container, web_identity, role_of_the_options])
@pytest.mark.parametrize("ask", [read, S3.stat], ids=["get", "head"])
def test_keys_that_the_upstream_no_longer_knows_are_looked_for_anew(
    site: Aws, make: Make, source: Callable[[Aws], Options], ask: Callable[[S3, str], object]
) -> None:
    """Also by HEAD: its answers do not say why, so a GET asks."""
    store = make(**source(site))
    put(store, b"data")
    site.authority.valid.clear()
    site.authority.key("AKIA-BASE", "secret")
    ask(store, "k")
    assert found(store).current().id == "ASIA0002"
    assert len(site.s3.requests) == (3 if ask is read else 5)
    site.authority.valid.clear()
    with pytest.raises(OriginDenied):  # not again at once
        ask(store, "k")
    assert len(site.authority.issued) == 2


def test_a_session_that_is_replaced_in_the_file_is_found(site: Aws, make: Make) -> None:
    site.credentials("default", site.authority.key("ASIA-1", "first", "token 1"))
    store = make()
    put(store, b"data")
    site.authority.valid.clear()
    site.file("credentials", "[default]\naws_access_key_id = ASIA-2\n")  # half of it
    for _ in range(3):
        with pytest.raises(OriginDenied):
            read(store)
    pass_by(store, 6)
    site.credentials("default", site.authority.key("ASIA-2", "second", "token 2"))
    assert read(store) == b"data"
    assert site.s3.requests[-1].headers["x-amz-security-token"] == "token 2"


# who gives keys fails


def test_who_hangs_with_the_keys_holds_nobody_for_long(site: Aws, make: Make) -> None:
    site.authority.hangs = True
    store = make(**role_of_a_profile(site), connect_timeout=0.3, read_timeout=0.5)
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(read(store))
        except (Busy, OriginFailed) as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert outcomes == [Busy] * 20
    with pytest.raises(Busy):
        read(store)
    until(lambda: bool(site.authority.asked))
    assert len(site.authority.asked) == 1, "one looks for all"
    assert not site.s3.requests
    site.authority.hangs = False
    until(lambda: found(store)._began is None)
    until(lambda: works(store))


def test_a_refusal_is_told_to_all_and_its_reasons_to_the_log(
    site: Aws, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    site.authority.refuses = "AccessDenied"
    store = make(**role_of_a_profile(site))
    for _ in range(10):
        with pytest.raises(OriginDenied, match=r"refused to the gateway \(AccessDenied\)"):
            read(store)
    assert len(site.authority.asked) == 1
    assert "AssumeRole" in caplog.text
    site.authority.refuses = None
    pass_by(store, 2)
    until(lambda: works(store))


def test_sessions_that_have_ended_when_they_come_are_an_OriginFailed(site: Aws, make: Make) -> None:
    """As for a machine whose clock is wrong."""
    site.authority.lifetime = -60
    with pytest.raises(OriginFailed):
        read(make(**role_of_a_profile(site)))


def nonsense(site: Aws) -> Options:
    site.container().always(answer(200, b'{"AccessKeyId": "half"}'))
    return {}


def no_token_file(site: Aws) -> Options:
    options = web_identity(site)
    site.environment(AWS_WEB_IDENTITY_TOKEN_FILE="no-such-file")
    return options


def no_program(site: Aws) -> Options:
    site.file("config", "[default]\ncredential_process = no-such-program\n")
    return {}


def half_a_key(site: Aws) -> Options:
    site.environment(AWS_ACCESS_KEY_ID="half")
    return {}


def nobody_there(site: Aws) -> Options:
    options = role_of_a_profile(site)
    site.environment(AWS_ENDPOINT_URL_STS="http://no-such-host.invalid")
    return options


@pytest.mark.parametrize(
    "source",
    [nonsense, no_token_file, no_program, half_a_key, nobody_there],
    ids=lambda source: source.__name__,
)
def test_whatever_fails_where_keys_are_is_an_OriginFailed(
    site: Aws, make: Make, source: Callable[[Aws], Options]
) -> None:
    with pytest.raises(OriginFailed, match="keys cannot be found"):
        read(make(**source(site)))
    assert not site.s3.requests


def test_no_keys_anywhere_is_OriginDenied(make: Make) -> None:
    with pytest.raises(OriginDenied, match="No keys"):
        read(make())


def test_a_profile_that_is_not_there_is_named_at_start(make: Make) -> None:
    with pytest.raises(ValueError, match="absent"):
        make(profile="absent")


def test_a_client_sees_502_and_nothing_of_who_was_asked(site: Aws) -> None:
    options = role_of_a_profile(site)
    fronted = {"driver": "s3", "bucket": "bkt", "endpoint_url": site.s3.url, **options}
    with Server(services={"fronted": fronted}) as server:
        s3 = server.client(config=Config(retries={"total_max_attempts": 1}))
        s3.put_object(Bucket="fronted", Key="k", Body=b"data")
        assert s3.get_object(Bucket="fronted", Key="k")["Body"].read() == b"data"
        site.authority.valid.clear()
        site.authority.refuses = "AccessDenied"
        with pytest.raises(ClientError) as raised:
            s3.get_object(Bucket="fronted", Key="k")
    error = raised.value.response["Error"]
    assert (error["Code"], raised.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (
        "UpstreamDenied",
        502,
    )
    assert "arn:" not in str(error) and "AKIA" not in str(error)

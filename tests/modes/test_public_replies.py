"""What a public answer says of an object is remembered, and is still that of each answer."""

from __future__ import annotations

from gateway.modes.public.options import PublicOptions
from gateway.modes.public.replies import described
from gateway.storage import ObjectInfo, OriginAnswer


def aged(age: str, *, content_type: str = "text/plain") -> ObjectInfo:
    lines = (("ETag", '"e"'), ("Cache-Control", "public"), ("Age", age))
    told = OriginAnswer(status=200, headers=lines, asked=1, answered=2)
    return ObjectInfo(key="k", size=1, etag="e", modified=0, content_type=content_type, origin=told)


def test_an_age_is_that_of_its_second_and_gone_where_a_binding_has_a_time_of_its_own() -> None:
    plain, timed = PublicOptions(), PublicOptions(client_cache_time=60)
    for age in ("5", "6", "5"):
        assert dict(described(aged(age), plain))["age"] == age
        assert "age" not in dict(described(aged(age), timed))
        assert dict(described(aged(age), timed))["cache-control"] == "max-age=60"


def test_whoever_adds_to_what_is_said_adds_to_one_answer() -> None:
    first = described(aged("1"), PublicOptions())
    first.append(("x", "y"))
    assert ("x", "y") not in described(aged("1"), PublicOptions())
    own = ObjectInfo(key="k", size=1, etag="e", modified=0)
    described(own, PublicOptions()).append(("x", "y"))
    assert ("x", "y") not in described(own, PublicOptions())


def test_the_type_and_the_options_count() -> None:
    sandbox = "content-security-policy"
    assert sandbox not in dict(described(aged("1"), PublicOptions()))
    active = aged("1", content_type="text/html")
    assert dict(described(active, PublicOptions()))[sandbox] == "sandbox"
    assert sandbox not in dict(described(active, PublicOptions(trusted_content=True)))

"""What a request has for the condition keys of policies: a function for each.

They read the facts that every mode gives, so a policy holds through all of them; what only S3's
requests have (a signature's age, `x-amz-acl`), others do not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from gateway.access.rules import Question
from gateway.storage import Period
from gateway.web.http_fields import parse_date
from gateway.web.request_head import form_decoded

Read = Callable[[Question], Sequence[str]]
"""The values that a question has; () for none, `OneOf` where that is not known."""


class OneOf(tuple[str, ...]):
    """It has one value, which is one of these; of none: it may be any."""

    __slots__ = ()


_DAY = 86_400_000
ANONYMOUS = "anonymous"
"""What `aws:userid` is of who has not signed."""


def _one(value: str | None) -> Sequence[str]:
    return () if value is None else (value,)


def never(_: Question) -> Sequence[str]:
    return ()


def said(value: str) -> Read:
    return lambda _: (value,)


def header(header: str) -> Read:
    return lambda question: _one(question.facts.header(header))


def query(parameter: str) -> Read:
    return lambda question: _one(question.facts.query(parameter))


def prefix(question: Question) -> Sequence[str]:
    """What is listed, or a key of which it is asked whether it is there: by any door."""
    return (question.key,) if question.key else _one(question.facts.query("prefix"))


def current_time(question: Question) -> Sequence[str]:
    time = question.facts.time
    if time is None:
        return OneOf()
    return (f"{datetime.fromtimestamp(time // 1000, UTC):%Y-%m-%dT%H:%M:%S}Z",)


def epoch_time(question: Question) -> Sequence[str]:
    time = question.facts.time
    return OneOf() if time is None else (str(time // 1000),)


def secure(question: Question) -> Sequence[str]:
    tls = question.facts.tls
    return OneOf() if tls is None else (str(tls).lower(),)


def address(question: Question) -> Sequence[str]:
    found = question.facts.address
    return (found,) if found else OneOf()


def account(question: Question) -> Sequence[str]:
    return _one(question.identity.account or None)


def user(question: Question) -> Sequence[str]:
    return _one(question.identity.key or None)


def user_id(question: Question) -> Sequence[str]:
    return (question.identity.key or ANONYMOUS,)


def principal(question: Question) -> Sequence[str]:
    who = question.identity
    return (f"arn:aws:iam::{who.account}:user/{who.key}",) if who.account else ()


def principal_type(question: Question) -> Sequence[str]:
    return ("User" if question.identity.account else "Anonymous",)


def auth_type(question: Question) -> Sequence[str]:
    facts = question.facts
    if not question.identity.key:
        return ()
    if facts.header("authorization") is not None:
        return ("REST-HEADER",)
    if facts.query("X-Amz-Signature") is not None:
        return ("REST-QUERY-STRING",)
    return () if facts.header("x-amz-signature") is None else ("POST",)


def signature_version(question: Question) -> Sequence[str]:
    signed = auth_type(question)
    if signed == ("POST",) and question.facts.header("x-amz-algorithm") is None:
        return ("AWS",)  # version 2, which forms may have
    return ("AWS4-HMAC-SHA256",) if signed else ()


def signature_age(question: Question) -> Sequence[str]:
    """Milliseconds."""
    facts = question.facts
    written = facts.header("x-amz-date") or facts.query("X-Amz-Date") or facts.header("date")
    signed = parse_date(written) if written and question.identity.key else None
    if signed is None or facts.time is None:
        return ()
    return (str(max(0, facts.time - signed)),)


def tls_version(question: Question) -> Sequence[str]:
    facts = question.facts
    if facts.tls is False:
        return ()
    found = facts.tls_versions
    return found if len(found) == 1 else OneOf(found)


def none_match(question: Question) -> Sequence[str]:
    """Only `*` keeps what is there, and S3 takes nothing else: a tag that no object has is not
    what a policy asks for."""
    said = question.facts.header("if-none-match")
    return ("*",) if said is not None and said.strip() == "*" else ()


def copy_source(question: Question) -> Sequence[str]:
    """`bucket/key`, as it is read and not as it is written."""
    written = question.facts.header("x-amz-copy-source")
    if written is None:
        return ()
    try:
        return (form_decoded(written.partition("?versionId=")[0]).removeprefix("/"),)
    except ValueError:
        return (written,)


def version(question: Question) -> Sequence[str]:
    return _one(question.target.version)


def existing_tag(name: str) -> Read:
    return lambda question: _one(question.target.tags.get(name))


def requested_tag(name: str) -> Read:
    return lambda question: _one(question.facts.tags.get(name))


def requested_tags(question: Question) -> Sequence[str]:
    return tuple(question.facts.tags)


def creates(question: Question) -> Sequence[str]:
    """Whether an object is there once it is done; of an upload, only its completion."""
    facts = question.facts
    part = facts.query("partNumber") is not None or facts.query("uploads") is not None
    return (str(not part).lower(),)


def event_days(question: Question) -> Sequence[str]:
    """A year counts as 365."""
    for unit in ("days", "years"):
        text = question.facts.header(f"x-amz-object-lock-event-hold-duration-{unit}") or ""
        if text.isascii() and text.isdigit() and len(text) < 10:
            return (str(Period(int(text), unit).days),)
    return ()


def remaining_days(question: Question) -> Sequence[str]:
    until = question.facts.header("x-amz-object-lock-retain-until-date")
    moment = None if until is None else parse_date(until)
    if moment is None or question.facts.time is None:
        return ()
    return (str(max(0, -(-(moment - question.facts.time) // _DAY))),)

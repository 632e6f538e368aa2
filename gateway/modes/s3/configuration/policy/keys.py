"""Condition keys: what a policy may ask of a request, and of the object that it is about.

"Actions, resources, and condition keys for Amazon S3" (Service Authorization Reference), "AWS
global condition context keys" (IAM User Guide). Names count whatever their case. Keys of what
this gateway has not (networks of a cloud, organizations, second factors) are known, and no
request ever has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.access.rules import Question
from gateway.modes.s3.configuration.policy import facts
from gateway.modes.s3.configuration.policy.actions import OF_OBJECT, words
from gateway.modes.s3.configuration.policy.facts import Read
from gateway.modes.s3.configuration.policy.text import Values


class Key(NamedTuple):
    """`words`: those of S3 for which it may be asked; None: all. `late`: it is known when it is
    known for which key it is asked, or when a document was read. `names`: it is an object's name,
    or a part of one."""

    read: Read
    words: frozenset[str] | None = None
    late: bool = False
    names: bool = False


class Asked(NamedTuple):
    """A key that a condition names; `id` is in lower case, without what stands behind "/"."""

    id: str
    key: Key


def find(written: str) -> Asked | None:
    """None for a key that there is not."""
    base, slash, name = written.partition("/")
    id = base.lower() + slash
    if not slash:
        key = KEYS.get(id)
        return None if key is None else Asked(id, key)
    of_name = NAMED.get(id)
    return None if of_name is None or not name else Asked(id, of_name(name))


def value_of(question: Question) -> Values:
    """For variables: what the question has for a key, if that is one value."""

    def value(written: str) -> str | None:
        asked = find(written)
        found = () if asked is None else asked.key.read(question)
        return found[0] if len(found) == 1 else None

    return value


_LISTS = frozenset(("ListBucket", "ListBucketVersions"))
_PUTS = frozenset(("PutObject", "ReplicateObject"))
_ACLS = frozenset(("PutObject", "PutObjectAcl", "PutObjectVersionAcl", "PutBucketAcl"))
_TAGS = frozenset(("PutObject", "PutObjectTagging", "PutObjectVersionTagging", "ReplicateTags"))
_LOCKS = _PUTS | {"BypassGovernanceRetention", "PutObjectLegalHold", "PutObjectRetention"}
_VERSIONS = words("s3:*Version*") - words("s3:*Bucket*")

_NOT_HERE = (
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:federatedprovider",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:vpcsourceip",
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
)
_HEADERS: Mapping[str, frozenset[str] | None] = {
    "x-amz-acl": _ACLS,
    "x-amz-content-sha256": None,
    "x-amz-grant-full-control": _ACLS,
    "x-amz-grant-read": _ACLS,
    "x-amz-grant-read-acp": _ACLS,
    "x-amz-grant-write": _ACLS,
    "x-amz-grant-write-acp": _ACLS,
    "x-amz-metadata-directive": _PUTS,
    "x-amz-server-side-encryption": _PUTS,
    "x-amz-server-side-encryption-aws-kms-key-id": _PUTS,
    "x-amz-server-side-encryption-customer-algorithm": _PUTS,
    "x-amz-storage-class": _PUTS,
    "x-amz-website-redirect-location": _PUTS,
}
KEYS: Mapping[str, Key] = {
    **dict.fromkeys(_NOT_HERE, Key(facts.never)),
    "aws:currenttime": Key(facts.current_time),
    "aws:epochtime": Key(facts.epoch_time),
    "aws:principalaccount": Key(facts.account),
    "aws:principalarn": Key(facts.principal),
    "aws:principalisawsservice": Key(facts.said("false")),
    "aws:principaltype": Key(facts.principal_type),
    "aws:referer": Key(facts.header("referer")),
    "aws:securetransport": Key(facts.secure),
    "aws:sourceip": Key(facts.address),
    "aws:useragent": Key(facts.header("user-agent")),
    "aws:userid": Key(facts.user_id),
    "aws:username": Key(facts.user),
    "aws:viaawsservice": Key(facts.said("false")),
    "s3:authtype": Key(facts.auth_type),
    "s3:delimiter": Key(facts.query("delimiter"), _LISTS),
    "s3:if-match": Key(facts.header("if-match"), _PUTS | {"DeleteObject"}),
    "s3:if-none-match": Key(facts.none_match, _PUTS),
    "s3:max-keys": Key(facts.query("max-keys"), _LISTS),
    "s3:object-lock-event-hold": Key(
        facts.header("x-amz-object-lock-event-hold"), _LOCKS, late=True
    ),
    "s3:object-lock-event-hold-duration-days": Key(facts.event_days, _LOCKS, late=True),
    "s3:object-lock-legal-hold": Key(
        facts.header("x-amz-object-lock-legal-hold"), _LOCKS, late=True
    ),
    "s3:object-lock-mode": Key(facts.header("x-amz-object-lock-mode"), _LOCKS, late=True),
    "s3:object-lock-remaining-retention-days": Key(facts.remaining_days, _LOCKS, late=True),
    "s3:object-lock-retain-until-date": Key(
        facts.header("x-amz-object-lock-retain-until-date"), _LOCKS, late=True
    ),
    "s3:objectcreationoperation": Key(facts.creates, _PUTS),
    "s3:prefix": Key(facts.prefix, _LISTS, late=True, names=True),
    "s3:requestobjecttagkeys": Key(facts.requested_tags, _TAGS, late=True),
    "s3:signatureage": Key(facts.signature_age),
    "s3:signatureversion": Key(facts.signature_version),
    "s3:tlsversion": Key(facts.tls_version),
    "s3:versionid": Key(facts.version, _VERSIONS, late=True),
    "s3:x-amz-copy-source": Key(facts.copy_source, _PUTS),
    **{f"s3:{name}": Key(facts.header(name), about) for name, about in _HEADERS.items()},
}
"""By their names in lower case."""

NAMED: Mapping[str, Callable[[str], Key]] = {
    "aws:principaltag/": lambda _: Key(facts.never),
    "aws:requesttag/": lambda _: Key(facts.never),
    "aws:resourcetag/": lambda _: Key(facts.never),
    "s3:existingobjecttag/": lambda name: Key(facts.existing_tag(name), OF_OBJECT, late=True),
    "s3:requestobjecttag/": lambda name: Key(facts.requested_tag(name), _TAGS, late=True),
}
"""Those with a name of its own behind them."""

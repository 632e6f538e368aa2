"""What is a word, a flag, a number or a date in a document of the S3 model is one here, or refused:
each such element is put into a document that is taken, and then says something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway.modes import Options
from gateway.modes.s3 import model, schemas, wire
from gateway.services.runtime import open_runtime
from tests.modes import model_scenes
from tests.modes.model_requests import Mode, Params, document, members
from tests.modes.model_requests import model as of_aws
from tests.modes.s3_gateway import configuration

LATER = datetime(2099, 1, 1, tzinfo=UTC)
LIST = {
    "Owner": {"ID": "main"},
    "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "main"}, "Permission": "READ"}],
}


def _rule(**more: Any) -> Params:
    usual = {"Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}}
    return {"Rules": [usual | more]}


def _told(kind: str, service: str) -> Params:
    rules = [{"Name": "prefix", "Value": "a"}]
    named = {"Topic": "TopicArn", "Queue": "QueueArn", "LambdaFunction": "LambdaFunctionArn"}[kind]
    one = {
        named: f"arn:gateway:{service}:::hook",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    return {f"{kind}Configurations": [one]}


def _kept(**period: Any) -> Params:
    retention = {"Mode": "GOVERNANCE", **period}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


_SIZES = {"ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}
DOCUMENTS: dict[str, list[Params]] = {
    "CreateBucket": [{"LocationConstraint": "us-east-1"}],
    "PutBucketVersioning": [{"Status": "Enabled", "MFADelete": "Disabled"}],
    "PutBucketAcl": [LIST],
    "PutObjectAcl": [LIST],
    "PutPublicAccessBlock": [
        dict.fromkeys(
            (
                "BlockPublicAcls",
                "IgnorePublicAcls",
                "BlockPublicPolicy",
                "RestrictPublicBuckets",
            ),
            True,
        )
    ],
    "PutBucketOwnershipControls": [{"Rules": [{"ObjectOwnership": "ObjectWriter"}]}],
    "PutBucketCors": [
        {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5}]}
    ],
    "PutBucketEncryption": [
        {
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                    "BucketKeyEnabled": True,
                    "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
                }
            ]
        }
    ],
    "PutBucketLifecycleConfiguration": [
        _rule(),
        _rule(Expiration={"Date": LATER}),
        _rule(Expiration={"ExpiredObjectDeleteMarker": True}),
        _rule(Filter={"ObjectSizeGreaterThan": 1}),
        _rule(Filter={"ObjectSizeLessThan": 9}),
        _rule(Filter={"And": {"Prefix": "a", **_SIZES}}),
        _rule(
            NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
            AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1},
        ),
    ],
    "PutBucketLogging": [
        {
            "LoggingEnabled": {
                "TargetBucket": "BUCKET",
                "TargetPrefix": "",
                "TargetGrants": LIST["Grants"],
                "TargetObjectKeyFormat": {
                    "PartitionedPrefix": {"PartitionDateSource": "EventTime"}
                },
            }
        }
    ],
    "PutBucketNotificationConfiguration": [
        _told("Topic", "sns"),
        _told("Queue", "sqs"),
        _told("LambdaFunction", "lambda"),
    ],
    "PutBucketWebsite": [
        {"RedirectAllRequestsTo": {"HostName": "a.example", "Protocol": "https"}},
        {
            "IndexDocument": {"Suffix": "index.html"},
            "RoutingRules": [{"Redirect": {"HostName": "a.example", "Protocol": "http"}}],
        },
    ],
    "PutObjectLockConfiguration": [
        _kept(Days=1),
        _kept(Years=1),
        _kept(DefaultEventHold={"Days": 1}),
        _kept(DefaultEventHold={"Years": 1}),
    ],
    "PutBucketRequestPayment": [{"Payer": "BucketOwner"}],
    "PutBucketAccelerateConfiguration": [{"Status": "Suspended"}],
    "PutBucketAbac": [{"Status": "Disabled"}],
    "DeleteObjects": [
        {"Objects": [{"Key": "none", "Size": 1, "LastModifiedTime": LATER}], "Quiet": True}
    ],
    "PutObjectLegalHold": [{"Status": "OFF"}],
    "PutObjectRetention": [
        {"Mode": "GOVERNANCE", "RetainUntilDate": LATER},
        {"Mode": "GOVERNANCE", "EventHold": "ON", "EventHoldDuration": {"Days": 1}},
        {"Mode": "GOVERNANCE", "EventHold": "ON", "EventHoldDuration": {"Years": 1}},
    ],
    "CompleteMultipartUpload": [{"Parts": [{"ETag": "ETAG", "PartNumber": 1}]}],
}
"""Of each operation documents that are taken, which together have every such element."""

CODES = {
    "LocationConstraint": "InvalidLocationConstraint",
    "Events": "InvalidArgument",
    "FilterRules.Name": "InvalidArgument",
    "Protocol": "InvalidRequest",
    "AccessControlPolicy.Grants.Grantee.Type": "MalformedACLError",
    "AccessControlPolicy.Grants.Permission": "MalformedACLError",
    "Delete.Objects.Size": "InvalidArgument",
    "Delete.Objects.LastModifiedTime": "InvalidArgument",
}
"""What is said where MalformedXML is not, by the end of an element's path."""

REFUSED = {
    "CreateBucketConfiguration.Location": "of directory buckets: refused, whatever it says",
    "CreateBucketConfiguration.Bucket": "of directory buckets: refused, whatever it says",
    "LifecycleConfiguration.Rules.Transitions": "refused, whatever it says",
    "LifecycleConfiguration.Rules.NoncurrentVersionTransitions": "refused, whatever it says",
    "RestoreRequest": "refused, whatever it says",
}
"""Elements that no document has which is taken."""


@pytest.fixture(scope="module")
def mode() -> Iterator[Mode]:
    webhooks = {"hook": {"url": "http://127.0.0.1:1/", "accounts": ["*"]}}
    gateway = open_runtime(
        configuration(Options(), webhooks=webhooks), server="waitress", environ={}
    )
    try:
        yield Mode(gateway)
    finally:
        gateway.close()


def _is_constrained(shape: Any) -> bool:
    return bool(getattr(shape, "enum", ())) or shape.type_name not in ("string", "blob")


def _paths(shape: Any, path: str) -> Iterator[str]:
    """Of all constrained elements."""
    if shape.type_name == "structure":
        for name, inner in shape.members.items():
            yield from _paths(inner, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from _paths(shape.member, path)
    elif _is_constrained(shape):
        yield path


Change = Callable[[str], None]


def _leaves(shape: Any, node: Any, path: str) -> Iterator[tuple[str, Change]]:
    """The constrained elements of a document: where they are, and how each is changed."""
    if shape.type_name == "structure":
        for name, inner in shape.members.items():
            yield from _members(
                inner, node, f"{path}.{name}", inner.serialization.get("name", name)
            )
    elif shape.type_name == "list":
        for one in node:
            yield from _leaves(shape.member, one, path)
    elif _is_constrained(shape):
        yield path, partial(setattr, node, "text")


def _members(shape: Any, node: Any, path: str, name: str) -> Iterator[tuple[str, Change]]:
    if shape.serialization.get("xmlAttribute"):
        yield from ((path, partial(node.set, key)) for key in [*node.attrib])
        return
    flat = shape.type_name == "list" and shape.serialization.get("flattened")
    if flat:
        name = shape.member.serialization.get("name", name)
    for one in node:
        if one.tag.rpartition("}")[2] == name:
            yield from _leaves(shape.member if flat else shape, one, path)


def _body(operation: str) -> str:
    """The member that is the document."""
    shape = of_aws().operation_model(operation).input_shape
    return str(shape.serialization["payload"])


def _structured(operation: str) -> bool:
    shape = of_aws().operation_model(operation).input_shape
    name = shape.serialization.get("payload") if shape else None
    return bool(name) and shape.members[name].type_name == "structure"


def _structures(shape: Any, name: str) -> Iterator[tuple[str, schemas.Inside]]:
    """Each element that has others in it, with their names."""
    if shape.type_name == "list":
        inner = shape.member.serialization.get("name", "member")
        flat = shape.serialization.get("flattened")
        yield from [] if flat else [(name, schemas.Inside(several=frozenset({inner})))]
        yield from _structures(shape.member, name if flat else inner)
    elif shape.type_name == "structure":
        inside = {
            one.serialization.get("name", member): one
            for member, one in shape.members.items()
            if not one.serialization.get("xmlAttribute")
        }
        several = {
            inner
            for inner, one in inside.items()
            if one.type_name == "list" and one.serialization.get("flattened")
        }
        once = frozenset(inside.keys() - several)
        yield from [(name, schemas.Inside(once, frozenset(several)))] if inside else []
        for inner, one in inside.items():
            yield from _structures(one, inner)


OPERATIONS = [name for name in model.OPERATIONS if _structured(name)]


MORE = {
    "CloudFunctionConfiguration": {"InvocationRole"},  # of an earlier model; it is refused
    "Part": {"LastModified", "Size"},
}
"""Elements that are known besides those of the model."""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_schema_has_the_elements_of_the_model(operation: str) -> None:
    member = _body(operation)
    shape = members(operation)[member]
    root = shape.serialization.get("name", member)
    wanted = {
        name: schemas.Inside(inside.once | MORE.get(name, set()), inside.several)
        for name, inside in _structures(shape, root)
    }
    assert root == "RestoreRequest" or schemas.CHILDREN[root] == wanted


def _code(path: str) -> str:
    return next((code for end, code in CODES.items() if path.endswith(end)), "MalformedXML")


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_constrained_element_is_in_a_document(mode: Mode, operation: str) -> None:
    member = _body(operation)
    shape = members(operation)[member]
    wanted = set(_paths(shape, member))
    found = set()
    for params in DOCUMENTS.get(operation, ()):
        root = ElementTree.fromstring(document(operation, {member: params}))
        found |= {path for path, _ in _leaves(shape, root, member)}
    assert {one for one in wanted - found if not one.startswith(tuple(REFUSED))} == set()


@pytest.mark.parametrize("operation", DOCUMENTS)
def test_an_element_that_says_something_else_is_refused(mode: Mode, operation: str) -> None:
    member = _body(operation)
    shape = members(operation)[member]
    scene = model_scenes.scene(mode, operation)
    scene.params.pop("ACL", None)
    if operation == "PutBucketNotificationConfiguration":
        scene.params["SkipDestinationValidation"] = True
    names = {"BUCKET": scene.params["Bucket"]}
    if operation == "CompleteMultipartUpload":
        names["ETAG"] = scene.params[member]["Parts"][0]["ETag"]
    malformed = "MalformedACLError" if operation.endswith("Acl") else "MalformedXML"
    for params in DOCUMENTS[operation]:
        taken = document(operation, {member: _filled(params, names)})
        for place, (path, _) in enumerate(_leaves(shape, ElementTree.fromstring(taken), member)):
            root = ElementTree.fromstring(taken)
            _, change = [*_leaves(shape, root, member)][place]
            change("perhaps")
            heard = mode.call(operation, scene.params, body=ElementTree.tostring(root))
            assert heard.code == _code(path), (path, heard)
        for place, _ in enumerate(ElementTree.fromstring(taken).iter()):
            root = ElementTree.fromstring(taken)
            ElementTree.SubElement([*root.iter()][place], "Unknown").text = "x"
            heard = mode.call(operation, scene.params, body=ElementTree.tostring(root))
            assert heard.code == malformed, (place, ElementTree.tostring(root), heard)
        for twice in _twice(taken):
            heard = mode.call(operation, scene.params, body=twice)
            assert heard.code == malformed, (twice, heard)
        heard = mode.call(operation, scene.params, body=taken)
        assert heard.status in (200, 204), heard


def _twice(taken: bytes) -> Iterator[bytes]:
    """The document with each element once more that comes only once."""
    for place, _ in enumerate(ElementTree.fromstring(taken).iter()):
        root = ElementTree.fromstring(taken)
        node = [*root.iter()][place]
        known = schemas.CHILDREN[wire.local(root)].get(wire.local(node), schemas.Inside())
        for one in [one for one in node if wire.local(one) in known.once]:
            node.append(one)
            yield ElementTree.tostring(root)
            node.remove(node[-1])

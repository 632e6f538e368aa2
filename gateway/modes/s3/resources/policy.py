"""The policy of a bucket, and whether it makes the bucket public.

As at AWS only the account that owns a bucket has to do with its policy, whatever the policy gives
to others; here also keys that administer the service by themselves.
"""

from __future__ import annotations

from gateway.access.evaluation import Compiled
from gateway.access.identity import acting_for
from gateway.common.xml import document, flag
from gateway.modes.s3 import bodies
from gateway.modes.s3.configuration.policy.document import SETTING
from gateway.modes.s3.configuration.policy.statements import BucketPolicy
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters, settings

_JSON = "application/json"


def get_bucket_policy(request: S3Request) -> Reply:
    _require(request)
    found = request.gateway.setting(request.access, SETTING.kind)
    if found is None:
        raise S3Problem(SETTING.missing, BucketName=request.bucket)
    return Reply(200, [("content-type", _JSON)], found.document.encode())


def put_bucket_policy(request: S3Request) -> Reply:
    _require(request)
    wanted = SETTING.read(bodies.document(request))
    _confirm(request, wanted.value)
    settings.keep(request, SETTING, wanted)
    return Reply(204)


def delete_bucket_policy(request: S3Request) -> Reply:
    _require(request)
    return settings.removed(request, SETTING)


def get_bucket_policy_status(request: S3Request) -> Reply:
    request.require()
    found = request.obeyed(SETTING.kind)
    if found is None:
        raise S3Problem(SETTING.missing, BucketName=request.bucket)
    return xml(document("PolicyStatus", flag("IsPublic", found.public)))


def _require(request: S3Request) -> None:
    request.require()
    owner, identity = request.access.service.owner, request.identity
    if identity.access == "own" and identity.account != owner:
        raise S3Problem("MethodNotAllowed", Method=request.method, ResourceType="BUCKETPOLICY")


def _confirm(request: S3Request, wanted: BucketPolicy) -> None:
    """Who would take from itself that it may change the policy has to say that it means it. The
    account that owns the bucket cannot do so."""
    confirmed = parameters.header_flag(request, "x-amz-confirm-remove-self-bucket-access")
    owner, identity = request.access.service.owner, request.identity
    if confirmed or acting_for(identity) == owner:
        return
    rules = [rule for one in wanted.statements for rule in one.rules(request.bucket)]
    said = Compiled(rules, identity).decide("write-policy", None, request.facts, identity)
    if said.verdict == "deny":
        raise S3Problem(
            "AccessDenied",
            Detail="The policy would keep you from changing it. Confirm that by"
            " x-amz-confirm-remove-self-bucket-access: true.",
        )

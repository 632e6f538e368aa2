"""Object lock: of a bucket, and what keeps a version of an object."""

from __future__ import annotations

from gateway.modes.s3 import bodies, protection
from gateway.modes.s3.configuration import object_lock
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, version, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters, settings
from gateway.storage import Protection, Protects, Put, Writable

# of a bucket


def get_object_lock_configuration(request: S3Request) -> Reply:
    """What the bucket behind it says of new objects is that bucket's, and seen on them."""
    setting, access = object_lock.SETTING, request.access
    if request.gateway.setting(access, setting.kind) is None and protection.has_lock_behind(access):
        return xml(setting.render(object_lock.ObjectLock()))
    return settings.shown(request, setting)


def put_object_lock_configuration(request: S3Request) -> Reply:
    wanted = settings.asked(request, object_lock.SETTING)
    service = request.access.service
    service.need(Protects)
    default = wanted.value.default
    if default is not None:
        given = Protection(mode=default.mode, event=default.event)
        service.need(Writable).check_put(Put(protection=given))
    if service.versioning != "on":
        raise S3Problem(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
    settings.keep(request, object_lock.SETTING, wanted)
    if service.versioning != "on":  # suspended meanwhile, by who did not see the lock yet
        service.set_versioning("on")
    return Reply(200)


# of an object


def get_object_retention(request: S3Request) -> Reply:
    info = request.access.authorize("read-retention", request.key, request.version)
    protection.require_lock(request)
    if info.protection is None or info.protection.mode is None:
        raise S3Problem("NoSuchObjectLockConfiguration")
    return xml(
        protection.retention(info.protection, request.gateway.clock()), headers=version(info)
    )


def put_object_retention(request: S3Request) -> Reply:
    request.require_some()
    wanted = protection.parse_retention(request, bodies.document(request, checked=True))
    request.facts.said = protection.as_headers(wanted)
    request.require()
    protection.require_lock(request)
    bypass = parameters.bypass(request)
    mode, until, event = wanted
    request.access.set_retention(
        request.key, request.version, mode, until, event=event, bypass=bypass
    )
    return Reply(200)


def get_object_legal_hold(request: S3Request) -> Reply:
    info = request.access.authorize("read-hold", request.key, request.version)
    protection.require_lock(request)
    return xml(protection.hold((info.protection or Protection()).hold), headers=version(info))


def put_object_legal_hold(request: S3Request) -> Reply:
    request.require_some()
    wanted = protection.parse_hold(bodies.document(request, checked=True))
    request.facts.said = protection.hold_as_header(wanted)
    request.require()
    protection.require_lock(request)
    request.access.set_hold(request.key, request.version, wanted)
    return Reply(200)

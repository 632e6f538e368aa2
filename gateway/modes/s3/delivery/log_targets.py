"""Which buckets get access logs: asked when one is named, and again when lines are delivered."""

from __future__ import annotations

from gateway.access.access import Access
from gateway.modes import Gateway
from gateway.modes.s3 import protection
from gateway.modes.s3.configuration import encryption, object_lock


def unfit(gateway: Gateway, target: Access) -> str:
    """Why a bucket gets no access logs, in AWS's words; "" where it may.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html"""
    lock = gateway.obeyed(target, object_lock.SETTING.kind)
    if lock is not None or protection.has_lock_behind(target):
        return "The target bucket for logging has Object Lock enabled"
    default = gateway.obeyed(target, encryption.SETTING.kind)
    if default is not None and default.by_named_key:
        return "The target bucket for logging is encrypted by default with a KMS key"
    return ""

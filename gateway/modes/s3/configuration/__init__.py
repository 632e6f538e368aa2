"""A bucket's configuration: for each kind a file that says what its document means.

Documents are read and written here, and what they say is decided here, by pure functions; the
handlers that clients reach are in `resources`, and who obeys a setting asks the gateway for it
(`Gateway.obeyed`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gateway.access.settings import SettingKind


def kinds() -> Collection[SettingKind[Any]]:
    # Here: whoever needs one kind, to read a request's headers, is needed by others of them.
    from gateway.modes.s3.configuration import (
        acceleration,
        access_logging,
        cors,
        encryption,
        lifecycle,
        notification,
        object_lock,
        ownership,
        public_access_block,
        tagging,
        website,
    )
    from gateway.modes.s3.configuration.policy import document as policy

    settings = (
        acceleration.SETTING,
        access_logging.SETTING,
        cors.SETTING,
        encryption.SETTING,
        lifecycle.SETTING,
        notification.SETTING,
        object_lock.SETTING,
        ownership.SETTING,
        policy.SETTING,
        public_access_block.SETTING,
        tagging.SETTING,
        website.SETTING,
    )
    return [one.kind for one in settings]
